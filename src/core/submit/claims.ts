/**
 * Before a seed grants a submission it takes the place's lease from some seeds: of itself and those connected, the ones
 * that its configuration names come first, then the others, each by peer id. It asks them one after another by peer id, so
 * that of two pipelines that reach different seeds exactly one gets the place: both begin at the same seed. Silent seeds
 * are passed over; a refusal counts only with an envelope that verifies, or a lying seed could burn counters.
 */
import type { Code } from '../../errors.ts'
import { replaces } from '../../model/clock.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import type { PublishReply, Refused } from '../../model/messages.ts'
import { comparePlaces, type Place } from '../../model/place.ts'
import type { Release } from '../../model/release.ts'
import type { RequestId, Ticket } from '../events.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import type { Step } from '../step.ts'
import { placeTaken, type Refusal, STALE, unwritten } from './answers.ts'
import { dropLease, type LeaseTable, takeLease } from './leases.ts'
import { namedFirst } from './named-seeds.ts'

interface Claim {
  readonly release: Release
  readonly envelope: Uint8Array
  readonly place: Place
  /** Whom to ask, ascending, ourselves among them. */
  readonly order: readonly PeerId[]
  next: number
  /** Of our own record, once that is being written: those of a claim that ended may still come. */
  ticket: Ticket | undefined
  /** Seeds that granted it. */
  readonly taken: Set<PeerId>
  /** Seeds asked once more, as this host stood still when they may have answered, or they answered others meanwhile. */
  readonly again: Set<PeerId>
  granted: boolean
  renewAtMonoMs: number
  /** Something of the upload has come since the last renewal. */
  progressed: boolean
}

interface Asked {
  readonly release: ReleaseId
  readonly peer: PeerId
  readonly atMonoMs: number
}

export interface ClaimHooks {
  granted(step: Step, journey: Journey, release: ReleaseId): void
  /** Not granted, or lost in a renewal; what was taken is already freed. */
  lost(step: Step, release: ReleaseId, refusal: Refusal): void
}

/** Verdicts only a release that verifies can get. */
const VERIFIED = new Set(['NEW', 'CONCURRENT', 'TWIN', 'TWIN_KNOWN', 'DUPLICATE', 'STALE'])

/** Who let a question time out is not asked for so long, unless the configuration names it: every submission would wait. */
export const SILENT_MS = 5 * 60_000
/** More than a node has links to. */
export const MAX_SILENT = 1_024

/**
 * What another seed has proven. To sign what is stale anew would bring old content back above the newer release; but a greater
 * place alone makes nothing stale.
 */
function asSaid({ code, envelope }: Refused, proof: Release, claimed: Release): Refusal {
  if (code === 'ORDER_STALE' && replaces(proof.header.clock, claimed.header.clock)) return STALE
  const text = 'another release has this counter, or a greater one, at another seed; sign anew with the next'
  return { code: 'ORDER_PLACE_TAKEN', text, ...(envelope === undefined ? {} : { envelope }) }
}

/** Those named when an upload began may be gone by now. */
const isThere = (journey: Journey, peer: PeerId): boolean => journey.session(peer)?.hello !== undefined

export class Claims {
  readonly #claims = new Map<ReleaseId, Claim>()
  readonly #asked = new Map<RequestId, Asked>()
  /** Who was silent, until when: kept over a new connection, which costs nothing. */
  readonly #silent = new LatestMap<PeerId, number>(MAX_SILENT)
  /** Who answered a question, when. */
  readonly #heard = new LatestMap<PeerId, number>(MAX_SILENT)
  readonly #freed = new Set<RequestId>()
  readonly #written = new Map<Ticket, ReleaseId>()
  readonly #table: LeaseTable
  readonly #hooks: ClaimHooks

  constructor(table: LeaseTable, hooks: ClaimHooks) {
    this.#table = table
    this.#hooks = hooks
  }

  start(step: Step, journey: Journey, release: Release, envelope: Uint8Array): void {
    const { self, limits } = step.config
    const seeds = [...journey.admitted()].filter((session) => session.hello.submit).map(({ peer }) => peer)
    const { named, others } = namedFirst(step.config, [self, ...seeds])
    const heard = others.filter((peer) => (this.#silent.get(peer) ?? 0) <= step.now.monoMs)
    const lowest = [...named, ...heard].slice(0, limits.leaseSeeds).sort()
    this.#claims.set(release.id, {
      release,
      envelope,
      place: journey.place(release),
      // Our own record is what a restart and other seeds rely on: taken last where we are not among the lowest.
      order: lowest.includes(self) ? lowest : [...lowest, self],
      next: 0,
      ticket: undefined,
      taken: new Set(),
      again: new Set(),
      granted: false,
      renewAtMonoMs: 0,
      progressed: false,
    })
    this.#advance(step, journey, release.id)
  }

  /** Progress of the upload keeps the lease. */
  progress(step: Step, release: ReleaseId): void {
    const claim = this.#claims.get(release)
    if (claim === undefined) return
    claim.progressed = true
    this.#table.extend(release, step.now.monoMs + step.config.limits.leaseMs)
  }

  /** What it granted it forgets by itself. */
  onDisconnected(peer: PeerId): void {
    for (const { taken } of this.#claims.values()) taken.delete(peer)
  }

  /** The upload ended. `free`: in vain, so that the seeds asked give the place away at once. */
  end(step: Step, release: ReleaseId, free: boolean): void {
    const claim = this.#claims.get(release)
    if (claim === undefined) return
    this.#claims.delete(release)
    dropLease(step, this.#table, release)
    if (!free) return
    for (const peer of claim.taken) {
      const id = step.nextRequest()
      this.#freed.add(id)
      const request = { protocol: 'publish', message: { type: 'free', release } } as const
      step.emit({ kind: 'request', id, peer, request, timeoutMs: step.config.limits.leaseAskMs })
    }
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: PublishReply): boolean {
    if (this.#freed.delete(id)) return true
    const asked = this.#asked.get(id)
    if (asked === undefined) return false
    this.#asked.delete(id)
    this.#silent.delete(asked.peer)
    this.#heard.set(asked.peer, step.now.monoMs)
    const claim = this.#claims.get(asked.release)
    if (claim === undefined) return true
    const proof =
      reply.type === 'refused' ? this.#proof(step, journey, claim, asked.peer, reply.envelope) : undefined
    if (reply.type === 'refused' && proof !== undefined) {
      this.#lose(step, claim, asSaid(reply, proof, claim.release))
      return true
    }
    if (claim.granted) return true
    if (reply.type === 'noted') claim.taken.add(asked.peer)
    claim.next += 1
    this.#advance(step, journey, asked.release)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId): boolean {
    if (this.#freed.delete(id)) return true
    const asked = this.#asked.get(id)
    if (asked === undefined) return false
    this.#asked.delete(id)
    const { leaseAskMs, repairMs } = step.config.limits
    const tookMs = step.now.monoMs - asked.atMonoMs
    const claim = this.#claims.get(asked.release)
    // Of many at one moment those behind wait for a stream here until their time is over.
    const answers = (this.#heard.get(asked.peer) ?? 0) > asked.atMonoMs
    // Once in a claim: of a host that is late each time a dead seed would cost two waits at every upload.
    const isOwn = answers || tookMs > leaseAskMs + repairMs
    const isExcused = isOwn && claim?.again.has(asked.peer) !== true
    // One whose connection ended at once cost no time: a seed that restarts is asked again.
    if (!answers && tookMs >= leaseAskMs / 2 && !isExcused)
      this.#silent.set(asked.peer, step.now.monoMs + SILENT_MS)
    if (claim === undefined || claim.granted) return true
    if (isExcused) claim.again.add(asked.peer)
    else claim.next += 1
    this.#advance(step, journey, asked.release)
    return true
  }

  onPersisted(step: Step, journey: Journey, ticket: Ticket): void {
    const release = this.#written.get(ticket)
    this.#written.delete(ticket)
    if (release === undefined) return
    this.#table.wrote(release, ticket)
    const claim = this.#claims.get(release)
    if (claim?.ticket !== ticket) return
    claim.next += 1
    this.#advance(step, journey, release)
  }

  onPersistFailed(step: Step, ticket: Ticket, code: Code): void {
    const release = this.#written.get(ticket)
    this.#written.delete(ticket)
    const claim = release === undefined ? undefined : this.#claims.get(release)
    if (claim?.ticket === ticket) this.#lose(step, claim, unwritten(code))
  }

  /** Renews once a minute while there is progress. */
  onTick(step: Step, journey: Journey): void {
    for (const claim of this.#claims.values()) {
      if (!claim.granted) continue
      if (claim.renewAtMonoMs <= step.now.monoMs) {
        claim.renewAtMonoMs = step.now.monoMs + step.config.limits.leaseRenewMs
        if (claim.progressed)
          for (const peer of claim.taken) if (isThere(journey, peer)) this.#ask(step, claim, peer)
        claim.progressed = false
      }
      step.wakeAt(claim.renewAtMonoMs)
    }
  }

  #advance(step: Step, journey: Journey, id: ReleaseId): void {
    const claim = this.#claims.get(id)
    if (claim === undefined) return
    const member = claim.order[claim.next]
    if (member === undefined) {
      claim.granted = true
      claim.renewAtMonoMs = step.now.monoMs + step.config.limits.leaseRenewMs
      step.wakeAt(claim.renewAtMonoMs)
      this.#hooks.granted(step, journey, id)
    } else if (member === step.config.self) this.#takeOwn(step, journey, claim)
    else if (isThere(journey, member)) this.#ask(step, claim, member)
    else {
      claim.next += 1
      this.#advance(step, journey, id)
    }
  }

  #takeOwn(step: Step, journey: Journey, claim: Claim): void {
    const { release, envelope, place } = claim
    const { channel } = release.header
    const other = this.#table.at(channel, place)
    if (other !== undefined && other.record.release !== release.id) {
      this.#lose(step, claim, placeTaken(journey, this.#table, release))
      return
    }
    const lease = { channel, place, release: release.id, envelope, holder: undefined }
    claim.ticket = takeLease(step, this.#table, lease)
    this.#written.set(claim.ticket, release.id)
  }

  #ask(step: Step, claim: Claim, peer: PeerId): void {
    const id = step.nextRequest()
    this.#asked.set(id, { release: claim.release.id, peer, atMonoMs: step.now.monoMs })
    const request = { protocol: 'publish', message: { type: 'lease', envelope: claim.envelope } } as const
    step.emit({ kind: 'request', id, peer, request, timeoutMs: step.config.limits.leaseAskMs })
  }

  #lose(step: Step, claim: Claim, refusal: Refusal): void {
    this.end(step, claim.release.id, true)
    this.#hooks.lost(step, claim.release.id, refusal)
  }

  /** A release that stands in the claim's place, or above; undefined: none is shown. */
  #proof(
    step: Step,
    journey: Journey,
    claim: Claim,
    peer: PeerId,
    envelope: Uint8Array | undefined,
  ): Release | undefined {
    if (envelope === undefined) return undefined
    const judged = journey.ingest(step, envelope, { via: 'submit', peer }, 'judge-only')
    // A seed that proves nothing is seen by its log line alone.
    if (judged.refusal !== undefined) step.emit(judged.refusal)
    if (judged.release === undefined || !VERIFIED.has(judged.verdict)) return undefined
    const isProof =
      judged.release.header.channel === claim.release.header.channel &&
      judged.release.id !== claim.release.id &&
      comparePlaces(journey.place(judged.release), claim.place) >= 0
    return isProof ? judged.release : undefined
  }
}
