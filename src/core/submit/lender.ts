/** Leases lent to other seeds: answered from own records alone, never passed on. */
import type { Code } from '../../errors.ts'
import { replaces } from '../../model/clock.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { RequestId, Ticket } from '../events.ts'
import type { Ingested, Journey } from '../journey.ts'
import { isAdmitted, type Session } from '../session.ts'
import type { Step } from '../step.ts'
import { answer, greatest, type Refusal, refusalOf, refuse } from './answers.ts'
import { dropLease, type LeaseTable, takeLease } from './leases.ts'
import { namedSeeds } from './named-seeds.ts'

interface From {
  readonly id: RequestId
  readonly peer: PeerId
}

/** Who gives the lease of a release back. */
interface OfRelease extends From {
  readonly release: ReleaseId
}

/** Whoever waits for the record of a lease. */
interface Written {
  readonly release: ReleaseId
  readonly asking: readonly From[]
}

/** Questions that wait for one record, which takes a sync of the disk. */
export const MAX_ASKING = 16

export class Lender {
  readonly #table: LeaseTable
  readonly #named: ReadonlySet<PeerId>
  readonly #written = new Map<Ticket, Written>()

  constructor(table: LeaseTable, config: Pick<CoreConfig, 'seeds' | 'self'>) {
    this.#table = table
    this.#named = namedSeeds(config)
  }

  lend(
    step: Step,
    journey: Journey,
    ask: From & { readonly session: Session; readonly envelope: Uint8Array },
  ): void {
    const { id, peer, session, envelope } = ask
    if (!isAdmitted(session)) {
      refuse(step, id, peer, { code: 'ADMIT_REFUSED', text: 'leases are for admitted nodes' })
      return
    }
    const judged = journey.ingest(step, envelope, { via: 'submit', peer }, 'judge-only')
    const refusal = refusalOf(journey, this.#table, judged)
    if (refusal !== undefined || judged.release === undefined) {
      if (refusal !== undefined) refuse(step, id, peer, this.#proven(journey, refusal, judged), false, judged)
      return
    }
    const release = judged.release.id
    const writing = this.#table.writing(release)
    // Also of an upload here: what is in memory only is promised to nobody.
    if (writing !== undefined) return this.#wait(step, writing, release, { id, peer })
    // Renewed, or its place is held by the very release already.
    if (this.#table.of(release) !== undefined || judged.verdict === 'DUPLICATE') {
      this.#table.extend(release, step.now.monoMs + step.config.limits.leaseMs)
      answer(step, id, { type: 'noted' })
      return
    }
    if (!this.#table.hasRoomFor(peer, this.#named)) {
      refuse(step, id, peer, { code: 'LIMIT_RATE', text: 'too many leases', retryAfterMs: 10_000 })
      return
    }
    const { channel } = judged.release.header
    const lease = { channel, place: journey.place(judged.release), release, envelope, holder: peer }
    this.#written.set(takeLease(step, this.#table, lease), { release, asking: [{ id, peer }] })
  }

  #wait(step: Step, ticket: Ticket, release: ReleaseId, from: From): void {
    const asking = this.#written.get(ticket)?.asking ?? []
    if (asking.length < MAX_ASKING) this.#written.set(ticket, { release, asking: [...asking, from] })
    else {
      const text = 'too many ask for this lease at once'
      refuse(step, from.id, from.peer, { code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
    }
  }

  /** A seed that is behind believes no other that a release is stale: one that replaces it shows it. */
  #proven(journey: Journey, refusal: Refusal, { release }: Ingested): Refusal {
    if (refusal.code !== 'ORDER_STALE' || release === undefined) return refusal
    const { channel, clock } = release.header
    const newer = journey.channel(channel)?.heads.find(({ header }) => replaces(header.clock, clock))
    const shown = newer === undefined ? undefined : journey.envelope(newer.id)
    const envelope = shown ?? greatest(journey, this.#table, channel)
    return envelope === undefined ? refusal : { ...refusal, envelope }
  }

  /** Said only now: a lease that a crash forgets would be lent twice. */
  onPersisted(step: Step, ticket: Ticket): void {
    const written = this.#written.get(ticket)
    if (written === undefined) return
    this.#written.delete(ticket)
    const { release, asking } = written
    const isOfLease = this.#table.wrote(release, ticket)
    for (const from of asking)
      if (isOfLease) answer(step, from.id, { type: 'noted' })
      else this.#askAnew(step, release, from)
  }

  /** The lease it waited for was given back, and may have been taken anew: then it waits for that record. */
  #askAnew(step: Step, release: ReleaseId, from: From): void {
    const writing = this.#table.writing(release)
    if (writing !== undefined) return this.#wait(step, writing, release, from)
    if (this.#table.of(release) !== undefined) return answer(step, from.id, { type: 'noted' })
    const text = 'this lease was given back meanwhile'
    refuse(step, from.id, from.peer, { code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
  }

  onPersistFailed(step: Step, ticket: Ticket, code: Code): void {
    const written = this.#written.get(ticket)
    if (written === undefined) return
    this.#written.delete(ticket)
    if (this.#table.wrote(written.release, ticket)) this.#table.drop(written.release)
    for (const { id, peer } of written.asking)
      refuse(step, id, peer, { code, text: 'this seed cannot write to its disk' })
  }

  free(step: Step, { id, peer, release }: OfRelease): void {
    if (this.#table.of(release)?.record.holder === peer) dropLease(step, this.#table, release)
    answer(step, id, { type: 'noted' })
  }
}
