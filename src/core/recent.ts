import { LatestMap } from './latest.ts'

/** Keys seen within a span of time, the newest `max` of them: whoever adds strangers to it does not fill the memory. */
export class Recent<K> {
  readonly #spanMs: number
  /** When each ends; in the order in which they were seen, hence in which they end. */
  readonly #untilMonoMs: LatestMap<K, number>

  constructor(max: number, spanMs: number) {
    this.#untilMonoMs = new LatestMap(max)
    this.#spanMs = spanMs
  }

  get size(): number {
    return this.#untilMonoMs.size
  }

  add(key: K, monoMs: number): void {
    this.#untilMonoMs.set(key, monoMs + this.#spanMs)
    for (const [other, untilMonoMs] of this.#untilMonoMs) {
      if (untilMonoMs > monoMs) return
      this.#untilMonoMs.delete(other)
    }
  }

  has(key: K, monoMs: number): boolean {
    return (this.#untilMonoMs.get(key) ?? 0) > monoMs
  }
}
