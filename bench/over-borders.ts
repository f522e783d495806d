/**
 * What crosses the borders of three regions of real processes: of each release, of releases while a gateway is killed,
 * and of nothing at all.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RealFleet } from '../test/e2e/real-fleet.ts'
import type { Border } from './border.ts'
import { idleRates, type OverBorders, overBorders, type Round } from './crossings.ts'
import { type Kills, killRows, killsIn } from './gateway-kills.ts'
import { type Idle, idleAt, idleRow } from './idle-talk.ts'
import { BORDER_MS } from './regional-fleet.ts'
import type { Measured, Row } from './results.ts'
import { type Spread, spread } from './spread.ts'
import {
  AFTER_MS,
  DEADLINE_MS,
  IDLE_MS,
  idleBefore,
  REGIONS,
  release,
  releaseTo,
  type Standing,
  stand,
} from './standing-regions.ts'

const KIB = 1024
const MIB = KIB * KIB
/** Unmeasured: a process that has just started compiles what a release runs while it runs. */
const WARM_UP_BYTES = [64 * KIB, MIB] as const
/** Links and gossip's mesh take a few heartbeats to stand. */
const LINKS_MS = 15_000

interface Extent {
  /** Beside the one seed. */
  readonly nodes: number
  /** The smallest last: idle talk weighs most beside it, and a fleet grows calmer by the minute. */
  readonly releases: readonly { readonly bytes: number; readonly count: number }[]
  readonly kills: { readonly bytes: number; readonly count: number }
  /** Idle talk is heard at these ages, or as soon after as the releases leave it time, and for so long. */
  readonly idle: { readonly youngS: number; readonly oldS: number; readonly seconds: number }
}

const WHOLE: Extent = {
  nodes: 29,
  releases: [
    { bytes: 8 * MIB, count: 3 },
    { bytes: MIB, count: 5 },
    { bytes: 64 * KIB, count: 5 },
  ],
  kills: { bytes: 8 * MIB, count: 4 },
  idle: { youngS: 60, oldS: 240, seconds: 15 },
}
const QUICK: Extent = {
  nodes: 8,
  releases: [
    { bytes: MIB, count: 1 },
    { bytes: 64 * KIB, count: 1 },
  ],
  kills: { bytes: 8 * MIB, count: 1 },
  idle: { youngS: 20, oldS: 30, seconds: 4 },
}

/** Of one size of release. */
interface SizeFigures extends OverBorders {
  readonly bytes: number
  readonly releases: number
  /** Over all borders together. */
  readonly idleBytesPerSecond: number
  readonly fromSigningMs: Spread
}

interface Figures {
  readonly nodes: number
  readonly sizes: readonly SizeFigures[]
  readonly idle: readonly Idle[]
  readonly kills: Kills | undefined
}

async function sizeFigures(on: Standing, bytes: number, count: number): Promise<SizeFigures> {
  const rounds: Round[] = []
  const times: number[] = []
  for (let i = 0; i < count; i += 1) {
    const idle = await idleBefore(on)
    const { stretch, activeMs } = await releaseTo(on, bytes, on.nodes.length)
    times.push(...activeMs)
    rounds.push({ idle, release: stretch })
  }
  const rates = idleRates(rounds.map(({ idle }) => idle))
  return {
    ...{ bytes, releases: count, ...overBorders(rounds, bytes) },
    idleBytesPerSecond: Math.round([...rates.values()].reduce((sum, rate) => sum + rate, 0)),
    fromSigningMs: spread(times),
  }
}

async function run(extent: Extent, onFigures: (so: Figures) => void): Promise<Figures> {
  const fleet = new RealFleet()
  let border: Border | undefined
  try {
    const on = await stand(fleet, extent.nodes)
    border = on.border
    await delay(LINKS_MS)
    for (const bytes of WARM_UP_BYTES)
      await on.arrivals.of((await release(on, bytes)).id, on.nodes.length, DEADLINE_MS)
    const sizes: SizeFigures[] = []
    const idle = [await idleAt(on, extent.idle.youngS, extent.idle.seconds)]
    const figures = { nodes: extent.nodes, sizes, idle, kills: undefined }
    for (const { bytes, count } of extent.releases) {
      sizes.push(await sizeFigures(on, bytes, count))
      onFigures(figures)
    }
    idle.push(await idleAt(on, extent.idle.oldS, extent.idle.seconds))
    onFigures(figures)
    const kills = await killsIn(on, extent.kills, (soFar) => onFigures({ ...figures, kills: soFar }))
    return { ...figures, kills }
  } finally {
    border?.end()
    await fleet.end()
  }
}

const sizeText = (bytes: number): string => (bytes < MIB ? `${bytes / KIB} KiB` : `${bytes / MIB} MiB`)

const HOME = 'region-1'

function sizeRows({ nodes }: Figures, f: SizeFigures): readonly Row[] {
  const abroad = Object.entries(f.into).filter(([region]) => region !== HOME)
  const said = (of: 'beyondIdle' | 'withIdle') =>
    abroad.map(([region, payloads]) => `${region} ${payloads[of].p50} (${payloads[of].max})`).join(', ')
  const others = Object.entries(f.borders).filter(([name]) => !name.startsWith(HOME))
  const most = Math.max(...others.map(([, { beyondIdle }]) => beyondIdle.max))
  return [
    {
      what: `1 seed + ${nodes} nodes in ${REGIONS} regions, ${f.releases} × ${sizeText(f.bytes)}: payloads into a region beyond idle talk, median (worst)`,
      figure: said('beyondIdle'),
    },
    { what: 'the same with idle talk', figure: said('withIdle') },
    { what: 'of that over any border that does not begin at home, worst', figure: String(most) },
    { what: 'signed → active, ms (p50 / p99)', figure: `${f.fromSigningMs.p50} / ${f.fromSigningMs.p99}` },
  ]
}

export async function border(options: {
  readonly quick: boolean
  /** Given all there is so far. */
  readonly keep: (soFar: Measured) => void
}): Promise<Measured> {
  const figures = await run(options.quick ? QUICK : WHOLE, (soFar) => options.keep(summed(soFar)))
  return summed(figures)
}

const summed = (figures: Figures): Measured => ({
  about: [
    `real processes, one a node, on one machine over loopback, real libp2p, LevelDB and signatures, in ${REGIONS} regions of equally many; the seed is in ${HOME}, where releases are published, and which is home; a release is one file of random bytes`,
    `simulated are the borders alone: every byte between two regions passes a proxy that counts it and holds it for ${BORDER_MS} ms each way; no loss, no bound on bandwidth; all nodes share the machine’s cores`,
    `bytes are those of the connections (encryption and framing, gossip, sync, heartbeats and pings with them), from just before a release is made until ${AFTER_MS} ms after the last node runs it; beyond idle: less what crosses in the same time at the mean rate of ${IDLE_MS / 1_000} s before each release of that size`,
    `releases of ${WARM_UP_BYTES.map(sizeText).join(' and ')} go before, unmeasured`,
    'killed: SIGKILL for that process in a region abroad which most came to over its border, once a third of the release has come into the region; its host lives, so that its connections close; it is started anew before the next round. Silent deaths are in the tests and in the simulator',
    'goals: one payload into a region at the median, two at worst, two with a gateway killed',
  ],
  rows: [
    ...figures.sizes.flatMap((size) => sizeRows(figures, size)),
    ...(figures.kills === undefined ? [] : killRows(figures.kills)),
    ...figures.idle.map(idleRow),
  ],
  figures,
})
