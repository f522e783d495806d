/** Figures with their spread: a lone mean hides what a fleet feels. */

export interface Spread {
  readonly n: number
  readonly min: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** @param q 0 … 1; nearest rank, so that every figure was really measured */
export function quantile(ascending: readonly number[], q: number): number {
  return ascending[Math.max(0, Math.ceil(q * ascending.length) - 1)] ?? Number.NaN
}

/** @param digits after the point */
export function spread(values: readonly number[], digits = 0): Spread {
  const ascending = values.toSorted((a, b) => a - b)
  const rounded = (value: number): number => Number(value.toFixed(digits))
  const at = (q: number): number => rounded(quantile(ascending, q))
  // Of an even number the greater of the two in the middle: of two rounds it must not be the better one.
  const p50 = rounded(ascending[Math.floor(ascending.length / 2)] ?? Number.NaN)
  return { n: values.length, min: at(0), p50, p99: at(0.99), max: at(1) }
}

/** "p50 / p99 / max" for the table of results. */
export const line = ({ p50, p99, max }: Spread): string => `${p50} / ${p99} / ${max}`
