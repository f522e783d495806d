/** Regions and the round-trip times between them. */

/**
 * Published averages in ms of "Latency Between AWS Global Regions" (2017), as its row gives them; the way back differs
 * by less than 2 ms. Inside a region: the study's figures, docs/simulate.md.
 */
const PUBLISHED = [
  'us-east-1',
  'eu-west-1',
  'ap-northeast-1',
  'us-west-2',
  'ap-southeast-1',
  'sa-east-1',
] as const
const RTT_MS: readonly (readonly number[])[] = [
  [0, 80.55, 145.3, 86.98, 216.7, 119.5],
  [80.55, 0, 212.4, 137, 239, 191.3],
  [145.3, 212.4, 0, 89.1, 73.79, 256.8],
  [86.98, 137, 89.1, 0, 161.4, 182.7],
  [216.7, 239, 73.79, 161.4, 0, 328.1],
  [119.5, 191.3, 256.8, 182.7, 328.1, 0],
]

/** Round trips inside a region. */
export const SAME_ZONE_RTT_MS = 0.5
export const SAME_REGION_RTT_MS = 2
export const ZONES = 3

export interface Regions {
  readonly names: readonly string[]
  /** Round trip in ms between regions, by their places in `names`; 0 on the diagonal. */
  readonly rttMs: readonly (readonly number[])[]
  readonly source: string
}

/** The first is home: the origin is there. @param names published ones */
export function publishedRegions(names: readonly string[]): Regions {
  const places = names.map((name) => (PUBLISHED as readonly string[]).indexOf(name))
  return {
    names,
    rttMs: places.map((a) => places.map((b) => RTT_MS[a]?.[b] ?? 0)),
    source: 'published averages, "Latency Between AWS Global Regions" (2017)',
  }
}

/** From home to each region; between two others the way over home, the worst that can be without knowing better. */
export function starRegions(names: readonly string[], toHomeMs: readonly number[]): Regions {
  return {
    names,
    rttMs: names.map((_, a) => names.map((_, b) => (a === b ? 0 : (toHomeMs[a] ?? 0) + (toHomeMs[b] ?? 0)))),
    source: 'as given; between two regions the way over the first',
  }
}
