/**
 * Which gateways put off what other regions want of them, and how often each want was: where more waits at an uplink than
 * that can send in time, another gateway of the region, which gets the block from neighbours, gives it sooner.
 */
import { MAX_PUT_OFF } from '../../core/fetch/upstream.ts'
import { LIMITS } from '../../limits.ts'
import type { Entry } from './entry.ts'
import type { Fleet } from './fleet.ts'
import { MANIFEST } from './holdings.ts'
import type { Network } from './network.ts'
import type { Uploads } from './uploads.ts'

/** Blocks that may wait for other regions without that anything is put off, and how long these may take to leave. */
const FEW_WAIT = LIMITS.maxWantsPerSeed
const SHORT_NS = (LIMITS.doubtMs / 2) * 1e6
const NOBODY = -1

interface Parts {
  readonly fleet: Fleet
  readonly network: Network
  readonly entry: Entry
  readonly uploads: Uploads
}

export class PutOff {
  readonly #parts: Parts
  /** Gateways that put off whatever is not there yet, until nothing waits there for other regions. */
  readonly #overdue = new Set<number>()
  /** Place (region, block): how often that region's want was put off. */
  readonly #times: Uint8Array

  constructor(parts: Parts, places: number) {
    this.#parts = parts
    this.#times = new Uint8Array(places)
  }

  /** A want of this place for a block that is not there yet; who is third in line takes it. */
  applies(at: number, place: number): boolean {
    return this.#overdue.has(at) && (this.#times[place] as number) < MAX_PUT_OFF
  }

  /** @returns how often it now was put off */
  note(place: number): number {
    const times = (this.#times[place] as number) + 1
    this.#times[place] = times
    return times
  }

  /** As if it had been, unless who is next takes it. @returns how often it now was */
  passOver(place: number): number {
    const times = this.#times[place] as number
    return times < MAX_PUT_OFF ? this.note(place) : times
  }

  /** One more waits there for another region: is it from now on too much? */
  begins(at: number): boolean {
    if (this.#overdue.has(at)) return false
    const { fleet, network, entry, uploads } = this.#parts
    const waiting = uploads.abroad(at)
    if (waiting <= FEW_WAIT) return false
    const blockNs = network.bytesOf(MANIFEST + 1) * (fleet.upNsPerByte[at] as number)
    const hasOthers = entry.fetcher(fleet.regionOf[at] as number, MANIFEST, 1) !== NOBODY
    if (waiting * blockNs <= SHORT_NS || !hasOthers) return false
    this.#overdue.add(at)
    return true
  }

  /** One less waits there: once none does it takes wants again. */
  onLeft(at: number): void {
    if (this.#overdue.has(at) && this.#parts.uploads.abroad(at) === 0) this.#overdue.delete(at)
  }
}
