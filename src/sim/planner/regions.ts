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
const SHORT: Readonly<Record<string, string>> = {
  us: 'us-east-1',
  eu: 'eu-west-1',
  ap: 'ap-northeast-1',
  sa: 'sa-east-1',
}

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

/** Of a published region its full name, by itself or its short form; undefined where it is none. */
export function publishedName(name: string): string | undefined {
  const full = SHORT[name] ?? name
  return (PUBLISHED as readonly string[]).includes(full) ? full : undefined
}

export const knownRegions = (): readonly string[] => [...Object.keys(SHORT), ...PUBLISHED]

/**
 * Own regions beside published ones: what is not published is the way over home.
 * @param toHomeMs by region, for those that are not published; the first is home
 */
export function mixedRegions(names: readonly string[], toHomeMs: ReadonlyMap<string, number>): Regions {
  const published = publishedRegions(names)
  const isPublished = (name: string): boolean => !toHomeMs.has(name) && publishedName(name) !== undefined
  const toHome = (at: number): number =>
    at === 0 ? 0 : (toHomeMs.get(names[at] as string) ?? published.rttMs[at]?.[0] ?? 0)
  const rttMs = names.map((a, from) =>
    names.map((b, to) => {
      if (from === to) return 0
      if (isPublished(a) && isPublished(b)) return published.rttMs[from]?.[to] ?? 0
      return toHome(from) + toHome(to)
    }),
  )
  const source = names.every(isPublished)
    ? published.source
    : `as given to ${names[0]}, and over it to the others; between known ones ${published.source}`
  return { names, rttMs, source }
}
