/**
 * The drill: a publisher's key is stolen and used at once, by an attacker on the wire who goes on all along. Recovery by
 * the page "Stolen key" of docs/operations.md, to its commands; what applications saw meanwhile.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, realpath } from 'node:fs/promises'
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
/** Two files each, all different: of files of both releases at once an application would see a third content. */
const GOOD = { 'app.conf': 'limit: 10\n', 'users.conf': 'admin: us\n' }
const BAD = { 'app.conf': 'limit: 1000000\n', 'users.conf': 'admin: thief\n' }
const PATHS = Object.keys(GOOD)
/** From the page's first command until the last node shows the right files: generous, as other work may keep the machine busy. */
const MOST_BACK_MS = 120_000
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let nodes: RealNode[]
let folder: string
let readers: Reader[]

beforeAll(async () => {
  made = await fleet.init('fleet', ['--root-keys', '2', '--root-threshold', '1'])
  folder = join(fleet.dir, 'fleet')
  seed = await fleet.start('seed', made.seedConfig)
  const files = join(fleet.dir, 'materialized')
  const materializing = join(folder, 'materialize.yaml')
  writeFileSync(materializing, `${readFileSync(made.nodeConfig, 'utf8')}\nmaterialize:\n  dir: ${files}\n`)
  nodes = [
    await fleet.startNode('a', made),
    await fleet.startNode('b', made),
    await fleet.start('c', materializing, fleet.own('c')),
  ]
  readers = [...nodes.map(overHttp), ofFolder(join(files, CHANNEL, 'current'))]
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
  const blocks = Object.values(BAD).map((text) => new TextEncoder().encode(text))
  const page = encodePage(
    blocks.map((block, i) => {
      const [path, digest, size] = [PATHS[i] as string, sha256(block), block.length]
      return { path, mode: 0o444, size, digest, blocks: [{ digest, size }] }
    }),
  )
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
    files: blocks.length,
    bytes: blocks.reduce((sum, { length }) => sum + length, 0),
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
      const { pages, blocks: lacking } = reply
      if (pages.length + lacking.length === 0) reply = await thief.ask({ type: 'await', release }, 30_000)
      for (const _ of pages) reply = await thief.ask({ type: 'page', release, bytes: page }, 10_000)
      for (const bytes of blocks.filter((block) => lacking.includes(sha256(block))))
        reply = await thief.ask({ type: 'block', release, bytes }, 10_000)
    }
    if (reply.type === 'refused') return reply.code
    return reply.type === 'done' ? 'taken' : `left at ${reply.type}`
  } finally {
    await thief.close()
  }
}

/** How an application reads: where it looks first, then every file of that place. */
interface Reader {
  readonly name: string
  place(): Promise<string>
  file(place: string, path: string): Promise<string>
}

const overHttp = ({ name, api, client }: RealNode): Reader => ({
  name,
  place: async () => (await client.channel(CHANNEL)).active?.release ?? 'nothing',
  file: async (release, path) => {
    const url = `${api}/v1/channels/${encodeURIComponent(CHANNEL)}/files/${path}?release=${release}`
    const response = await fetch(url)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`)
    return text
  },
})

const ofFolder = (current: string): Reader => ({
  name: 'current',
  place: () => realpath(current),
  file: (tree, path) => readFile(join(tree, path), 'utf8'),
})

/** What is gone since is read anew, from where the next release is: each release counts whole or not at all. */
async function read(reader: Reader): Promise<string> {
  for (;;) {
    const place = await reader.place()
    try {
      const texts = await Promise.all(PATHS.map((path) => reader.file(place, path)))
      return content(Object.fromEntries(PATHS.map((path, i) => [path, texts[i] as string])))
    } catch (error) {
      if ((await reader.place()) === place) throw error
    }
  }
}

const content = (files: Readonly<Record<string, string>>): string => JSON.stringify(files)

/** What an application saw, and when it saw the thief's files first and last. */
interface Sight {
  readonly seen: Set<string>
  firstBadMs: number
  lastBadMs: number
}

/** Reads as an application would, over and over, until the drill is over. */
async function watch(reader: Reader, sight: Sight): Promise<void> {
  while (!over) {
    const text = await read(reader).catch(String)
    if (over) return
    sight.seen.add(text)
    if (text === content(BAD)) {
      sight.lastBadMs = performance.now()
      sight.firstBadMs = Math.min(sight.firstBadMs, sight.lastBadMs)
    }
    await delay(50)
  }
}

const shows = (files: Readonly<Record<string, string>>) =>
  Promise.all(
    readers.map((reader) =>
      until(
        `${reader.name} shows ${content(files)}`,
        60_000,
        async () => (await read(reader)) === content(files),
      ),
    ),
  )

/** The thief does not stop: the next greatest counter, a twin of it, and again. */
async function injectOnAndOn(attempts: Attempt[]): Promise<void> {
  for (let at = 0; !over; at += 1) {
    attempts.push(await inject(Number.MAX_SAFE_INTEGER - (at % 2), `again ${at}`).catch(String))
    await delay(100)
  }
}

/** The page's three commands, in order. @returns when the second, which makes the stolen key worthless, had ended */
async function recover(files: string): Promise<number> {
  const commands = commandsOf('Stolen key', { ADDRESS: seed.address, './config': files })
  expect(commands.map(([name, what]) => (name === 'trust' ? what : name))).toEqual([
    'keygen',
    'rotate',
    'publish',
  ])
  let rotatedMs = 0
  for (const words of commands) {
    const { code, err, out } = await confmesh(words, { cwd: folder })
    if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
    if (words[1] !== 'rotate') continue
    expect(out).toContain(`publish the right content of ${CHANNEL}`)
    rotatedMs = performance.now()
    // Nothing stands there under the new key: issued again it would be the thief's, and count.
    expect(await seed.client.channel(CHANNEL)).toMatchObject({ state: 'stale' })
  }
  return rotatedMs
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

test('a stolen key, used at once with the greatest counters there are: recovery by the page', async () => {
  const files = fleet.files('config', GOOD)
  const first = ['publish', CHANNEL, files, '--key', made.publisherKey, '--seed', seed.address, '--yes']
  expect((await json(first)).code).toBe(0)
  await shows(GOOD)

  const attempts: Attempt[] = []
  const sight: Sight = { seen: new Set(), firstBadMs: Number.POSITIVE_INFINITY, lastBadMs: 0 }
  const watchers = readers.map((reader) => watch(reader, sight))
  const stolenMs = performance.now()
  expect(await inject(Number.MAX_SAFE_INTEGER - 2, 'a gift')).toBe('taken')
  await shows(BAD)
  const spreadMs = performance.now() - stolenMs
  const thief = injectOnAndOn(attempts)
  await until('the thief got through again', 30_000, async () => attempts.length > 2)

  const startedMs = performance.now()
  const rotatedMs = await recover(files)
  await shows(GOOD)
  const backMs = performance.now() - startedMs
  expect(backMs).toBeLessThan(MOST_BACK_MS)

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
  expect([...sight.seen].sort()).toEqual([GOOD, BAD].map(content).sort())
  const { firstBadMs, lastBadMs } = sight
  console.info(
    `theft active everywhere after ${seconds(spreadMs)}; from the first of the three commands: the stolen key worthless after ${seconds(rotatedMs - startedMs)}, the thief's files last seen after ${seconds(lastBadMs - startedMs)}, the right files everywhere after ${seconds(backMs)}; the thief's files in sight for ${seconds(lastBadMs - firstBadMs)}, ${seconds(startedMs - firstBadMs)} of them before the first command; ${attempts.length} attempts of the thief; applications saw ${sight.seen.size} contents`,
  )
})
