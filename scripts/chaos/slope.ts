/** Does a figure grow with time? The line of least squares through its samples, and how its level moved. */

export interface Sample {
  readonly atMs: number
  readonly value: number
}

export interface Slope {
  readonly perHour: number
  /** Medians of the second and of the last quarter: the first is warming up. */
  readonly early: number
  readonly late: number
}

/** @throws RangeError fewer than eight samples */
export function slopeOf(samples: readonly Sample[]): Slope {
  if (samples.length < 8) throw new RangeError(`${samples.length} samples, a slope takes 8`)
  const quarter = Math.floor(samples.length / 4)
  const warm = samples.slice(quarter)
  const mean = (of: (sample: Sample) => number): number =>
    warm.reduce((sum, sample) => sum + of(sample), 0) / warm.length
  const [midMs, midValue] = [mean(({ atMs }) => atMs), mean(({ value }) => value)]
  const spread = mean(({ atMs }) => (atMs - midMs) ** 2)
  const together = mean(({ atMs, value }) => (atMs - midMs) * (value - midValue))
  const median = (part: readonly Sample[]): number =>
    part.map(({ value }) => value).sort((a, b) => a - b)[Math.floor(part.length / 2)] ?? Number.NaN
  return {
    perHour: spread === 0 ? 0 : (together / spread) * 3_600_000,
    early: median(samples.slice(quarter, 2 * quarter)),
    late: median(samples.slice(-quarter)),
  }
}
