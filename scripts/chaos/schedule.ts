/** What is done to whom and when: decided before the run from its seed alone. */
import type { Random } from './random.ts'

/** As often as they stand here. */
const KINDS = [
  ...['kill', 'kill', 'kill', 'stop', 'stop', 'cut', 'cut', 'slow', 'slow'],
  ...['delete-store', 'delete-floor', 'flip-bytes', 'fill-disk', 'upgrade'],
] as const

export type Kind = (typeof KINDS)[number]

export interface Planned {
  readonly kind: Kind | 'partition' | 'all-seeds'
  readonly atMs: number
  /** Of a node; of a region where all of it is parted from the others. */
  readonly at: number
  readonly forMs: number
  /** Of what is slow. */
  readonly delayMs?: number
}

export interface Size {
  readonly nodes: number
  readonly regions: number
  readonly lastMs: number
}

/** Between two faults of one node, on the average: a node has a minute or two in which to recover, or nothing would be learnt of how it does. */
const A_NODE_MS = 112_000

export function schedule(random: Random, { nodes, regions, lastMs }: Size): Planned[] {
  const planned: Planned[] = []
  const put = (fault: Planned): void => {
    planned.push({ ...fault, forMs: Math.max(500, Math.min(fault.forMs, lastMs - fault.atMs)) })
  }
  for (let atMs = 3_000; atMs < lastMs; atMs += random.between(500, (2 * A_NODE_MS) / nodes + 500)) {
    const kind = random.pick(KINDS)
    const at = Math.floor(random() * nodes)
    const forMs = random.between(500, 12_000)
    if (kind === 'slow') put({ kind, atMs, at, forMs, delayMs: Math.round(random.between(50, 800)) })
    // a disk is full for longer than a node needs to notice
    else if (kind === 'fill-disk') put({ kind, atMs, at, forMs: forMs + 10_000 })
    else put({ kind, atMs, at, forMs })
  }
  // now and then no seed is left to publish at, or a region is on its own
  for (let atMs = 20_000; atMs < lastMs - 10_000; atMs += random.between(40_000, 120_000))
    put({ kind: 'all-seeds', atMs, at: 0, forMs: random.between(5_000, 15_000) })
  // a partition troubles every node: now and then the next is so late that some are left alone for as long as progress may take
  for (let atMs = 45_000; atMs < lastMs - 10_000; atMs += random.between(60_000, 480_000))
    put({ kind: 'partition', atMs, at: Math.floor(random() * regions), forMs: random.between(5_000, 25_000) })
  return planned.sort((a, b) => a.atMs - b.atMs)
}
