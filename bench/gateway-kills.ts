/** A gateway abroad that is killed while a release crosses its border, and what crosses in all until every living node has it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { RealNode } from '../test/e2e/real-fleet.ts'
import { until } from '../test/e2e/real-fleet.ts'
import { intoRegion, type OverBorders, overBorders, type Round, since } from './crossings.ts'
import { regionName } from './regional-fleet.ts'
import { CHANNEL } from './release-stream.ts'
import type { Row } from './results.ts'
import { DEADLINE_MS, idleBefore, REGIONS, releaseTo, type Standing } from './standing-regions.ts'

/** Of the release, into the region of the one that is killed. */
const KILLED_AT = 1 / 3
const LOOK_MS = 5
/** Of who was started anew, until its links and the gateways of its region stand again. */
const AGAIN_MS = 6_000

interface Killed {
  readonly node: string
  readonly region: string
  /** What had come into its region, and to itself, as it died. */
  readonly intoRegionBytes: number
  readonly toItselfBytes: number
}

interface KillRound extends Killed {
  /** Until the last living node runs it. */
  readonly lastActiveMs: number
  /** By border, what it carries idly with it. */
  readonly payloads: Readonly<Record<string, number>>
}

export interface Kills extends OverBorders {
  readonly bytes: number
  readonly living: number
  readonly rounds: readonly KillRound[]
}

/** @throws Error where too little comes into the region in time */
async function killIn(on: Standing, region: string, bytes: number): Promise<Killed> {
  const { border, places, living } = on
  const portOf = (node: RealNode): number => places.get(node.name)?.port ?? 0
  const its = [...living.values()].filter(({ name }) => places.get(name)?.region === region)
  const before = border.crossings()
  const enteredBefore = new Map(its.map((node) => [node.name, border.entered(portOf(node))]))
  const came = (node: RealNode): number => border.entered(portOf(node)) - (enteredBefore.get(node.name) ?? 0)
  const into = (): number => intoRegion(since(before, border.crossings()), region)
  for (const fromMs = performance.now(); into() < bytes * KILLED_AT; await delay(LOOK_MS))
    if (performance.now() - fromMs > DEADLINE_MS) throw new Error(`nothing comes into ${region}`)
  const [first] = its.sort((a, b) => came(b) - came(a))
  if (first === undefined) throw new Error(`${region} has no nodes`)
  const killed = { node: first.name, region, intoRegionBytes: into(), toItselfBytes: came(first) }
  living.delete(first.name)
  await first.kill('SIGKILL')
  return killed
}

async function again(on: Standing, name: string, release: string): Promise<void> {
  const node = await on.again(name)
  on.living.set(name, node)
  on.arrivals.listen(node.process)
  await until(`${name} runs what it missed`, DEADLINE_MS, async () => {
    return (await node.client.channel(CHANNEL)).active?.release === release
  })
  await delay(AGAIN_MS)
}

/** @param onRound told of all rounds so far */
export async function killsIn(
  on: Standing,
  { bytes, count }: { readonly bytes: number; readonly count: number },
  onRound: (soFar: Kills) => void,
): Promise<Kills> {
  const measured: Round[] = []
  const rounds: KillRound[] = []
  const living = on.nodes.length - 1
  const soFar = (): Kills => ({ bytes, living, rounds: [...rounds], ...overBorders(measured, bytes) })
  for (let round = 0; round < count; round += 1) {
    const idle = await idleBefore(on)
    // Home is the first.
    const killing = killIn(on, regionName(1 + (round % (REGIONS - 1))), bytes)
    const [killed, { stretch, activeMs, id }] = await Promise.all([killing, releaseTo(on, bytes, living)])
    measured.push({ idle, release: stretch })
    const payloads = [...stretch.crossed].map(([name, crossed]): [string, number] => [
      name,
      Number((crossed / bytes).toFixed(3)),
    ])
    rounds.push({
      ...killed,
      lastActiveMs: Math.max(...activeMs),
      payloads: Object.fromEntries(payloads.sort()),
    })
    onRound(soFar())
    if (round < count - 1) await again(on, killed.node, id)
  }
  return soFar()
}

export function killRows(kills: Kills): readonly Row[] {
  const what = `${kills.rounds.length} × ${kills.bytes / 2 ** 20} MiB, a gateway killed in mid-release each time, all ${kills.living} others complete`
  const abroad = Object.entries(kills.into).filter(([region]) => region !== regionName(0))
  const own = kills.rounds.map(({ region, payloads }) =>
    intoRegion(Object.entries(payloads), region).toFixed(2),
  )
  const last = kills.rounds.map(({ lastActiveMs }) => lastActiveMs)
  return [
    {
      what: `${what}: payloads into a region beyond idle talk, median (worst)`,
      figure: abroad
        .map(([region, { beyondIdle }]) => `${region} ${beyondIdle.p50} (${beyondIdle.max})`)
        .join(', '),
    },
    { what: 'into the region of the one killed, each round, with idle talk', figure: own.join(', ') },
    { what: 'signed → active on the last living node, ms, each round', figure: last.join(', ') },
  ]
}
