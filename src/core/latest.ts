/** A map and a set of the latest keys: one more than `max`, and the key that was put longest ago goes. */

/** A key that is put again counts as new. */
export class LatestMap<K, V> extends Map<K, V> {
  readonly #max: number

  constructor(max: number) {
    super()
    this.#max = max
  }

  override set(key: K, value: V): this {
    this.delete(key)
    super.set(key, value)
    dropFirst(this, this.#max)
    return this
  }
}

/** A key that is added again counts as new. */
export class LatestSet<K> extends Set<K> {
  readonly #max: number

  constructor(max: number) {
    super()
    this.#max = max
  }

  override add(key: K): this {
    this.delete(key)
    super.add(key)
    dropFirst(this, this.#max)
    return this
  }
}

function dropFirst<K>(keys: Pick<Set<K>, 'size' | 'keys' | 'delete'>, max: number): void {
  if (keys.size <= max) return
  for (const first of keys.keys()) return void keys.delete(first)
}
