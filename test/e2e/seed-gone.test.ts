/** The only seed of a running fleet is gone for good, with its host and all that lay on it: by the page. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { readPublicKey } from '../../src/cli/key-files.ts'
import { commandsOf } from './pages.ts'
import {
  confmesh,
  converged,
  type InitResult,
  publish,
  RealFleet,
  type RealNode,
  type Run,
  tryPublish,
  until,
} from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const SECTION = 'Replace a seed that is dead'
type Commands = [string[], string[], string[], string[], string[]]
const fleet = new RealFleet()
let made: InitResult
let folder: string
let seed: RealNode
let nodes: RealNode[]

beforeAll(async () => {
  made = await fleet.init()
  folder = join(fleet.dir, 'fleet')
  seed = await onHost('first', folder)
  nodes = [await fleet.startNode('a', made), await fleet.startNode('b', made)]
  await publishes('one')
})
afterAll(() => fleet.end())

/** A host of its own with the files that the page names, so that it can go with all of them. */
async function onHost(host: string, from: string): Promise<RealNode> {
  mkdirSync(join(fleet.dir, host))
  for (const name of ['seed.yaml', 'seed', 'root.json', 'pool.json', 'pool.key'])
    cpSync(join(from, name), join(fleet.dir, host, name), { recursive: true })
  return fleet.start(host, join(fleet.dir, host, 'seed.yaml'))
}

/** What runs everywhere stays there: nodes serve on, and nobody takes a release. */
async function dies(host: string): Promise<void> {
  await seed.kill('SIGKILL')
  rmSync(join(fleet.dir, host), { recursive: true })
  const files = fleet.files('too late', { 'app.conf': 'too late\n' })
  const { code } = await tryPublish(made, CHANNEL, files, { seed: seed.address })
  expect(code).toBe(EXIT_CODES.NET_UNREACHABLE)
}

const activeAt = async ({ client }: RealNode) => (await client.channel(CHANNEL)).active?.release as string

async function publishes(text: string): Promise<void> {
  const files = fleet.files(text, { 'app.conf': `${text}\n` })
  const { release } = await publish(made, CHANNEL, files, { seed: seed.address })
  await converged([seed, ...nodes], CHANNEL, release)
}

async function run(words: readonly string[]): Promise<Run> {
  const ran = await confmesh(words, { cwd: folder })
  expect(ran, `confmesh ${words.join(' ')}: ${ran.err}`).toMatchObject({ code: 0 })
  return ran
}

/** Two roots more are in force, and the folder of the root keys is an old backup's. */
async function losesRoots(): Promise<void> {
  const first = readFileSync(join(folder, 'root.json'))
  for (let changes = 0; changes < 2; changes += 1) {
    await run(['trust', 'renew', '--root', 'root.json', '--root-key', 'root-1.key'])
    await run(['trust', 'push', '--root', 'root.json', '--seed', seed.address])
  }
  await everywhere('root 3', async ({ client }) => (await client.status()).root.version === 3)
  for (const name of ['root.1.json', 'root.2.json', 'root.json']) rmSync(join(folder, name))
  writeFileSync(join(folder, 'root.json'), first)
}

/** The section, from its first command to its last; `instead` is what it says to change in them. */
async function replacedBySection(name: string, instead: Record<string, string>): Promise<void> {
  const dead = seed.address
  const release = await activeAt(nodes[0] as RealNode)
  const here = `127.0.0.1 --port ${await freePort()} --api-port ${await freePort()}`
  const commands = (NEW: string) =>
    commandsOf(SECTION, { seed2: name, 'seed2.example.net': here, NEW, ...instead })
  const [fetch, add] = commands('') as [string[], string[]]
  // the folder of the root keys is on a node's host here
  await run([...fetch, '--api', (nodes[0] as RealNode).api])
  const { out } = await run(add)
  expect(out).toContain('where no other seed is left, start this one first and push to it')
  const address = / reached at (\S+)/.exec(out)?.[1] as string
  const [, , push, remove, pushAgain] = commands(address) as Commands

  expect((await confmesh(push.with(-1, dead), { cwd: folder })).code).toBe(EXIT_CODES.NET_UNREACHABLE)
  seed = await onHost(`${name} host`, join(folder, name))
  await run(push)
  expect((await seed.client.status()).channels, 'nobody has dialled it').toEqual([])

  writeFileSync(made.nodeConfig, readFileSync(made.nodeConfig, 'utf8').replace(dead, address))
  for (const [at, node] of nodes.entries()) {
    await node.kill('SIGTERM')
    nodes[at] = await fleet.startNode(node.name, made)
    // the others are not restarted yet, and learn of it all the same
    await converged([seed, ...nodes], CHANNEL, release)
    await everywhere(
      'knows the new seed',
      async ({ client }) => (await client.status()).peers.connected === 2,
    )
  }
  await publishes(name)
  await run(remove)
  await run(pushAgain)
  const { version } = JSON.parse((await run(['trust', 'show', '--root', 'root.json', '--json'])).out)
  await everywhere(`root ${version}`, async ({ client }) => (await client.status()).root.version === version)
  await publishes(`${name}, and the dead one’s key is out`)
}

const everywhere = (what: string, holds: (node: RealNode) => Promise<boolean>) =>
  Promise.all([seed, ...nodes].map((node) => until(`${node.name}: ${what}`, 60_000, () => holds(node))))

test('started anew from copies at its own address, it is found by the nodes and has from them what there is', async () => {
  const release = await activeAt(seed)
  await dies('first')
  seed = await onHost('second', folder)
  await converged([seed], CHANNEL, release)
  await publishes('two')
})

test('at another address, with an old root at hand: a new seed, started before anything is pushed', async () => {
  await losesRoots()
  await dies('second')
  await replacedBySection('seed2', {})
})

test('with no copy of its data: made from a node’s configuration, its freshness key named by its id', async () => {
  await dies('seed2 host')
  const { id } = readPublicKey(join(folder, 'seed2/seed/freshness.key.pub'))
  for (const data of ['seed', 'seed2']) rmSync(join(folder, data), { recursive: true })
  const instead = { 'seed.yaml': 'node.yaml', 'seed/freshness.key.pub': id.slice(0, 12) }
  await replacedBySection('seed3', instead)
})
