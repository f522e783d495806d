/** 64 bits over everything that happened, in its order: two runs are the same run where it is the same. */
export class RollingHash {
  #low = 0x811c9dc5 | 0
  #high = 0x01000193 | 0

  /** @param values whole numbers below 2³²: tick, node, event, id */
  add(tick: number, node: number, event: number, id: number): void {
    let low = Math.imul(this.#low ^ tick, 0x85ebca6b)
    low = Math.imul(low ^ (low >>> 15) ^ node, 0xc2b2ae35)
    let high = Math.imul(this.#high ^ id, 0x27d4eb2f)
    high = Math.imul(high ^ (high >>> 13) ^ event, 0x165667b1)
    this.#low = (low ^ (high >>> 16)) | 0
    this.#high = (high ^ (low >>> 16)) | 0
  }

  get hex(): string {
    const word = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')
    return word(this.#high) + word(this.#low)
  }
}
