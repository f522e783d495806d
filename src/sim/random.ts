/**
 * Random numbers by counter: number n of a stream depends on the seed, the stream's name and n alone. One more
 * draw in one place shifts no other stream, so a failing schedule stays the same while a test is narrowed down.
 */
export type Random = () => number

/** Numbers in [0, 1). */
export function stream(seed: number, ...names: readonly (string | number)[]): Random {
  const key = hashText(`${seed}/${names.join('/')}`)
  let n = 0
  return () => mix((key + Math.imul(++n, 0x9e3779b9)) | 0) / 2 ** 32
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/** Finalizer of MurmurHash3 (32 bits): every input bit reaches every output bit. */
function mix(value: number): number {
  let hash = value ^ (value >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export const between = (random: Random, low: number, high: number): number => low + random() * (high - low)

export const chance = (random: Random, probability: number): boolean => random() < probability

/** @throws RangeError for an empty list */
export function pick<T>(random: Random, list: readonly T[]): T {
  const chosen = list[Math.floor(random() * list.length)]
  if (chosen === undefined) throw new RangeError('nothing to pick from')
  return chosen
}

/** Another list of the same items, in an order of chance (Fisher and Yates). */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const all = [...list]
  for (let at = all.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    ;[all[at], all[other]] = [all[other] as T, all[at] as T]
  }
  return all
}
