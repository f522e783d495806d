/**
 * The drill: a publisher's key is stolen and used at once, by an attacker on the wire who goes on all along. Recovery by
 * the page "Stolen key" of docs/operations.md, to its commands; what applications saw meanwhile.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPrivateKey } from '../../src/cli/key-files.ts'
import { readRoot } from '../../src/cli/root-files.ts'
import { sha256 } from '../../src/codec/digest.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeHeader } from '../../src/codec/header.ts'
import { encodePage } from '../../src/codec/page.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Address, Channel, Name } from '../../src/model/ids.ts'
import { dialPublisher } from '../../src/net/dial.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { commandsOf } from './pages.ts'
import { confmesh, type InitResult, json, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const GOOD = 'limit: 10\n'
const BAD = 'limit: 1000000\n'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let nodes: RealNode[]
let folder: string

beforeAll(async () => {
  made = await fleet.init('fleet', ['--root-keys', '2', '--root-threshold', '1'])
  folder = join(fleet.dir, 'fleet')
  seed = await fleet.start('seed', made.seedConfig)
  nodes = []
  for (const name of ['a', 'b', 'c']) nodes.push(await fleet.startNode(name, made))
})
let over = false
afterAll(() => {
  over = true
  return fleet.end()
})

/** What one attempt of the thief came to: taken, or the code that refused it. */
type Attempt = string

/** Signs with the stolen key and injects by itself: no tool of ours stands between it and the seed. */
async function inject(counter: number, message: string): Promise<Attempt> {
  const { root } = readRoot(made.root)
  const block = new TextEncoder().encode(BAD)
  const digest = sha256(block)
  const page = encodePage([
    { path: 'app.conf', mode: 0o444, size: block.length, digest, blocks: [{ digest, size: block.length }] },
  ])
  const publisher = 'publisher' as Name
  const header = {
    v: 1,
    critical: [],
    fleet: root.fleetId,
    channel: CHANNEL as Channel,
    // under the first root, or the newest there is
    root: counter % 2 === 0 ? 1 : root.version,
    publisher,
    clock: new Map([[publisher, counter]]),
    pages: [sha256(page)],
    files: 1,
    bytes: block.length,
    message,
    created: Date.now(),
  } as const
  const payload = encodeHeader(header)
  const release = sha256(payload) as string as never
  const envelope = encodeEnvelope(
    signEnvelope('release', payload, [readPrivateKey(join(folder, 'publisher.key'))]),
  )
  const thief = await dialPublisher(seed.address as Address, { limits: LIMITS })
  try {
    let reply = await thief.ask({ type: 'submit', envelope }, 10_000)
    while (reply.type === 'need') {
      const { pages, blocks } = reply
      if (pages.length > 0) reply = await thief.ask({ type: 'page', release, bytes: page }, 10_000)
      else if (blocks.length > 0) reply = await thief.ask({ type: 'block', release, bytes: block }, 10_000)
      else reply = await thief.ask({ type: 'await', release }, 30_000)
    }
    return reply.type === 'refused' ? reply.code : 'taken'
  } finally {
    await thief.close()
  }
}

/** Reads the file as an application would, over and over, until the drill is over. */
function watch(node: RealNode, seen: Set<string>): Promise<void> {
  return (async () => {
    while (!over) {
      const { code, text } = await read(node).catch((error: unknown) => ({ code: 0, text: String(error) }))
      if (!over) seen.add(code === 200 ? text : `${code}: ${text}`)
      await delay(50)
    }
  })()
}

async function read(node: RealNode): Promise<{ code: number; text: string }> {
  const response = await fetch(`${node.api}/v1/channels/${encodeURIComponent(CHANNEL)}/files/app.conf`)
  return { code: response.status, text: await response.text() }
}

const shows = (text: string) =>
  Promise.all(
    nodes.map((node) =>
      until(`${node.name} shows ${text}`, 60_000, async () => (await read(node)).text === text),
    ),
  )

test('a stolen key, used at once with the greatest counters there are: recovery by the page', async () => {
  const files = fleet.files('config', { 'app.conf': GOOD })
  const first = ['publish', CHANNEL, files, '--key', made.publisherKey, '--seed', seed.address, '--yes']
  expect((await json(first)).code).toBe(0)
  await shows(GOOD)

  const attempts: Attempt[] = []
  const seen = new Set<string>()
  const watchers = nodes.map((node) => watch(node, seen))
  const stolenMs = performance.now()
  expect(await inject(Number.MAX_SAFE_INTEGER - 2, 'a gift')).toBe('taken')
  await shows(BAD)
  const spreadMs = performance.now() - stolenMs

  // The thief does not stop: the next greatest counter, a twin of it, and again.
  const thief = (async () => {
    for (let at = 0; !over; at += 1) {
      attempts.push(await inject(Number.MAX_SAFE_INTEGER - (at % 2), `again ${at}`).catch(String))
      await delay(100)
    }
  })()
  await until('the thief got through again', 30_000, async () => attempts.length > 2)

  const startedMs = performance.now()
  const replaced = { ADDRESS: seed.address, './config': files }
  const commands = commandsOf('Stolen key', replaced)
  expect(commands.map(([name, what]) => (name === 'trust' ? what : name))).toEqual([
    'keygen',
    'rotate',
    'publish',
  ])
  for (const words of commands) {
    const { code, err, out } = await confmesh(words, { cwd: folder })
    if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
    if (words[1] === 'rotate') expect(out).toContain(`publish the right content of ${CHANNEL}`)
  }
  await shows(GOOD)
  const backMs = performance.now() - startedMs

  // What the thief still tries is refused, and changes nothing.
  const after = attempts.length
  await until('the thief is refused', 30_000, async () => attempts.length > after + 3)
  over = true
  await thief
  await Promise.all(watchers)
  expect(new Set(attempts.slice(after + 1))).toEqual(new Set(['ORDER_STALE_EPOCH', 'TRUST_UNAUTHORISED']))
  await shows(GOOD)
  for (const node of [seed, ...nodes])
    expect(await node.client.channel(CHANNEL)).toMatchObject({
      state: 'active',
      active: { publisher: 'publisher' },
    })
  expect([...seen].sort()).toEqual([GOOD, BAD].sort())
  console.info(
    `theft active everywhere after ${(spreadMs / 1000).toFixed(1)} s; last node back ${(backMs / 1000).toFixed(1)} s after the first command; ${attempts.length} attempts of the thief meanwhile; applications saw ${seen.size} contents`,
  )
})
