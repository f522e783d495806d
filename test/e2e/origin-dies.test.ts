/**
 * A large release while its origin dies, and a tenth of the nodes with it: as soon as every block lies with some node
 * that lives on, and while some of these lack something. Whatever is still missing can be had from the living, so each
 * of them completes. `CONFMESH_E2E_NODES=29` runs it with thirty processes.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decodePage } from '../../src/codec/page.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import { build } from '../../src/publish/build.ts'
import { BlockWatch, type Held } from './block-watch.ts'
import { converged, type InitResult, publish, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'data/large'
const NODES = Number(process.env.CONFMESH_E2E_NODES ?? 11)
const DEAD_SHARE = 0.1
/** So long that nobody has it all when the origin dies. */
const PAYLOAD_BYTES = 24 * 1024 * 1024
const AT_ONCE = 4

const fleet = new RealFleet()
const dir = join(fleet.dir, 'content')
const nodes: RealNode[] = []
let made: InitResult
let seed: RealNode
let watch: BlockWatch | undefined

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

beforeAll(async () => {
  made = await fleet.init()
  seed = await fleet.start('seed', made.seedConfig)
  for (let first = 0; first < NODES; first += AT_ONCE) {
    const names = Array.from({ length: Math.min(AT_ONCE, NODES - first) }, (_, n) => `node${first + n}`)
    nodes.push(...(await Promise.all(names.map((name) => fleet.startNode(name, made)))))
  }
  mkdirSync(dir)
  writeFileSync(join(dir, 'small.txt'), 'first\n')
  // All are linked and have heard of the channel.
  await converged([seed, ...nodes], CHANNEL, (await publish(made, CHANNEL, dir)).release, 120_000)
}, 600_000)
afterAll(async () => {
  await watch?.stop()
  await fleet.end()
})

test('the origin dies, a tenth of the nodes with it, once the others have every block among them: all who live complete', async () => {
  writeFileSync(join(dir, 'data.bin'), randomBytes(PAYLOAD_BYTES))
  const places = await placesOf(dir)
  const dying = nodes.slice(0, Math.ceil(NODES * DEAD_SHARE))
  const living = nodes.filter((node) => !dying.includes(node))
  const files = { root: made.root, admissionKey: join(fleet.dir, 'fleet/admission.key') }
  const watching = await BlockWatch.start(files, living)
  watch = watching
  const { release } = await publish(made, CHANNEL, dir)
  const held = (): Held[] => living.map((node) => watching.held(node, release))
  await until('those who live on have every block among them', 240_000, async () => {
    const all = held()
    return Array.from({ length: places }, (_, place) => all.some((one) => one.has(place))).every(Boolean)
  })
  const atDeath = held().map((one) => one.count(places))
  await Promise.all([seed, ...dying].map((node) => node.kill('SIGKILL')))
  await watching.stop()
  expect(Math.min(...atDeath), 'some of the living lack something').toBeLessThan(places)
  await converged(living, CHANNEL, release, 240_000)
}, 600_000)
