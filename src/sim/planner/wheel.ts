/**
 * The event queue: a timing wheel over typed arrays. Two levels: a slot a tick for the window of now, a slot a window
 * for what comes later. An event is (tick, kind, four integers); events of one tick come out in the order in which
 * they went in, because a later window's list is moved down, in order, before anything is put into that window directly.
 */
const WINDOW_BITS = 14
const WINDOW = 1 << WINDOW_BITS
const WINDOW_MASK = WINDOW - 1
/** As many windows of 0.8 s as ticks fit 32 bits: nearly 30 hours of virtual time, for a megabyte. */
const WINDOWS = 131_072
const MAX_TICK = WINDOW * WINDOWS - 1
/** What a run may last, in whole hours. */
export const MAX_HOURS = 29
const NONE = -1

export class Wheel {
  /** The event that `next` found. */
  tick = 0
  kind = 0
  a = 0
  b = 0
  c = 0
  d = 0
  /** Events handed out so far. */
  count = 0
  #capacity: number
  #ticks: Int32Array
  #kinds: Uint8Array
  #as: Int32Array
  #bs: Int32Array
  #cs: Int32Array
  #ds: Int32Array
  #following: Int32Array
  #free = NONE
  #used = 0
  #pending = 0
  #window = 0
  #isCut = false
  readonly #heads = new Int32Array(WINDOW).fill(NONE)
  readonly #tails = new Int32Array(WINDOW).fill(NONE)
  /** A bit for each slot that holds something. */
  readonly #taken = new Int32Array(WINDOW >> 5)
  readonly #laterHeads = new Int32Array(WINDOWS).fill(NONE)
  readonly #laterTails = new Int32Array(WINDOWS).fill(NONE)

  /** @param capacity events expected to be pending at once; it grows where there are more */
  constructor(capacity: number) {
    this.#capacity = Math.max(1_024, capacity)
    this.#ticks = new Int32Array(this.#capacity)
    this.#kinds = new Uint8Array(this.#capacity)
    this.#as = new Int32Array(this.#capacity)
    this.#bs = new Int32Array(this.#capacity)
    this.#cs = new Int32Array(this.#capacity)
    this.#ds = new Int32Array(this.#capacity)
    this.#following = new Int32Array(this.#capacity)
  }

  /** @param tick not before the event in hand; beyond `MAX_TICK` the event never comes */
  push(tick: number, kind: number, a: number, b: number, c: number, d: number): void {
    if (tick > MAX_TICK) {
      this.#isCut = true
      return
    }
    const at = this.#take()
    this.#ticks[at] = Math.max(tick, this.tick)
    this.#kinds[at] = kind
    this.#as[at] = a
    this.#bs[at] = b
    this.#cs[at] = c
    this.#ds[at] = d
    this.#pending++
    this.#place(at)
  }

  /** Nothing is left but what would come after all the time that there is. */
  get isOver(): boolean {
    return this.#isCut && this.#pending === 0
  }

  /** Takes the next event into the fields above; false where none is left. */
  next(): boolean {
    if (this.#pending === 0) return false
    let slot = this.#firstFrom(this.tick & WINDOW_MASK)
    while (slot === NONE) {
      this.#openNextWindow()
      slot = this.#firstFrom(0)
    }
    const at = this.#heads[slot] as number
    const after = this.#following[at] as number
    this.#heads[slot] = after
    if (after === NONE) {
      this.#tails[slot] = NONE
      this.#taken[slot >> 5] = (this.#taken[slot >> 5] as number) & ~(1 << (slot & 31))
    }
    this.tick = this.#ticks[at] as number
    this.kind = this.#kinds[at] as number
    this.a = this.#as[at] as number
    this.b = this.#bs[at] as number
    this.c = this.#cs[at] as number
    this.d = this.#ds[at] as number
    this.#following[at] = this.#free
    this.#free = at
    this.#pending--
    this.count++
    return true
  }

  #place(at: number): void {
    const tick = this.#ticks[at] as number
    this.#following[at] = NONE
    const window = tick >> WINDOW_BITS
    if (window !== this.#window) {
      const last = this.#laterTails[window] as number
      if (last === NONE) this.#laterHeads[window] = at
      else this.#following[last] = at
      this.#laterTails[window] = at
      return
    }
    const slot = tick & WINDOW_MASK
    const last = this.#tails[slot] as number
    if (last === NONE) {
      this.#heads[slot] = at
      this.#taken[slot >> 5] = (this.#taken[slot >> 5] as number) | (1 << (slot & 31))
    } else this.#following[last] = at
    this.#tails[slot] = at
  }

  #openNextWindow(): void {
    this.#window++
    this.tick = this.#window << WINDOW_BITS
    let at = this.#laterHeads[this.#window] as number
    this.#laterHeads[this.#window] = NONE
    this.#laterTails[this.#window] = NONE
    while (at !== NONE) {
      const after = this.#following[at] as number
      this.#place(at)
      at = after
    }
  }

  #firstFrom(slot: number): number {
    let word = slot >> 5
    let bits = (this.#taken[word] as number) & (-1 << (slot & 31))
    while (bits === 0) {
      word++
      if (word === this.#taken.length) return NONE
      bits = this.#taken[word] as number
    }
    return (word << 5) + 31 - Math.clz32(bits & -bits)
  }

  #take(): number {
    const reused = this.#free
    if (reused !== NONE) {
      this.#free = this.#following[reused] as number
      return reused
    }
    if (this.#used === this.#capacity) this.#grow()
    return this.#used++
  }

  #grow(): void {
    const larger = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from)
      return to
    }
    this.#capacity *= 2
    this.#ticks = larger(this.#ticks, new Int32Array(this.#capacity))
    this.#kinds = larger(this.#kinds, new Uint8Array(this.#capacity))
    this.#as = larger(this.#as, new Int32Array(this.#capacity))
    this.#bs = larger(this.#bs, new Int32Array(this.#capacity))
    this.#cs = larger(this.#cs, new Int32Array(this.#capacity))
    this.#ds = larger(this.#ds, new Int32Array(this.#capacity))
    this.#following = larger(this.#following, new Int32Array(this.#capacity))
  }
}
