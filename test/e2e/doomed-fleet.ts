/** A fleet of real processes whose origin is to die while a large release travels, and some of the nodes with it. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodePage } from '../../src/codec/page.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import { build } from '../../src/publish/build.ts'
import { BlockWatch, type Held } from './block-watch.ts'
import type { FleetFiles } from './known-fleet.ts'
import { converged, type InitResult, publish, type RealFleet, type RealNode } from './real-fleet.ts'

const CHANNEL = 'data/large'
const DEAD_SHARE = 0.1
const AT_ONCE = 4
const STAND_MS = 120_000

/** Pages and blocks of the release that this folder becomes. */
async function placesOf(path: string): Promise<number> {
  const { pages, read } = await build([path], { limits: LIMITS })
  const digests = new Set<Digest>(pages)
  for (const page of pages) {
    const bytes = await read(page)
    for (const { blocks } of decodePage(bytes as Uint8Array, LIMITS))
      for (const { digest } of blocks) digests.add(digest)
  }
  return digests.size
}

/** The large release, and how many pages and blocks it has. */
export interface Large {
  readonly release: string
  readonly places: number
}

export class DoomedFleet {
  readonly seed: RealNode
  readonly dying: readonly RealNode[]
  readonly living: readonly RealNode[]
  readonly #made: InitResult
  readonly #files: FleetFiles
  readonly #dir: string

  private constructor(fleet: RealFleet, made: InitResult, seed: RealNode, nodes: readonly RealNode[]) {
    this.#made = made
    this.seed = seed
    this.dying = nodes.slice(0, Math.ceil(nodes.length * DEAD_SHARE))
    this.living = nodes.slice(this.dying.length)
    this.#files = { root: made.root, admissionKey: join(fleet.dir, 'fleet/admission.key') }
    this.#dir = join(fleet.dir, 'content')
  }

  /** All are linked and have heard of the channel. */
  static async start(fleet: RealFleet, count: number): Promise<DoomedFleet> {
    const made = await fleet.init()
    const seed = await fleet.start('seed', made.seedConfig)
    const nodes: RealNode[] = []
    for (let first = 0; first < count; first += AT_ONCE) {
      const names = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, n) => `node${first + n}`)
      nodes.push(...(await Promise.all(names.map((name) => fleet.startNode(name, made)))))
    }
    const doomed = new DoomedFleet(fleet, made, seed, nodes)
    mkdirSync(doomed.#dir)
    writeFileSync(join(doomed.#dir, 'small.txt'), 'first\n')
    const { release } = await publish(made, CHANNEL, doomed.#dir)
    await converged([seed, ...nodes], CHANNEL, release, STAND_MS)
    return doomed
  }

  watch(nodes: readonly RealNode[]): Promise<BlockWatch> {
    return BlockWatch.start(this.#files, nodes)
  }

  async publishLarge(bytes: number): Promise<Large> {
    writeFileSync(join(this.#dir, 'data.bin'), randomBytes(bytes))
    const places = await placesOf(this.#dir)
    const { release } = await publish(this.#made, CHANNEL, this.#dir)
    return { release, places }
  }

  /** The origin and those that die with it. */
  async kill(): Promise<void> {
    await Promise.all([this.seed, ...this.dying].map((node) => node.kill('SIGKILL')))
  }

  /** Every one of the living runs the release by now. */
  async isEverywhere(release: string): Promise<boolean> {
    for (const { client } of this.living)
      if ((await client.channel(CHANNEL)).active?.release !== release) return false
    return true
  }

  /** Every one of the living comes to run the release. */
  survived(release: string, deadlineMs: number): Promise<void> {
    return converged(this.living, CHANNEL, release, deadlineMs)
  }
}

/** How many pages and blocks one of these has. */
export const amongThem = (held: readonly Held[], places: number): number =>
  Array.from({ length: places }, (_, place) => held.some((one) => one.has(place))).filter(Boolean).length
