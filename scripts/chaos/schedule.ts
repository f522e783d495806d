/** What is done to whom and when: decided before the run from its seed alone. */
import type { Random } from './random.ts'

const KINDS = [
  'kill',
  'kill',
  'kill',
  'stop',
  'cut',
  'cut',
  'slow',
  'delete-store',
  'flip-bytes',
  'fill-disk',
] as const

export interface Planned {
  readonly kind: (typeof KINDS)[number]
  readonly atMs: number
  readonly node: number
  readonly forMs: number
  /** Of what is slow. */
  readonly delayMs?: number
}

export interface Size {
  readonly nodes: number
  /** The first so many of them. */
  readonly seeds: number
  readonly lastMs: number
}

export function schedule(random: Random, { nodes, seeds, lastMs }: Size): Planned[] {
  const planned: Planned[] = []
  for (let atMs = 3_000; atMs < lastMs; atMs += random.between(500, 60_000 / nodes + 500)) {
    const kind = random.pick(KINDS)
    const node = Math.floor(random() * nodes)
    const forMs = Math.min(random.between(500, 12_000), lastMs - atMs)
    planned.push(
      kind === 'slow'
        ? { kind, atMs, node, forMs, delayMs: Math.round(random.between(50, 800)) }
        : { kind, atMs, node, forMs },
    )
  }
  // now and then nobody is left to publish to
  for (let atMs = 20_000; atMs < lastMs - 10_000; atMs += random.between(30_000, 90_000))
    for (let node = 0; node < seeds; node++)
      planned.push({
        kind: 'kill',
        atMs: atMs + random.between(0, 500),
        node,
        forMs: random.between(4_000, 9_000),
      })
  return planned.sort((a, b) => a.atMs - b.atMs)
}
