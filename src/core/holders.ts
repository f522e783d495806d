/** Who announced what of one release, and who turned out to lie: what a node believes of its neighbours. */
import type { PeerId } from '../model/ids.ts'
import { Bitmap, eachByte } from './bitmap.ts'

/** What a peer says it has: everything, or pages and blocks by their place in the manifest. */
export interface Holding {
  readonly whole: boolean
  readonly bitmap?: Uint8Array
  /** Pairs of first and count. */
  readonly ranges?: readonly number[]
}

/** So many places cost as much as the rest of a message: 16,384 take 0.1 ms to mark. */
export const PLACES_A_MESSAGE = 16_384
/** Peers that have all of one release: more are of no use, since no more blocks are asked for at once (`maxWants`). */
export const MAX_WHOLE = 64
/** Places a peer may name: more than the blocks of the largest release, in 128 KiB of bits. */
export const MAX_PLACES = 1 << 20

interface Holder {
  whole: boolean
  /** It gave a block without having announced any: it may well have the rest. */
  likely: boolean
  /** Once it names single places. */
  bits: Bitmap | undefined
}

/** One for all that have never said anything else: of very many releases most peers have all. */
const ALL: Holder = Object.freeze({ whole: true, likely: false, bits: undefined })

/** As whoever looks for a source sees it. */
export type Known = Pick<
  Holders,
  'announced' | 'any' | 'anyOf' | 'has' | 'isLiar' | 'isWhole' | 'knows' | 'pick' | 'spread'
>

export class Holders {
  readonly #holders = new Map<PeerId, Holder>()
  readonly #liars = new Set<PeerId>()
  /** What single places at least one, and at least two of them have announced; counted anew once one is forgotten. */
  #once = new Bitmap()
  #twice = new Bitmap()
  #isStale = false

  /** @param counts whose word does: others make room */
  takes(peer: PeerId, holding: Holding, counts: (peer: PeerId) => boolean = () => true): void {
    if (this.#liars.has(peer) || isNothing(holding)) return
    const { whole, bitmap, ranges = [] } = holding
    if (whole) return this.#hasAll(peer, counts)
    const holder = this.#of(peer)
    for (const [at, byte] of bitmap?.entries() ?? []) this.#mark(holder, at, byte)
    let left = MAX_PLACES
    for (let at = 0; at + 1 < ranges.length && left > 0; at += 2) {
      const first = ranges[at] ?? 0
      const count = Math.min(ranges[at + 1] ?? 0, MAX_PLACES - first)
      if (count <= 0) continue
      eachByte(first, count, (at, byte) => this.#mark(holder, at, byte))
      left -= count
    }
  }

  gave(peer: PeerId): void {
    if (!this.#liars.has(peer) && !this.#holders.has(peer)) this.#of(peer).likely = true
  }

  /**
   * It announced what it does not have, or has none of it: what it said counts no longer. Asked for a place that it
   * never announced, it has said nothing wrong.
   * @returns true if it had announced something
   */
  lacks(peer: PeerId, place?: number): boolean {
    const holder = this.#holders.get(peer)
    if (holder !== undefined && place !== undefined && !holder.likely && !this.has(peer, place)) return false
    this.forget(peer)
    return holder !== undefined && (holder.whole || !holder.likely)
  }

  /**
   * It gave wrong bytes: nothing of this release is taken from it any more, though it goes and comes back.
   * @returns true if it had not before
   */
  lied(peer: PeerId): boolean {
    this.forget(peer)
    if (this.#liars.has(peer)) return false
    this.#liars.add(peer)
    return true
  }

  /** Nobody remembers any more that it gave wrong bytes. */
  forgive(peer: PeerId): void {
    this.#liars.delete(peer)
  }

  isLiar(peer: PeerId): boolean {
    return this.#liars.has(peer)
  }

  has(peer: PeerId, place: number): boolean {
    const holder = this.#holders.get(peer)
    return holder !== undefined && (holder.whole || holder.bits?.has(place) === true)
  }

  /** It announced or gave something. */
  knows(peer: PeerId): boolean {
    return this.#holders.has(peer)
  }

  isWhole(peer: PeerId): boolean {
    return this.#holders.get(peer)?.whole === true
  }

  /**
   * Places of `open` that this peer announced, one at random, of those that nobody else did while there are any: what
   * one has alone would be gone with it. Undefined: none.
   */
  pick(peer: PeerId, open: Bitmap, random: number): number | undefined {
    const holder = this.#holders.get(peer)
    if (holder === undefined) return undefined
    if (this.#isStale) this.#recount()
    if (holder.whole) return open.pick(undefined, random, this.#once)
    if (!holder.likely && holder.bits === undefined) return undefined
    return open.pick(holder.likely ? undefined : holder.bits, random, this.#twice)
  }

  /** Of so many places, how many two peers or more have announced. */
  spread(places: number): number {
    if (this.#isStale) this.#recount()
    let whole = 0
    for (const holder of this.#holders.values()) if (holder.whole) whole += 1
    if (whole === 0) return this.#twice.count
    return whole === 1 ? this.#once.count : places
  }

  /** By anybody whose word counts. */
  announced(place: number, counts: (peer: PeerId) => boolean): boolean {
    for (const [peer, holder] of this.#holders)
      if ((holder.whole || holder.bits?.has(place) === true) && counts(peer)) return true
    return false
  }

  /** Somebody whose word counts has announced something. */
  any(counts: (peer: PeerId) => boolean): boolean {
    for (const peer of this.#holders.keys()) if (counts(peer)) return true
    return false
  }

  /** And one of these places. */
  anyOf(places: Bitmap, counts: (peer: PeerId) => boolean): boolean {
    for (const [peer, { whole, bits }] of this.#holders)
      if (counts(peer) && (whole || (bits !== undefined && places.pick(bits, 0) !== undefined))) return true
    return false
  }

  forget(peer: PeerId): void {
    if (!this.#holders.delete(peer)) return
    this.#isStale = true
    // Of what nobody holds nothing is picked, so that it would never be counted anew.
    if (this.#holders.size === 0) this.#recount()
  }

  /** What it announced place by place takes memory; that it has everything takes none, and stays. */
  forgetPlaces(peer: PeerId): void {
    const holder = this.#holders.get(peer)
    if (holder?.whole !== true) return this.forget(peer)
    if (holder !== ALL) holder.bits = undefined
    this.#isStale = true
  }

  #hasAll(peer: PeerId, counts: (peer: PeerId) => boolean): void {
    if (this.isWhole(peer) || !this.#hasRoom(counts)) return
    if (this.knows(peer)) this.#of(peer).whole = true
    else this.#holders.set(peer, ALL)
  }

  #hasRoom(counts: (peer: PeerId) => boolean): boolean {
    if (this.#holders.size < MAX_WHOLE) return true
    const whole = [...this.#holders].flatMap(([peer, holder]) => (holder.whole ? [peer] : []))
    if (whole.length < MAX_WHOLE) return true
    const vain = whole.find((peer) => !counts(peer))
    if (vain === undefined) return false
    this.forget(vain)
    return true
  }

  #mark(holder: Holder, at: number, byte: number): void {
    holder.bits ??= new Bitmap()
    const news = byte & ~holder.bits.byteAt(at)
    holder.bits.mergeAt(at, news)
    this.#twice.mergeAt(at, news & this.#once.byteAt(at))
    this.#once.mergeAt(at, news)
  }

  #recount(): void {
    this.#isStale = false
    this.#once = new Bitmap()
    this.#twice = new Bitmap()
    for (const { bits } of this.#holders.values())
      for (const [at, byte] of bits?.toBytes().entries() ?? []) {
        this.#twice.mergeAt(at, byte & this.#once.byteAt(at))
        this.#once.mergeAt(at, byte)
      }
  }

  /** To be changed. */
  #of(peer: PeerId): Holder {
    const known = this.#holders.get(peer)
    if (known !== undefined && known !== ALL) return known
    const holder: Holder = { whole: known === ALL, likely: false, bits: undefined }
    this.#holders.set(peer, holder)
    return holder
  }
}

/** Of what nobody has said anything of. */
export const NOBODY: Known = new Holders()

/** Whoever asks what is here says so, too: that makes it no holder. */
export const isNothing = ({ whole, bitmap, ranges = [] }: Holding): boolean =>
  !whole &&
  (bitmap === undefined || bitmap.every((byte) => byte === 0)) &&
  ranges.every((count, at) => at % 2 === 0 || count === 0)

/** What it costs to take in, in messages of a few places. */
export function costOf({ bitmap, ranges = [] }: Holding): number {
  let places = (bitmap?.length ?? 0) * 8
  for (let at = 1; at < ranges.length; at += 2) places += ranges[at] ?? 0
  return 1 + Math.floor(Math.min(places, MAX_PLACES) / PLACES_A_MESSAGE)
}

/** Ascending places as pairs of first and count. */
export function rangesOf(ascending: readonly number[]): readonly number[] {
  const ranges: number[] = []
  for (const place of ascending) {
    const last = ranges.length - 1
    if (last > 0 && (ranges[last - 1] ?? 0) + (ranges[last] ?? 0) === place)
      ranges[last] = (ranges[last] ?? 0) + 1
    else ranges.push(place, 1)
  }
  return ranges
}
