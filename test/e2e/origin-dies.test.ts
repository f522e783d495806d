/**
 * A large release while its origin dies, and a tenth of the nodes with it: once it has sent it all and half of the nodes
 * hold three quarters, which is where the simulated origin is after 1.2 payloads or the time for them. (A block is lost
 * with its only holders, whatever the program does; on one machine the origin gives away faster than nodes hand on.)
 * `CONFMESH_E2E_NODES=29` runs it with thirty processes.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { total } from '../../bench/metrics.ts'
import { converged, type InitResult, publish, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'data/large'
const NODES = Number(process.env.CONFMESH_E2E_NODES ?? 11)
const DEAD_SHARE = 0.1
/** So long that nobody has it all when the origin dies. */
const PAYLOAD_BYTES = 24 * 1024 * 1024
const HELD_SHARE = 0.75
const AT_ONCE = 4

const fleet = new RealFleet()
const dir = join(fleet.dir, 'content')
const nodes: RealNode[] = []
let made: InitResult
let seed: RealNode

const storedBytes = (): Promise<number[]> =>
  Promise.all(nodes.map(({ api }) => total(api, 'confmesh_store_bytes')))
/** Of what a node stores now beyond what it stored then, in the middle of all nodes. */
async function medianGrowth(since: readonly number[]): Promise<number> {
  const grown = (await storedBytes()).map((bytes, at) => bytes - (since[at] ?? 0)).sort((a, b) => a - b)
  return grown[Math.floor(grown.length / 2)] ?? 0
}
const sentBytes = (): Promise<number> => total(seed.api, 'confmesh_network_sent_bytes_total')
const runs = async (node: RealNode, release: string): Promise<boolean> =>
  (await node.client.channel(CHANNEL)).active?.release === release

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
afterAll(() => fleet.end())

test('the origin dies once it has given everything away, a tenth of the nodes with it: all who live complete', async () => {
  writeFileSync(join(dir, 'data.bin'), randomBytes(PAYLOAD_BYTES))
  const [sentBefore, storedBefore] = [await sentBytes(), await storedBytes()]
  const { release } = await publish(made, CHANNEL, dir)
  await until('the origin has sent it all, half of the nodes hold most', 240_000, async () => {
    if ((await sentBytes()) - sentBefore < PAYLOAD_BYTES) return false
    return (await medianGrowth(storedBefore)) >= HELD_SHARE * PAYLOAD_BYTES
  })
  const complete = await Promise.all(nodes.map((node) => runs(node, release)))
  const dying = nodes.slice(0, Math.ceil(NODES * DEAD_SHARE))
  await Promise.all([seed, ...dying].map((node) => node.kill('SIGKILL')))
  expect(complete, 'it died in the middle').toContain(false)
  const living = nodes.filter((node) => !dying.includes(node))
  await converged(living, CHANNEL, release, 240_000)
}, 600_000)
