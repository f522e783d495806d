/** What of a release is not here, by its places: a bit each, of a million blocks. */
import type { Digest } from '../../model/ids.ts'
import { Bitmap } from '../bitmap.ts'

export class Missing {
  readonly #places: ReadonlyMap<Digest, number>
  readonly #bits = new Bitmap()

  constructor(places: ReadonlyMap<Digest, number>) {
    this.#places = places
  }

  get size(): number {
    return this.#bits.count
  }

  has(digest: Digest): boolean {
    const place = this.#places.get(digest)
    return place !== undefined && this.#bits.has(place)
  }

  /** @returns whether it had a place, and was here */
  add(digest: Digest): boolean {
    const place = this.#places.get(digest)
    if (place === undefined || this.#bits.has(place)) return false
    this.#bits.add(place)
    return true
  }

  /** @returns whether it was missing */
  delete(digest: Digest): boolean {
    const place = this.#places.get(digest)
    if (place === undefined || !this.#bits.has(place)) return false
    this.#bits.delete(place)
    return true
  }
}
