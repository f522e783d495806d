/** A fleet in three regions that stands, its releases, and what crosses its borders while that happens. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../src/cli/publish-session.ts'
import type { RealFleet, RealNode } from '../test/e2e/real-fleet.ts'
import type { Border } from './border.ts'
import { type Stretch, since } from './crossings.ts'
import { Arrivals } from './crowd-of-nodes.ts'
import { type StartedFleet, start } from './regional-fleet.ts'
import { publishSmall } from './release-stream.ts'

export const REGIONS = 3
export const DEADLINE_MS = 120_000
/** Before each release: what the one before left to say has been said. */
const SETTLE_MS = 2_000
export const IDLE_MS = 3_000
/** After the last node runs a release: what is on its way still counts. */
export const AFTER_MS = 500

/** A fleet that stands. */
export interface Standing extends StartedFleet {
  readonly fleet: RealFleet
  readonly border: Border
  readonly arrivals: Arrivals
  /** Since the last node was started, by `performance`. */
  readonly fromMs: number
  /** By name; who was killed and started anew is another process. */
  readonly living: Map<string, RealNode>
  /** Of the last release. */
  number: number
}

export async function stand(fleet: RealFleet, nodes: number): Promise<Standing> {
  const started = await start(fleet, { nodes, regions: REGIONS })
  const { border } = started
  if (border === undefined) throw new Error('no borders')
  const arrivals = new Arrivals()
  for (const { process } of started.nodes) arrivals.listen(process)
  const living = new Map(started.nodes.map((node) => [node.name, node]))
  return { ...started, fleet, border, arrivals, fromMs: performance.now(), living, number: 0 }
}

export async function release(on: Standing, bytes: number): Promise<{ id: string; signedMs: number }> {
  let published: { id: string; signedMs: number } | undefined
  on.number += 1
  await withSession({ key: [on.init.publisherKey], seed: [on.init.seedAddress] }, async (session) => {
    const { release: id, signedMs } = await publishSmall(on.fleet, session, on.number, randomBytes(bytes))
    published = { id, signedMs }
  })
  if (published === undefined) throw new Error('nothing was published')
  return published
}

/** From just before it is made until a while after so many nodes run it; the milliseconds each took since it was signed. */
export async function releaseTo(
  on: Standing,
  bytes: number,
  nodes: number,
): Promise<{ stretch: Stretch; activeMs: readonly number[]; id: string }> {
  let made: { activeMs: readonly number[]; id: string } | undefined
  const stretch = await crossedBy(on.border, async () => {
    const { id, signedMs } = await release(on, bytes)
    const at = await on.arrivals.of(id, nodes, DEADLINE_MS)
    made = { id, activeMs: at.map((ms) => ms - signedMs) }
    await delay(AFTER_MS)
  })
  if (made === undefined) throw new Error('nothing was released')
  return { stretch, ...made }
}

/** What it says idly before a release. */
export async function idleBefore({ border }: Standing): Promise<Stretch> {
  await delay(SETTLE_MS)
  return crossedBy(border, () => delay(IDLE_MS))
}

/** What crossed while that was done. */
export async function crossedBy(border: Border, work: () => Promise<unknown>): Promise<Stretch> {
  const before = border.crossings()
  const fromMs = performance.now()
  await work()
  return { crossed: since(before, border.crossings()), tookMs: performance.now() - fromMs }
}
