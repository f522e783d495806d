/** How much further than to the first member that would do it is looked for a better one: in bytes, 4,096 members. */
const MAX_BETTER = 512
/** Bytes up to which it grows ahead of what is added: all places that a peer may name (`MAX_PLACES` of holders.ts). */
const MAX_AHEAD = 2 ** 17

/** A growing set of small integers, one bit each: which blocks of a release somebody has. */
export class Bitmap {
  #bytes: Uint8Array
  #count = 0

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes.slice()
    for (const byte of bytes) this.#count += ones(byte)
  }

  get count(): number {
    return this.#count
  }

  has(index: number): boolean {
    return ((this.#bytes[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }

  add(index: number): void {
    if (this.has(index)) return
    this.#reserve((index >> 3) + 1)
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) | (1 << (index & 7))
    this.#count += 1
  }

  delete(index: number): void {
    if (!this.has(index)) return
    this.#bytes[index >> 3] = (this.#bytes[index >> 3] ?? 0) & ~(1 << (index & 7))
    this.#count -= 1
  }

  /** Bytes up to the last that is not zero. */
  toBytes(): Uint8Array {
    let length = this.#bytes.length
    while (length > 0 && this.#bytes[length - 1] === 0) length -= 1
    return this.#bytes.slice(0, length)
  }

  /** The members `at × 8` to `at × 8 + 7`, lowest first. */
  byteAt(at: number): number {
    return this.#bytes[at] ?? 0
  }

  /** Adds the members of a byte. */
  mergeAt(at: number, byte: number): void {
    if (byte === 0) return
    this.#reserve(at + 1)
    this.#merge(at, byte)
  }

  /**
   * A member of both, from a random place on; with no `other` any member.
   * @param random in [0, 1)
   * @param worse members taken only where none without it is near
   */
  pick(other: Bitmap | undefined, random: number, worse?: Bitmap): number | undefined {
    const length = this.#bytes.length
    const from = Math.floor(random * length * 8)
    let found: number | undefined
    for (let step = 0, left = MAX_BETTER; step <= length && left > 0; step += 1) {
      const at = ((from >> 3) + step) % Math.max(length, 1)
      let common = (this.#bytes[at] ?? 0) & (other === undefined ? 255 : other.byteAt(at))
      // The byte begun in the middle is looked at twice: its upper bits first, the others last.
      if (step === 0) common &= 255 << (from & 7)
      const better = worse === undefined ? common : common & ~worse.byteAt(at)
      if (better !== 0) return at * 8 + lowest(better)
      if (common !== 0) found ??= at * 8 + lowest(common)
      if (found !== undefined) left -= 1
    }
    return found
  }

  #merge(at: number, byte: number): void {
    const before = this.#bytes[at] ?? 0
    this.#bytes[at] = before | byte
    this.#count += ones(before | byte) - ones(before)
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(length, Math.min(this.#bytes.length * 2, MAX_AHEAD), 8))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

/** `count` members from `first` on, as the bytes that they set. */
export function eachByte(first: number, count: number, set: (at: number, byte: number) => void): void {
  const end = first + count
  for (let at = first; at < end; ) {
    const upTo = Math.min(end, (at | 7) + 1)
    set(at >> 3, ((1 << (upTo - at)) - 1) << (at & 7))
    at = upTo
  }
}

const lowest = (byte: number): number => 31 - Math.clz32(byte & -byte)

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}
