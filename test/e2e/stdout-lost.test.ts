/** Nobody reads what a command says, or there is no room for it: what it changes is changed whole. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confmesh, type InitResult, publish, RealFleet, type RealNode, until } from './real-fleet.ts'

const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')
const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode

beforeAll(async () => {
  made = await fleet.init()
  seed = await fleet.start('seed', made.seedConfig)
})
afterAll(() => fleet.end())

interface Ended {
  readonly code: number | null
  readonly err: string
}

async function onFullDisk(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', full, 'pipe'],
  })
  closeSync(full)
  const [err, [code]] = await Promise.all([text(child.stderr as Readable), once(child, 'close')])
  return { code, err }
}

/** @param chunks that the reader takes before it goes away */
async function unread(args: readonly string[], chunks: 0 | 1, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const options = { env: { ...process.env, ...env } }
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    ...options,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([text(child.stderr), once(child, 'close')])
  if (chunks > 0) await once(child.stdout, 'data')
  child.stdout.destroy()
  const [err, [code]] = await ended
  return { code, err }
}

const beside = (key: string): string => join(dirname(made.root), key)

/** To a new key, with the root handed out to the seed. */
async function rotation(from: string, to: string): Promise<string[]> {
  expect((await confmesh(['keygen', '--out', beside(to)])).code).toBe(0)
  const keys = ['--add-key', `${beside(to)}.pub`, '--remove-key', `${from}.pub`, '--stolen']
  const root = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
  return ['trust', 'rotate', 'publisher', ...keys, ...root, '--seed', seed.address]
}
const rootAtSeed = async (): Promise<number> => (await seed.client.status()).root.version

test('a root that is made is handed to the fleet all the same', async () => {
  const first = await onFullDisk(await rotation(made.publisherKey, 'second.key'))
  expect(first.err.match(/OUTPUT_FAILED.*/g)).toEqual(['OUTPUT_FAILED: stdout: ENOSPC; is its disk full?'])
  expect([first.code, await rootAtSeed()]).toEqual([1, 2])
  const second = await unread(await rotation(beside('second.key'), 'third.key'), 0)
  expect([second.code, await rootAtSeed()]).toEqual([0, 3])
  expect(second.err).not.toMatch(/OUTPUT_FAILED|EPIPE/)
})

test('what failed keeps its exit code', async () => {
  const gone = ['check', join(fleet.dir, 'gone')]
  for (const { code } of [await onFullDisk([...gone, '--json']), await unread([...gone, '--json'], 0)])
    expect(code).toBe(2)
})

test('what only prints is over with its reader', async () => {
  const key = beside('third.key')
  const large = fleet.files('large', { 'large.txt': 'one line of it\n'.repeat(200_000) })
  const { release } = await publish(made, CHANNEL, large, { key, seed: seed.address })
  await until('the seed runs it', 30_000, async () => {
    return (await seed.client.channel(CHANNEL)).active?.release === release
  })
  const getting = ['get', CHANNEL, 'large.txt', '--api', seed.api]
  expect(await unread(getting, 1)).toEqual({ code: 0, err: '' })
  const full = { code: 1, err: 'confmesh: OUTPUT_FAILED: stdout: ENOSPC; is its disk full?\n' }
  expect(await onFullDisk(getting)).toEqual(full)
  expect(await onFullDisk(['watch', CHANNEL, '--api', seed.api])).toEqual(full)
})

describe('a demo whose output is lost', () => {
  const TMPDIR = join(fleet.dir, 'tmp')
  const args = ['demo', '--nodes', '1', '--regions', '1']
  beforeAll(() => mkdirSync(TMPDIR))

  test('demo --exit | head -1 ends by what became of the fleet, and leaves no folder', async () => {
    const demo = (env: NodeJS.ProcessEnv = {}) => unread([...args, '--exit'], 1, { TMPDIR, ...env })
    expect(await demo()).toEqual({ code: 0, err: '' })
    expect(readdirSync(TMPDIR)).toEqual([])
    // A setting that no node knows: none starts.
    expect((await demo({ CONFMESH_NODE_NONSENSE: '1' })).code).toBe(2)
  })

  test('without --exit it waits for no Ctrl-C, and leaves no folder either', async () => {
    const before = readdirSync(TMPDIR)
    // None from the first: that nobody reads is learnt by the next line, and after the last there is none.
    expect(await unread(args, 0, { TMPDIR })).toEqual({ code: 0, err: '' })
    const full = { code: 1, err: 'confmesh: OUTPUT_FAILED: stdout: ENOSPC; is its disk full?\n' }
    expect(await onFullDisk(args, { TMPDIR })).toEqual(full)
    expect(readdirSync(TMPDIR)).toEqual(before)
  })
})
