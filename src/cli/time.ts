/** Documents hold RFC 3339 without fractions. */
export const wholeSecond = (ms: number): number => Math.floor(ms / 1_000) * 1_000

/** Two years on, to the second: how long a root and a pool are valid. */
export function twoYearsFrom(ms: number): number {
  const date = new Date(wholeSecond(ms))
  return date.setUTCFullYear(date.getUTCFullYear() + 2)
}

/** For people and for `--json`. */
export const timeOf = (ms: number): string => new Date(ms).toISOString()
