/**
 * Places that are spoken for: a submission under way, here or at another seed, has its place to itself, so that
 * two pipelines with copies of one key do not sign two releases into one place. A record is synced before it
 * counts and comes back after a restart with its full time, because a lease forgotten is a twin made.
 */
import type { Channel, Name, PeerId, ReleaseId } from '../../model/ids.ts'
import { comparePlaces, type Place } from '../../model/place.ts'
import type { TrustRoot } from '../../model/root.ts'
import { epochOf } from '../../trust/epoch.ts'
import type { Ticket } from '../events.ts'
import type { Step } from '../step.ts'
import type { LeaseRecord } from '../writes.ts'

export interface Lease {
  readonly record: LeaseRecord
  /** Monotonic; moved on by progress and by renewals. */
  readonly expiresMonoMs: number
}

const keyOf = (channel: Channel, place: Place): string =>
  `${channel} ${place.epoch} ${place.counter} ${place.publisher}`

/** Of the leases that are lent one peer has a part. */
export const SHARES_LENT = 8

/** One lease per place and per release. Bounded: `hasRoomFor` is asked before one is lent. */
export class LeaseTable {
  readonly #byPlace = new Map<string, Lease>()
  readonly #placeOf = new Map<ReleaseId, string>()
  /** Whose record is on its way to disk, by its ticket. */
  readonly #writing = new Map<ReleaseId, Ticket>()
  readonly #maxLeases: number

  constructor(maxLeases: number) {
    this.#maxLeases = maxLeases
  }

  at(channel: Channel, place: Place): Lease | undefined {
    return this.#byPlace.get(keyOf(channel, place))
  }

  of(release: ReleaseId): Lease | undefined {
    const key = this.#placeOf.get(release)
    return key === undefined ? undefined : this.#byPlace.get(key)
  }

  /**
   * Whether one more may be lent to this peer. Any admitted one may say that it takes submissions, and whoever has a
   * publisher's key can ask for places without end: half is for seeds that the configuration names. Those of uploads
   * here take none of it: they are as many as the uploads.
   */
  hasRoomFor(peer: PeerId, named: ReadonlySet<PeerId>): boolean {
    let [lent, toPeer, toUnnamed] = [0, 0, 0]
    for (const { record } of this.#byPlace.values()) {
      const { holder } = record
      if (holder === undefined) continue
      lent += 1
      if (holder === peer) toPeer += 1
      if (!named.has(holder)) toUnnamed += 1
    }
    return (
      lent < this.#maxLeases &&
      toPeer * SHARES_LENT < this.#maxLeases &&
      (named.has(peer) || toUnnamed * 2 < this.#maxLeases)
    )
  }

  /** A place leased to another release must be asked for first. What was granted in an earlier life stands, however many. */
  put(record: LeaseRecord, expiresMonoMs: number): void {
    const key = keyOf(record.channel, record.place)
    this.drop(record.release)
    this.#byPlace.set(key, { record, expiresMonoMs })
    this.#placeOf.set(record.release, key)
  }

  /** Its record is being written: until that is on disk nobody may count on it. */
  write(release: ReleaseId, ticket: Ticket): void {
    this.#writing.set(release, ticket)
  }

  writing(release: ReleaseId): Ticket | undefined {
    return this.#writing.get(release)
  }

  /** @returns whether it is the record of the lease as it stands: that may have been given back, and taken anew */
  wrote(release: ReleaseId, ticket: Ticket): boolean {
    return this.#writing.get(release) === ticket && this.#writing.delete(release)
  }

  extend(release: ReleaseId, expiresMonoMs: number): void {
    const lease = this.of(release)
    const key = this.#placeOf.get(release)
    if (lease !== undefined && key !== undefined) this.#byPlace.set(key, { ...lease, expiresMonoMs })
  }

  drop(release: ReleaseId): Lease | undefined {
    const lease = this.of(release)
    const key = this.#placeOf.get(release)
    if (key !== undefined) this.#byPlace.delete(key)
    this.#placeOf.delete(release)
    this.#writing.delete(release)
    return lease
  }

  /** The lease of the greatest place of a channel, or of the greatest that one publisher has there. */
  greatest(channel: Channel, publisher?: Name): Lease | undefined {
    let best: Lease | undefined
    for (const lease of this.#byPlace.values()) {
      const { place } = lease.record
      if (lease.record.channel !== channel) continue
      if (publisher !== undefined && place.publisher !== publisher) continue
      if (best === undefined || comparePlaces(lease.record.place, best.record.place) > 0) best = lease
    }
    return best
  }

  /** Those of an ended epoch: in the one that counts nothing has their places. */
  ended(root: TrustRoot): readonly Lease[] {
    const isEnded = ({ record }: Lease) => record.place.epoch < epochOf(root, record.channel)
    return [...this.#byPlace.values()].filter(isEnded)
  }

  expired(monoMs: number): readonly Lease[] {
    return [...this.#byPlace.values()].filter((lease) => lease.expiresMonoMs <= monoMs)
  }

  /** Monotonic time of the next expiry, or undefined where there is no lease. */
  nextExpiry(): number | undefined {
    let next: number | undefined
    for (const { expiresMonoMs } of this.#byPlace.values())
      if (next === undefined || expiresMonoMs < next) next = expiresMonoMs
    return next
  }
}

/** @returns the ticket of its record: it counts once that is on disk */
export function takeLease(step: Step, table: LeaseTable, record: LeaseRecord): Ticket {
  const expiresMonoMs = step.now.monoMs + step.config.limits.leaseMs
  table.put(record, expiresMonoMs)
  step.wakeAt(expiresMonoMs)
  const ticket = step.nextTicket()
  table.write(record.release, ticket)
  step.emit({ kind: 'persist', ticket, writes: [{ kind: 'lease', lease: record }], sync: true })
  return ticket
}

/** Its record goes with it, where there is one. */
export function dropLease(step: Step, table: LeaseTable, release: ReleaseId): void {
  if (table.drop(release) === undefined) return
  const writes = [{ kind: 'dropLease', release }] as const
  step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: false })
}

/** Those that a root has ended: kept, they would take the room of others until their time is over. */
export function dropEnded(step: Step, table: LeaseTable, root: TrustRoot): void {
  for (const { record } of table.ended(root)) dropLease(step, table, record.release)
}

/** Those whose time is over; that of an upload here lives as long as the upload, which has its own end. */
export function endLeases(step: Step, table: LeaseTable, isUnderWay: (release: ReleaseId) => boolean): void {
  for (const { record } of table.expired(step.now.monoMs))
    if (isUnderWay(record.release)) table.extend(record.release, step.now.monoMs + step.config.limits.leaseMs)
    else dropLease(step, table, record.release)
  const next = table.nextExpiry()
  if (next !== undefined) step.wakeAt(next)
}
