/** Reads what a planner typed: sizes, links, regions, failures. Strict: one line says what is wrong. */
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  type Failures,
  type LinkClass,
  LOSS,
  lineMs,
  MIXED_LINKS,
  type Question,
} from '../sim/planner/question.ts'
import { knownRegions, mixedRegions, publishedName, type Regions } from '../sim/planner/regions.ts'
import { isSmall, MAX_LARGE_NODES } from '../sim/planner/run-one.ts'
import { MAX_SMALL_BYTES } from '../sim/planner/small.ts'
import { wholeNumber } from './arguments.ts'

export interface SimulateOptions {
  readonly nodes: string
  readonly regions: string
  readonly size: string
  readonly churn: string
  readonly fail?: readonly string[]
  readonly link: string
  readonly border?: string
  readonly store?: string
  readonly gateways: string
  readonly seed: string
  readonly releases: string
  readonly plot?: string
}

const MAX_NODES = 1_000_000
const MAX_REGIONS = 16
const MAX_RTT_MS = 2_000
/** Of the slowest link alone; nearly a fifth of what the queue of events holds, for nodes share their links and lose time. */
const MAX_LINE_HOURS = 6
/** A disk that takes less holds no store. */
const MIN_STORE_BYTES = 1_000_000

export function questionOf(options: SimulateOptions): Question {
  const regions = regionsOf(options.regions)
  const nodes = wholeNumber('--nodes', options.nodes, 1, MAX_NODES)
  if (nodes < regions.names.length)
    throw usage('--nodes', `${nodes} in ${regions.names.length} regions: one for each at least`)
  const bytes = sizeOf('--size', options.size)
  if (!isSmall(bytes) && nodes > MAX_LARGE_NODES)
    throw usage(
      '--nodes',
      `a release in blocks is simulated for at most ${MAX_LARGE_NODES} nodes; one of up to ${MAX_SMALL_BYTES} bytes is a single message, for up to ${MAX_NODES}`,
    )
  const storeBytesPerSecond = options.store === undefined ? undefined : storeOf(options.store)
  const links = linksOf(options.link)
  const borderBitsPerSecond =
    options.border === undefined ? BORDER_BITS_PER_SECOND : rateOf('--border', options.border)
  const asked = { bytes, links, borderBitsPerSecond, regions }
  const store = storeBytesPerSecond === undefined ? {} : { storeBytesPerSecond }
  const hoursOf = (what: Parameters<typeof lineMs>[0]): number => lineMs(what) / 3_600_000
  const [hours, unpaced] = [hoursOf({ ...asked, ...store }), hoursOf(asked)]
  if (hours > MAX_LINE_HOURS) {
    const most = `at most ${MAX_LINE_HOURS} are simulated`
    throw unpaced > MAX_LINE_HOURS
      ? usage(
          '--size',
          `${options.size} takes ${unpaced.toFixed(1)} hours on the slowest link or border alone; ${most}`,
        )
      : usage(
          '--store',
          `${options.size} takes ${hours.toFixed(1)} hours at a quarter of ${options.store} a second, as nodes ask for it; ${most}`,
        )
  }
  return {
    ...{ nodes, ...asked, ...store },
    gateways: oneOf('--gateways', options.gateways, ['any', 'fastest'] as const),
    failures: failuresOf(options),
    loss: LOSS,
    seed: wholeNumber('--seed', options.seed, 1, 2 ** 31 - 1),
  }
}

function failuresOf({ churn, fail }: SimulateOptions): Failures {
  const kinds = (fail ?? []).map((kind) => oneOf('--fail', kind, ['gateway', 'origin', 'seed'] as const))
  const percent = /^\d{1,2}(\.\d)?%?$/.test(churn) ? Number.parseFloat(churn) : Number.NaN
  if (!(percent <= 90))
    throw usage('--churn', `"${churn}" is no percentage from 0 to 90, such as 10, with one decimal at most`)
  return {
    churn: percent / 100,
    gateway: kinds.includes('gateway'),
    wrongRank: 0,
    // The origin is the seed at which the release was injected.
    ...(kinds.includes('origin') || kinds.includes('seed') ? { originAfterPayloads: 1.2 } : {}),
  }
}

/** `eu,us,ap`, full names, or own ones as `name=ms` to the first, which is home. */
export function regionsOf(text: string): Regions {
  const toHomeMs = new Map<string, number>()
  const names = text.split(/, ?/).map((part, at) => {
    const [, name = '', ms] = /^([a-z][a-z0-9-]{0,31})(?:=(\d{1,4}(?:\.\d{1,2})?))?$/.exec(part) ?? []
    if (name === '') throw usage('--regions', `"${part}" is no region; name one, or name=milliseconds`)
    const known = publishedName(name)
    if (ms === undefined) {
      if (known === undefined && at > 0)
        throw usage(
          '--regions',
          `"${name}" is not known (${knownRegions().join(', ')}); add its round trip, ${name}=80`,
        )
      return known ?? name
    }
    if (Number(ms) > MAX_RTT_MS) throw usage('--regions', `${part}: at most ${MAX_RTT_MS} ms`)
    if (at === 0 && Number(ms) !== 0)
      throw usage(
        '--regions',
        `${part}: the first is home, which has no round trip to itself; ${name} or ${name}=0`,
      )
    if (at === 0 && known !== undefined) return known
    toHomeMs.set(name, Number(ms))
    return name
  })
  if (names.length > MAX_REGIONS) throw usage('--regions', `at most ${MAX_REGIONS} regions`)
  if (new Set(names).size < names.length) throw usage('--regions', 'a region stands there twice')
  const home = names[0] as string
  const homeIsKnown = publishedName(home) !== undefined && !toHomeMs.has(home)
  const far = names.slice(1).find((name) => !toHomeMs.has(name))
  if (!homeIsKnown && far !== undefined)
    throw usage(
      '--regions',
      `"${home}" is not known (${knownRegions().join(', ')}); from an own home add each round trip, ${far}=80`,
    )
  return mixedRegions(names, toHomeMs)
}

/** `100MiB`, `4KiB`, `2GB`, `5000`: bytes. */
export function sizeOf(name: string, text: string): number {
  const [, digits, unit = 'B'] = /^(\d{1,12}(?:\.\d{1,3})?)(B|KiB|MiB|GiB|kB|KB|MB|GB)?$/.exec(text) ?? []
  const bytes = Math.round(Number(digits) * (SIZES[unit] ?? Number.NaN))
  if (bytes >= 1 && bytes <= LIMITS.maxReleaseBytes) return bytes
  throw usage(
    name,
    `"${text}" is no size from 1 to 64GiB, such as 4KiB or 100MiB (${Object.keys(SIZES).join(', ')})`,
  )
}

const SIZES: Readonly<Record<string, number>> = {
  ...{ B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  ...{ kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 },
}

/** `1Gbit`, `50Mbit`: bits a second. */
export function rateOf(name: string, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)(kbit|Mbit|Gbit)$/.exec(text) ?? []
  const rate = Number(digits) * (RATES[unit] ?? Number.NaN)
  if (rate >= 1e6 && rate <= 1e12) return rate
  throw usage(
    name,
    `"${text}" is no rate from 1Mbit to 1000Gbit, such as 1Gbit (${Object.keys(RATES).join(', ')}, a second)`,
  )
}

const RATES: Readonly<Record<string, number>> = { kbit: 1e3, Mbit: 1e6, Gbit: 1e9 }

function linksOf(text: string): readonly LinkClass[] {
  if (text === '1Gbit') return EQUAL_LINKS
  if (text === 'mix') return MIXED_LINKS
  const parts = text.split('/')
  const [up = '', down = up] = parts
  if (parts.length > 2)
    throw usage('--link', `"${text}" is no link: 1Gbit, mix, or UP/DOWN such as 50Mbit/200Mbit`)
  return [{ share: 1, upBitsPerSecond: rateOf('--link', up), downBitsPerSecond: rateOf('--link', down) }]
}

/** What a store takes in a second. */
function storeOf(text: string): number {
  const bytes = sizeOf('--store', text)
  if (bytes >= MIN_STORE_BYTES) return bytes
  throw usage('--store', `"${text}" a second is less than ${MIN_STORE_BYTES} bytes`)
}

function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text)
  if (found !== undefined) return found
  throw usage(name, `"${text}" is none of ${choices.join(', ')}`)
}

const usage = (name: string, text: string): MeshError =>
  new MeshError('USAGE', `${name}: ${text}`, { argument: name })
