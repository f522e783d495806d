/**
 * What crosses the borders of three regions of real processes: of each release, of releases while a gateway is killed,
 * and of nothing at all.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../src/cli/publish-session.ts'
import { RealFleet } from '../test/e2e/real-fleet.ts'
import type { Border } from './border.ts'
import { idleRates, type OverBorders, overBorders, type Round, type Stretch, since } from './crossings.ts'
import { Arrivals } from './crowd-of-nodes.ts'
import { BORDER_MS, type StartedFleet, start } from './regional-fleet.ts'
import { publishSmall } from './release-stream.ts'
import type { Measured, Row } from './results.ts'
import { type Spread, spread } from './spread.ts'

const KIB = 1024
const MIB = KIB * KIB
const REGIONS = 3
const DEADLINE_MS = 120_000
/** Unmeasured: a process that has just started compiles what a release runs while it runs. */
const WARM_UP_BYTES = [64 * KIB, MIB] as const
/** Links and gossip's mesh take a few heartbeats to stand. */
const LINKS_MS = 15_000
/** Before each release: what the one before left to say has been said. */
const SETTLE_MS = 2_000
const IDLE_MS = 3_000
/** After the last node runs a release: what is on its way still counts. */
const AFTER_MS = 500

interface Extent {
  /** Beside the one seed. */
  readonly nodes: number
  readonly releases: readonly { readonly bytes: number; readonly count: number }[]
}

const WHOLE: Extent = {
  nodes: 29,
  releases: [
    { bytes: 64 * KIB, count: 5 },
    { bytes: MIB, count: 5 },
    { bytes: 8 * MIB, count: 3 },
  ],
}
const QUICK: Extent = {
  nodes: 8,
  releases: [
    { bytes: 64 * KIB, count: 2 },
    { bytes: MIB, count: 2 },
  ],
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
}

/** A fleet that stands. */
interface Standing extends StartedFleet {
  readonly fleet: RealFleet
  readonly border: Border
  readonly arrivals: Arrivals
  number: number
}

async function stand(fleet: RealFleet, nodes: number): Promise<Standing> {
  const started = await start(fleet, { nodes, regions: REGIONS })
  const { border } = started
  if (border === undefined) throw new Error('no borders')
  const arrivals = new Arrivals()
  for (const { process } of started.nodes) arrivals.listen(process)
  return { ...started, fleet, border, arrivals, number: 0 }
}

async function release(on: Standing, bytes: number): Promise<{ id: string; signedMs: number }> {
  let published: { id: string; signedMs: number } | undefined
  on.number += 1
  await withSession({ key: [on.init.publisherKey], seed: [on.init.seedAddress] }, async (session) => {
    const { release: id, signedMs } = await publishSmall(on.fleet, session, on.number, randomBytes(bytes))
    published = { id, signedMs }
  })
  if (published === undefined) throw new Error('nothing was published')
  return published
}

/** What crossed while that was done. */
async function crossedBy(border: Border, work: () => Promise<unknown>): Promise<Stretch> {
  const before = border.crossings()
  const fromMs = performance.now()
  await work()
  return { crossed: since(before, border.crossings()), tookMs: performance.now() - fromMs }
}

async function sizeFigures(on: Standing, bytes: number, count: number): Promise<SizeFigures> {
  const rounds: Round[] = []
  const times: number[] = []
  for (let i = 0; i < count; i += 1) {
    await delay(SETTLE_MS)
    const idle = await crossedBy(on.border, () => delay(IDLE_MS))
    const one = await crossedBy(on.border, async () => {
      const { id, signedMs } = await release(on, bytes)
      const at = await on.arrivals.of(id, on.nodes.length, DEADLINE_MS)
      times.push(...at.map((ms) => ms - signedMs))
      await delay(AFTER_MS)
    })
    rounds.push({ idle, release: one })
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
    const figures = { nodes: extent.nodes, sizes }
    for (const { bytes, count } of extent.releases) {
      sizes.push(await sizeFigures(on, bytes, count))
      onFigures(figures)
    }
    return figures
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
    'goals: one payload into a region at the median, two at worst',
  ],
  rows: figures.sizes.flatMap((size) => sizeRows(figures, size)),
  figures,
})
