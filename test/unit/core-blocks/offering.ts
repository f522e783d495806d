/** A node that offers what it fetches to its neighbours, and what it says to them. */
import { expect } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { FetchJob } from '../../../src/core/fetch/job.ts'
import { Offers } from '../../../src/core/fetch/offers.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import { Bench, hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'

export const RELEASE = hex('e') as string as ReleaseId
export const CHANNEL = 'a/b' as Channel
/** Longer than anything that an offer waits for. */
export const LONG_MS = 60_000

/** A neighbour, and what it is told: places, or that all is here. */
const said = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => {
    if (effect.kind === 'count') return []
    if (effect.kind !== 'request' || effect.request.message.type !== 'holds') return [effect.kind]
    const { whole, ranges } = effect.request.message
    return [`${effect.peer} ${whole ? 'whole' : ranges}`]
  })

/** A node with twelve neighbours that fetches a release of one page and so many blocks less one, of so many bytes. */
export function fetching(places: number, neighbours = 12, { bytes = 1_000_000 } = {}) {
  const bench = new Bench()
  bench.journey.region = 'here'
  const sources = new Sources(LIMITS)
  const offers = new Offers(bench.config, sources)
  for (let at = 0; at < neighbours; at += 1) link(bench.journey, `n${at}`)
  let left = places
  const job = {
    release: { id: RELEASE, header: { bytes } },
    channel: CHANNEL,
    digests: Array.from({ length: places }),
    get isComplete() {
      return left === 0
    },
  } as unknown as FetchJob
  return {
    bench,
    sources,
    offers,
    block: (place: number) => {
      left -= 1
      expect(bench.run((step) => offers.onBlock(step, job, place))).toEqual([])
    },
    asks: (name: string, release = RELEASE) =>
      void bench.run((step) => offers.onAsked(step, release, peer(name), false)),
    stop: () => offers.stop(RELEASE),
    whole: () => bench.run((step) => offers.onWhole(step, RELEASE, CHANNEL, places <= LIMITS.fewBlocks)),
    tick: (ms: number): string[] => {
      bench.pass(ms)
      return said(bench.run((step, journey) => offers.onTick(step, journey)))
    },
  }
}

export const peersOf = (lines: readonly string[]) => lines.map((line) => line.split(' ')[0]).sort()
