import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  confmesh,
  converged,
  firstLine,
  type InitResult,
  json,
  publish,
  RealFleet,
  type RealNode,
  remembersPeers,
  until,
} from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let nodes: RealNode[]

const release = async (dir: string, message: string): Promise<string> =>
  (await publish(made, CHANNEL, dir, { message })).release

beforeAll(async () => {
  made = await fleet.init()
  seed = await fleet.start('seed', made.seedConfig)
  const trees = ['--label', 'region=eu']
  nodes = await Promise.all([1, 2, 3].map((n) => fleet.startNode(`node${n}`, made, trees)))
})
afterAll(() => fleet.end())

describe('a fleet of real processes', () => {
  let first: string
  let second: string

  test('a release reaches every node and is served, files and all', async () => {
    first = await release(fleet.files('app', { 'app.yaml': 'replicas: 3\n', 'deep/er.json': '{}' }), 'first')
    await converged([seed, ...nodes], CHANNEL, first)
    for (const node of nodes)
      expect(Buffer.from(await node.client.get(CHANNEL, 'app.yaml')).toString()).toBe('replicas: 3\n')
    expect((await nodes[0]?.client.ready())?.ready).toBe(true)
  })

  test('a changed file uploads its own block and page alone', async () => {
    const dir = fleet.files('app', { 'app.yaml': 'replicas: 5\n' })
    const result = await publish(made, CHANNEL, dir, { message: 'second' })
    second = result.release
    expect(result).toMatchObject({ clock: { publisher: 2 }, unchanged: false, acknowledgedBy: [seed.peerId] })
    await converged([seed, ...nodes], CHANNEL, second)
    const again = await publish(made, CHANNEL, dir)
    expect(again).toMatchObject({ unchanged: true, release: second })
  })

  test('status, watch, diff and get tell the same', async () => {
    const api = nodes[0]?.api as string
    const status = (await json(['status', '--api', api])).value as unknown as {
      patterns: string[]
      channels: { active: { release: string; activatedAt: string }; state: string }[]
    }
    expect(status.channels).toMatchObject([
      { channel: CHANNEL, state: 'active', active: { release: second, message: 'second' } },
    ])
    expect(status.patterns).toEqual(['**'])
    expect((await confmesh(['status', '--api', api])).out).toMatch(/^keeps {2}\*\*$/m)
    // The time is that of the activation, not of the look.
    const watched = await firstLine(['watch', CHANNEL, '--api', api])
    expect(watched.split('  ').slice(0, 2)).toEqual([
      status.channels[0]?.active.activatedAt,
      second.slice(0, 12),
    ])
    const diff = (await json(['diff', CHANNEL, first.slice(0, 12), second.slice(0, 12), '--api', api])).value
    expect(diff).toMatchObject({ changes: [{ path: 'app.yaml', change: 'modified' }] })
    expect((await json(['get', CHANNEL, '--api', api])).value).toMatchObject({
      release: second,
      files: [{ path: 'app.yaml' }, { path: 'deep/er.json' }],
    })
  })

  test('rollback is a new release with the old content', async () => {
    const { code, value } = await json([
      'rollback',
      CHANNEL,
      '--to',
      first,
      '--key',
      made.publisherKey,
      '--seed',
      made.seedAddress,
      '--yes',
    ])
    expect(value).not.toHaveProperty('error')
    expect(code).toBe(0)
    const third = (value as unknown as { release: string }).release
    await converged(nodes, CHANNEL, third)
    expect(Buffer.from((await nodes[2]?.client.get(CHANNEL, 'app.yaml')) as Uint8Array).toString()).toBe(
      'replicas: 3\n',
    )
    second = third
  })

  test('materialized files appear whole, under a link', async () => {
    const dir = join(fleet.dir, 'materialized')
    const node = await fleet.startNode('materializing', made)
    await node.kill('SIGTERM')
    const config = readFileSync(made.nodeConfig, 'utf8')
    const path = join(fleet.dir, 'fleet', 'materialize.yaml')
    writeFileSync(path, `${config}\nmaterialize:\n  dir: ${dir}\n`)
    const again = await fleet.start('materializing', path, fleet.own('materializing'))
    await converged([again], CHANNEL, second)
    expect(readFileSync(join(dir, CHANNEL, 'current', 'app.yaml'), 'utf8')).toBe('replicas: 3\n')
    expect(readdirSync(join(dir, CHANNEL, 'current', 'deep'))).toEqual(['er.json'])
    await again.kill('SIGTERM')
  })

  test('with every seed dead a new node joins through another, one restarts alone and the others after it, ready and serving', async () => {
    await seed.kill()
    const [first, ...others] = nodes as [RealNode, ...RealNode[]]
    const joined = await fleet.startNode('joined', made, ['--seed', first.address])
    await converged([joined], CHANNEL, second)
    // Nobody tells it later, but its memory.
    await remembersPeers(joined.data)
    await Promise.all([joined, first, ...others].map((node) => node.kill()))
    const serves = async (node: RealNode) => {
      await until(`${node.name} is ready`, 20_000, async () => (await node.client.ready()).ready)
      expect(Buffer.from(await node.client.get(CHANNEL, 'app.yaml')).toString()).toBe('replicas: 3\n')
    }
    const alone = await fleet.startNode('node1', made)
    await serves(alone)
    // Its content is with the others alone, and where these were nobody tells but its memory.
    rmSync(join(others[1]?.data as string, 'store'), { recursive: true })
    const back = await Promise.all(['node2', 'node3', 'joined'].map((name) => fleet.startNode(name, made)))
    const linked = ({ name, client }: RealNode) =>
      until(`${name} has found another`, 30_000, async () => (await client.status()).peers.connected > 0)
    await Promise.all([alone, ...back].map(linked))
    await Promise.all(back.map(serves))
    await Promise.all([alone, ...back].map((node) => node.kill('SIGTERM')))
  })
})
