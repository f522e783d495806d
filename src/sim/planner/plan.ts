/** The planner's answer: several releases through the same fleet, put together. */
import type { Question } from './question.ts'
import { isSmall } from './run-one.ts'
import { quantileOf, type RunResult } from './run-result.ts'
import { runSideBySide } from './side-by-side.ts'

/** Over the releases that were simulated. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Plan {
  readonly model: 'core' | 'abstract'
  readonly transport: 'gossip' | 'blocks'
  readonly nodes: number
  readonly regions: readonly string[]
  readonly bytes: number
  /** Of simulated blocks, where blocks are pulled. */
  readonly blockBytes: number | null
  readonly releases: number
  readonly seed: number
  /** From the origin's acceptance until so many of the nodes that got it had it, checked. */
  readonly timeMs: { readonly p50: Spread; readonly p99: Spread; readonly all: Spread }
  /** The 99th percentile of time over the node's own line time; null for gossip. */
  readonly ofLineTime: Spread | null
  /** Nodes that got it, of each release: those that `timeMs` is of. Some may have died since. */
  readonly reached: Spread
  /** Living nodes without it at the end, all releases together. */
  readonly unfinished: number
  /** Releases that living nodes were left without, how many in the worst of them, and of how many for want of simulated time. */
  readonly incomplete: { readonly releases: number; readonly mostNodes: number; readonly outOfTime: number }
  readonly payloadBytes: number
  readonly originBytes: Spread
  /** Into each region but the first. */
  readonly borders: readonly { readonly region: string; readonly bytes: Spread }[]
  /** Out of the first region into all others. */
  readonly leftHomeBytes: Spread
  readonly receivedBytesPerNode: Spread
  readonly duplicateShare: Spread
  readonly controlBytesPerNode: Spread
  /**
   * Of the first release: share of the nodes that have it, by time, in steps of a hundredth of those that get it. Nodes that
   * died without it do not count, those that died with it do.
   */
  readonly curve: readonly { readonly ms: number; readonly share: number }[]
  readonly events: number
  /** Rolling hash of each release's events: the same question gives the same. */
  readonly hashes: readonly string[]
}

/** @param releases simulated with the seeds `question.seed`, + 1, … */
export async function plan(
  question: Question,
  releases: number,
  onProgress: (done: number) => void,
): Promise<Plan> {
  const questions = Array.from({ length: releases }, (_, n) => ({ ...question, seed: question.seed + n }))
  return summed(question, await runSideBySide(questions, onProgress))
}

export function summed(question: Question, results: readonly RunResult[]): Plan {
  const over = (value: (result: RunResult) => number): Spread => spreadOf(results.map(value))
  const time = (q: number): Spread => over(({ timesMs }) => quantileOf(timesMs, q))
  const small = isSmall(question.bytes)
  const payload = results[0]?.payloadBytes ?? 0
  return {
    model: results[0]?.model ?? 'abstract',
    transport: small ? 'gossip' : 'blocks',
    nodes: question.nodes,
    regions: question.regions.names,
    bytes: question.bytes,
    blockBytes: results[0]?.blockBytes ?? null,
    releases: results.length,
    seed: question.seed,
    timeMs: { p50: time(0.5), p99: time(0.99), all: time(1) },
    ofLineTime: small
      ? null
      : over(({ ofLine }) => (ofLine === undefined ? Number.NaN : quantileOf(ofLine, 0.99))),
    reached: over(({ timesMs }) => timesMs.length),
    unfinished: results.reduce((sum, { unfinished }) => sum + unfinished, 0),
    incomplete: {
      releases: results.filter(({ unfinished }) => unfinished > 0).length,
      mostNodes: Math.max(0, ...results.map(({ unfinished }) => unfinished)),
      outOfTime: results.filter(({ unfinished, outOfTime }) => unfinished > 0 && outOfTime === true).length,
    },
    payloadBytes: payload,
    originBytes: over(({ originBytes }) => originBytes),
    borders: question.regions.names.slice(1).map((region, at) => ({
      region,
      bytes: over(({ enteredBytes }) => enteredBytes[at] ?? 0),
    })),
    leftHomeBytes: over(({ leftHomeBytes }) => leftHomeBytes),
    receivedBytesPerNode: over(({ receivedBytesPerNode }) => receivedBytesPerNode),
    duplicateShare: over(({ receivedBytesPerNode }) => receivedBytesPerNode / payload - 1),
    controlBytesPerNode: over(({ controlBytesPerNode }) => controlBytesPerNode),
    curve: results[0] === undefined ? [] : curveOf(results[0]),
    events: results.reduce((sum, { events }) => sum + events, 0),
    hashes: results.map(({ hash }) => hash),
  }
}

/** The median of an even number is the lower of the middle two: a figure that was seen. */
function spreadOf(values: readonly number[]): Spread {
  const ascending = Float64Array.from(values).sort()
  return {
    median: quantileOf(ascending, 0.5),
    min: ascending[0] ?? Number.NaN,
    max: ascending.at(-1) ?? Number.NaN,
  }
}

function curveOf({ timesMs, unfinished }: RunResult): { ms: number; share: number }[] {
  if (timesMs.length === 0) return []
  const steps = Math.min(100, timesMs.length)
  const got = timesMs.length / (timesMs.length + unfinished)
  return Array.from({ length: steps }, (_, n) => {
    const share = (n + 1) / steps
    return { ms: quantileOf(timesMs, share), share: share * got }
  })
}
