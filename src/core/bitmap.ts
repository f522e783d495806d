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

  /** All of another bitmap's bytes, a byte at a time: peers send these. */
  addBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    for (const [at, byte] of bytes.entries()) this.#merge(at, byte)
  }

  /** `count` members from `first` on, a byte at a time. */
  addRange(first: number, count: number): void {
    const end = first + count
    this.#reserve((end + 7) >> 3)
    for (let at = first; at < end; ) {
      const upTo = Math.min(end, (at | 7) + 1)
      this.#merge(at >> 3, ((1 << (upTo - at)) - 1) << (at & 7))
      at = upTo
    }
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

  /** A member of both, from a random place on; with no `other` any member. @param random in [0, 1) */
  pick(other: Bitmap | undefined, random: number): number | undefined {
    const length = this.#bytes.length
    const from = Math.floor(random * length * 8)
    for (let step = 0; step <= length; step += 1) {
      const at = ((from >> 3) + step) % Math.max(length, 1)
      let common = (this.#bytes[at] ?? 0) & (other === undefined ? 255 : other.#byte(at))
      // The byte begun in the middle is looked at twice: its upper bits first, the others last.
      if (step === 0) common &= 255 << (from & 7)
      if (common !== 0) return at * 8 + (31 - Math.clz32(common & -common))
    }
    return undefined
  }

  #merge(at: number, byte: number): void {
    const before = this.#bytes[at] ?? 0
    this.#bytes[at] = before | byte
    this.#count += ones(before | byte) - ones(before)
  }

  #byte(at: number): number {
    return this.#bytes[at] ?? 0
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.#bytes.length * 2, 8))
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) count += 1
  return count
}
