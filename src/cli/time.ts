/** Documents hold RFC 3339 without fractions. */
export const wholeSecond = (ms: number): number => Math.floor(ms / 1_000) * 1_000

/** Two years on, to the second: how long a root and a pool are valid. */
export function twoYearsFrom(ms: number): number {
  const date = new Date(wholeSecond(ms))
  return date.setUTCFullYear(date.getUTCFullYear() + 2)
}

/** Of a day, or of a time in it; NaN where there is no such day: `Date.parse` takes the 31st of February for the 3rd of March. */
export function realTime(text: string): number {
  const ms = Date.parse(text)
  const day = text.slice(0, 10)
  const isReal = !Number.isNaN(ms) && timeOf(Date.parse(day)).startsWith(day) && text.slice(11, 13) !== '24'
  return isReal ? ms : Number.NaN
}

/** For people and for `--json`. */
export const timeOf = (ms: number): string => new Date(ms).toISOString()
