/** What the bridge knows of each thing that crosses borders: bounded tables, the oldest goes first. */
import type { Limits } from '../../limits.ts'
import type { Digest, PeerId } from '../../model/ids.ts'
import type { BridgeItem } from '../../model/messages.ts'
import { pauseAfterMs } from '../lateness.ts'
import { LatestSet } from '../latest.ts'
import { Recent } from '../recent.ts'

/** What this node could not take as it is now is not looked at again for so long: sync brings it once it can. */
const NOT_NOW_MS = 30_000

/** Announced or claimed, not here yet. */
export interface Wanted {
  /** Carries the home its first announcement named. */
  readonly item: BridgeItem
  /** Who announced it, in the order of arrival. */
  readonly sources: PeerId[]
  /** Each of the region's gateways may hold the others off once. */
  readonly claimedBy: Set<PeerId>
  /** When this node claims and pulls it. */
  dueMonoMs: number
  /** A tick has found it due. */
  wasDue: boolean
  /** A pull of it ended so late that this host stood still: the next one is laid to whoever was asked, however late. */
  wasExcused: boolean
  /** A pull of it is under way. */
  isAsked: boolean
  pulls: number
}

/** Under way. */
export interface Pull {
  readonly wanted: Wanted
  readonly peer: PeerId
  readonly sinceMonoMs: number
}

/**
 * Found due by a tick. Where that came late, a claim or the thing itself may lie unread in this host's own sockets: it waits once
 * more, and only once, or a host that is always late would never pull.
 *
 * @returns true: it waits
 */
export function putOff(wanted: Wanted, monoMs: number): boolean {
  const pauseMs = wanted.wasDue ? 0 : pauseAfterMs(monoMs - wanted.dueMonoMs)
  wanted.wasDue = true
  if (pauseMs > 0) wanted.dueMonoMs = monoMs + pauseMs
  return pauseMs > 0
}

export class BridgeItems {
  readonly #limits: Limits
  readonly #here: LatestSet<Digest>
  #notNow: Recent<Digest>
  readonly #wanted = new Map<Digest, Wanted>()
  readonly #bytes = new Map<Digest, Uint8Array>()
  #totalBytes = 0

  constructor(limits: Limits) {
    this.#limits = limits
    this.#here = new LatestSet(limits.maxBridgeItems)
    this.#notNow = new Recent(limits.maxBridgeItems, NOT_NOW_MS)
  }

  /** It came, and could not be taken. */
  notNow(id: Digest, monoMs: number): void {
    this.#notNow.add(id, monoMs)
  }

  isNotNow(id: Digest, monoMs: number): boolean {
    return this.#notNow.has(id, monoMs)
  }

  /** Under another root what could not be taken may be. */
  forgetNotNow(): void {
    this.#notNow = new Recent(this.#limits.maxBridgeItems, NOT_NOW_MS)
  }

  isHere(id: Digest): boolean {
    return this.#here.has(id)
  }

  /** It came, by whatever way: nothing is waited for any more. */
  here(id: Digest, bytes: Uint8Array | undefined): void {
    this.#wanted.delete(id)
    this.#here.add(id)
    if (bytes !== undefined) this.#keep(id, bytes)
  }

  bytes(id: Digest): Uint8Array | undefined {
    return this.#bytes.get(id)
  }

  find(id: Digest): Wanted | undefined {
    return this.#wanted.get(id)
  }

  all(): Iterable<Wanted> {
    return this.#wanted.values()
  }

  /** Undefined: too many are wanted already; sync brings what is left out. */
  want(item: BridgeItem, dueMonoMs: number): Wanted | undefined {
    const known = this.#wanted.get(item.id)
    if (known !== undefined || this.#wanted.size >= this.#limits.maxBridgeWanted) return known
    const wanted: Wanted = {
      item,
      sources: [],
      claimedBy: new Set(),
      dueMonoMs,
      wasDue: false,
      wasExcused: false,
      isAsked: false,
      pulls: 0,
    }
    this.#wanted.set(item.id, wanted)
    return wanted
  }

  drop(id: Digest): void {
    this.#wanted.delete(id)
  }

  #keep(id: Digest, bytes: Uint8Array): void {
    if (this.#bytes.has(id)) return
    this.#bytes.set(id, bytes)
    this.#totalBytes += bytes.length
    for (const [oldest, gone] of this.#bytes) {
      if (this.#totalBytes <= this.#limits.maxBridgeBytes) return
      this.#bytes.delete(oldest)
      this.#totalBytes -= gone.length
    }
  }
}
