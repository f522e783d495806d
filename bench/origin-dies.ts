/**
 * A large release whose origin is killed when it has given away enough, a tenth of the nodes with it: how many of the living
 * complete. Each round has a fleet of its own, of real processes, one a node.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { BlockWatch, Held } from '../test/e2e/block-watch.ts'
import { amongThem, DoomedFleet } from '../test/e2e/doomed-fleet.ts'
import { RealFleet } from '../test/e2e/real-fleet.ts'
import { Arrivals } from './crowd-of-nodes.ts'
import { total } from './metrics.ts'
import { type Due, dueBy, PAYLOADS } from './origin-death.ts'
import type { Measured, Row } from './results.ts'
import { line, spread } from './spread.ts'

const MIB = 2 ** 20
const WHOLE = { nodes: 29, rounds: 5, bytes: 8 * MIB }
type Extent = typeof WHOLE
const QUICK: Extent = { nodes: 9, rounds: 1, bytes: 8 * MIB }
/** What the seed says idly, before the release. */
const IDLE_MS = 2_500
const SAMPLE_MS = 50
const DEATH_DEADLINE_MS = 120_000
/** Long enough for a node that waits for what is there: sync and repair come round several times. */
const COMPLETE_DEADLINE_MS = 90_000

export interface Round {
  readonly payloadsAtKill: number
  /** By what it was time. */
  readonly due: Due
  /** Beside the seed. */
  readonly killed: number
  readonly living: number
  readonly completeAtKill: number
  readonly complete: number
  /** From the kill to the last of the living; undefined where some never came to it. */
  readonly lastMs?: number
  /** Pages and blocks of the release. */
  readonly blocks: number
  /** Of these, what all nodes had said by the kill that they have among them, those that were killed included. */
  readonly blocksOutAtKill: number
  /** The same of the living alone. */
  readonly blocksLivingAtKill: number
  /** What none of the living had said even at the deadline: it died with the seed and those killed. */
  readonly blocksLost: number
}

interface Travelling {
  readonly bytes: number
  readonly idle: Sample
  readonly places: number
  readonly held: () => Promise<readonly Held[]>
}

/** Waits until it is time. @throws Error where that does not come */
async function death(seed: string, o: Travelling): Promise<{ due: Due; payloads: number }> {
  const { bytes, idle, places } = o
  const endMs = performance.now() + DEATH_DEADLINE_MS
  for (;;) {
    const { sent, atMs } = await sampleOf(seed)
    const payloads = (sent - idle.sent - idle.perMs * (atMs - idle.atMs)) / bytes
    const due = dueBy({ payloads, held: await o.held(), places })
    if (due !== undefined) return { due, payloads: Number(payloads.toFixed(3)) }
    if (atMs > endMs) throw new Error(`the seed has sent ${payloads} payloads in ${DEATH_DEADLINE_MS} ms`)
    await delay(SAMPLE_MS)
  }
}

interface Sample {
  readonly sent: number
  readonly atMs: number
  readonly perMs: number
}

async function sampleOf(seed: string): Promise<Omit<Sample, 'perMs'>> {
  const sent = await total(seed, 'confmesh_network_sent_bytes_total')
  return { sent, atMs: performance.now() }
}

async function idleOf(seed: string): Promise<Sample> {
  const from = await sampleOf(seed)
  await delay(IDLE_MS)
  const to = await sampleOf(seed)
  return { ...to, perMs: (to.sent - from.sent) / (to.atMs - from.atMs) }
}

async function round({ nodes, bytes }: Extent): Promise<Round> {
  const fleet = new RealFleet()
  let watch: BlockWatch | undefined
  try {
    const doomed = await DoomedFleet.start(fleet, nodes)
    const { seed, living, dying } = doomed
    const arrivals = new Arrivals()
    for (const { process } of living) arrivals.listen(process)
    const watching = await doomed.watch([...living, ...dying])
    watch = watching
    const idle = await idleOf(seed.api)
    const { release, places } = await doomed.publishLarge(bytes)
    const heldBy = (some: typeof living): Promise<Held[]> =>
      Promise.all(some.map((node) => watching.held(node, release)))
    const held = (): Promise<Held[]> => heldBy([...living, ...dying])
    const { due, payloads } = await death(seed.api, { bytes, idle, places, held })
    const atKill = {
      blocksOutAtKill: amongThem(await held(), places),
      blocksLivingAtKill: amongThem(await heldBy(living), places),
      completeAtKill: arrivals.soFar(release).length,
    }
    const killedMs = Date.now()
    await doomed.kill()
    // Those that are left out are what is counted here.
    const at = await arrivals
      .of(release, living.length, COMPLETE_DEADLINE_MS)
      .catch(() => arrivals.soFar(release))
    if (watch.entriesAgain > 0) throw new Error('a watcher was cut off: what its node held then is not known')
    const isWhole = at.length === living.length
    return {
      ...{ payloadsAtKill: payloads, due, killed: dying.length, living: living.length, ...atKill },
      complete: at.length,
      ...(isWhole && { lastMs: Math.max(...at) - killedMs }),
      ...{ blocks: places, blocksLost: isWhole ? 0 : places - amongThem(await heldBy(living), places) },
    }
  } finally {
    await watch?.stop()
    await fleet.end()
  }
}

/** How many rounds ended well, and what became of each of the others. */
export function outcome(rounds: readonly Round[]): string {
  const whole = rounds.filter(({ living, complete }) => complete === living)
  const others = rounds
    .filter((one) => !whole.includes(one))
    .map(({ living, complete, blocksLost, blocks }) =>
      blocksLost > 0
        ? `${complete} of ${living}, ${blocksLost} of ${blocks} blocks died with the seed and those killed`
        : `${complete} of ${living}, though each block was among the living`,
    )
  return [`${whole.length} of ${rounds.length} rounds`, ...others].join('; ')
}

function rowsOf(rounds: readonly Round[]): Row[] {
  const count = (holds: (one: Round) => boolean): string =>
    `${rounds.filter(holds).length} of ${rounds.length} rounds`
  const whole = rounds.flatMap(({ lastMs }) => lastMs ?? [])
  return [
    { what: 'every living node complete', figure: outcome(rounds) },
    {
      what: 'payloads the seed had sent at the kill, beyond idle (p50 / p99 / max)',
      figure: line(
        spread(
          rounds.map(({ payloadsAtKill }) => payloadsAtKill),
          2,
        ),
      ),
    },
    {
      what: `killed at ${PAYLOADS} payloads, not once each block was with two nodes`,
      figure: count(({ due }) => due === 'payloads'),
    },
    {
      what: 'nodes killed beside the seed · of the living, complete at the kill (each round)',
      figure: `${rounds[0]?.killed} · ${rounds.map(({ completeAtKill, living }) => `${completeAtKill} of ${living}`).join(', ')}`,
    },
    {
      what: 'each block was known to be with some node at the kill, those killed included',
      figure: count(({ blocks, blocksOutAtKill }) => blocks === blocksOutAtKill),
    },
    {
      what: 'each block was known to be among the living at the kill',
      figure: count(({ blocks, blocksLivingAtKill }) => blocks === blocksLivingAtKill),
    },
    {
      what: 'kill → the last of the living complete, ms (p50 / p99 / max over rounds that end so)',
      figure: whole.length === 0 ? 'none' : line(spread(whole)),
    },
  ]
}

interface OriginDiesOptions {
  readonly quick: boolean
  readonly keep: (soFar: Measured) => void
}

export async function originDies({ quick, keep }: OriginDiesOptions): Promise<Measured> {
  const extent = quick ? QUICK : WHOLE
  const rounds: Round[] = []
  for (let at = 1; at <= extent.rounds; at += 1) {
    const one = await round(extent)
    rounds.push(one)
    process.stderr.write(`round ${at}: ${JSON.stringify(one)}\n`)
    if (at < extent.rounds) keep(summed(rounds, extent))
  }
  return summed(rounds, extent)
}

const summed = (rounds: readonly Round[], { nodes, bytes }: Extent): Measured => ({
  about: [
    `one seed and ${nodes} nodes, a process each, on one machine over loopback, a new fleet each round; one file of ${bytes / MIB} MiB of random bytes; the seed and a tenth of the nodes are killed (SIGKILL) while it travels`,
    `the time to kill: the seed has sent ${PAYLOADS} payloads, beyond what it says idly; or each block has come to two nodes, living or dying, if that is first, as it may be where no fetcher falls silent and asks the seed for a second copy; the processes share two cores`,
    'who has a block is what the node itself has told a peer beside it, which comes some milliseconds late; a killed process closes its connections, so that its death shows at once',
    `a node is complete once it runs the release; those that do not within ${COMPLETE_DEADLINE_MS / 1_000} s after the kill count as left out`,
  ],
  rows: rowsOf(rounds),
  figures: { nodes, bytes, rounds },
})
