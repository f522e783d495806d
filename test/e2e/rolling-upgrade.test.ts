/** The page "Upgrade" of docs/operations.md, carried out by its own commands: seed first, from one build to another. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { secondBuild } from '../../scripts/chaos/second-build.ts'
import { commandsOf } from './pages.ts'
import {
  confmesh,
  converged,
  type InitResult,
  publish,
  RealFleet,
  type RealNode,
  until,
} from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const NEW = '0.1.1-next'
const { version: OLD } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
) as { version: string }

const fleet = new RealFleet()
let made: InitResult
/** In the order of the page: seeds first. */
let nodes: RealNode[]
let launcher: string

beforeAll(async () => {
  made = await fleet.init()
  launcher = secondBuild(join(fleet.dir, 'second-build'), NEW)
  nodes = [await fleet.start('seed', made.seedConfig)]
  for (const name of ['a', 'b']) nodes.push(await fleet.startNode(name, made))
})
afterAll(() => fleet.end())

const isSeed = ({ name }: RealNode): boolean => name === 'seed'
const configOf = (node: RealNode): string => (isSeed(node) ? made.seedConfig : made.nodeConfig)
const own = (node: RealNode): string[] => (isSeed(node) ? [] : fleet.own(node.name))

/** What a node was started with beside its configuration, for the doctor. */
const environment = (node: RealNode): NodeJS.ProcessEnv => ({
  CONFMESH_API: node.api,
  CONFMESH_NODE_API_LISTEN: new URL(node.api).host,
  ...(isSeed(node) ? {} : { CONFMESH_NODE_DATA: node.data, CONFMESH_NODE_LISTEN: '/ip4/127.0.0.1/tcp/0' }),
})

/** The page's commands on the node's host: one before the upgrade, one after it. */
async function carryOut(node: RealNode, at: 0 | 1): Promise<string> {
  const words = commandsOf('Upgrade', { 'node.yaml': configOf(node) })[at] as string[]
  const { code, err, out } = await confmesh(words, { env: environment(node) })
  if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
  return out
}

async function release(text: string): Promise<string> {
  const files = fleet.files(text, { 'app.conf': `${text}\n` })
  return (await publish(made, CHANNEL, files)).release
}

const isReady = (node: RealNode): Promise<boolean> =>
  until(`${node.name} is ready`, 60_000, async () => (await fetch(`${node.api}/readyz`)).status === 200)

async function versionOf(node: RealNode): Promise<string | undefined> {
  return /confmesh (\S+)$/m.exec(await carryOut(node, 1))?.[1]
}

test('host by host, seed first: each serves what it had at once, and releases reach both builds', async () => {
  let active = await release('before the upgrade')
  await converged(nodes, CHANNEL, active)
  for (const [at, old] of nodes.entries()) {
    expect(await versionOf(old)).toBe(OLD)
    await carryOut(old, 0)
    const had = active
    await old.kill('SIGTERM')
    if (!isSeed(old)) active = await release(`while ${old.name} is away`)
    const upgraded = await fleet.start(old.name, configOf(old), own(old), { launcher })
    expect([had, active]).toContain((await upgraded.client.channel(CHANNEL)).active?.release)
    expect(upgraded.peerId).toBe(old.peerId)
    nodes[at] = upgraded
    await isReady(upgraded)
    await converged([upgraded], CHANNEL, active, 60_000)
    expect(await versionOf(upgraded)).toBe(NEW)
    // Old and new builds are up together until the last one.
    active = await release(`after ${upgraded.name}`)
    await converged(nodes, CHANNEL, active, 60_000)
  }
  expect(await Promise.all(nodes.map(async ({ client }) => (await client.status()).version))).toEqual(
    nodes.map(() => NEW),
  )
})
