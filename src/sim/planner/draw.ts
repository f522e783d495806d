/**
 * Random numbers without a state: f(seed, who, purpose, n). Adding a node or a draw shifts no other stream, so that two
 * runs differ only in what was changed. Mixing as in MurmurHash3 (Austin Appleby, public domain).
 */

/** What a draw is for: each purpose is a stream of its own. */
export const PURPOSE = {
  zone: 1,
  link: 2,
  order: 3,
  gateway: 4,
  entry: 5,
  latency: 6,
  processing: 7,
  loss: 8,
  rank: 9,
  lazy: 10,
  death: 11,
  choose: 12,
  busy: 13,
  tree: 14,
  boot: 15,
  core: 16,
} as const

/** @returns a whole number from 0 to 2³² − 1 */
export function draw(seed: number, who: number, purpose: number, n: number): number {
  let h = seed | 0
  h = mix(h, who)
  h = mix(h, purpose)
  h = mix(h, n)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function mix(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  const h = hash ^ k
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

/** A drawn number, brought to 0 … n − 1. */
export const below = (drawn: number, n: number): number => Math.floor((drawn * n) / 0x1_0000_0000)

/** True in `share` of 2³² cases. */
export const happens = (drawn: number, share: number): boolean => drawn < share * 0x1_0000_0000

/**
 * Quantiles of Exp(1) in 1/1024, by the upper 12 bits of a draw. The logarithm is a series of plain arithmetic: unlike
 * Math.log it gives the same bits on every engine.
 */
const EXPONENTIAL = Int32Array.from({ length: 4_096 }, (_, at) =>
  Math.round(-naturalLog((at + 0.5) / 4_096) * 1_024),
)

/** A drawn number as a waiting time with this mean: whole, at most nine times the mean. */
export const exponential = (drawn: number, mean: number): number =>
  Math.floor((mean * (EXPONENTIAL[drawn >>> 20] as number)) / 1_024)

/** ln x = e·ln 2 + 2·artanh((m − 1)/(m + 1)), x = m·2ᵉ with m in [½, 1). */
function naturalLog(x: number): number {
  let m = x
  let e = 0
  while (m < 0.5) {
    m *= 2
    e--
  }
  const z = (m - 1) / (m + 1)
  let term = z
  let sum = 0
  for (let n = 1; n < 60; n += 2) {
    sum += term / n
    term *= z * z
  }
  return e * Math.LN2 + 2 * sum
}
