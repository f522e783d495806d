import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { total } from '../../bench/metrics.ts'
import { confmesh, converged, type InitResult, json, RealFleet, type RealNode, until } from './real-fleet.ts'

const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')
const CHANNEL = 'data/large'
const MIB = 1024 * 1024
const FILE_BYTES = 48 * MIB
/** So much of it is there when the process dies. */
const PART_BYTES = 8 * MIB
/** As long as systemd waits, by docker/confmesh.service. */
const RESTART_MS = 2_000
/** Where somebody was through before this process came to look, as on a busy machine, all begins again. */
const TRIES = 3
/** Under way when it died, the manifest, envelopes and all that nodes say besides. */
const SLACK_BYTES = 3 * MIB

const fleet = new RealFleet()
const dir = join(fleet.dir, 'content')
let made: InitResult
let seed: RealNode

const placing = () => ['publish', CHANNEL, dir, '--seed', made.seedAddress, '--yes']
const publishing = () => [...placing(), '--key', made.publisherKey]

/** Bytes in the store once it has grown by as much as a part. */
const grown = (node: RealNode, fromBytes: number): Promise<number> =>
  until(`${node.name} holds a part`, 60_000, async () => {
    const bytes = await total(node.api, 'confmesh_store_bytes')
    return bytes - fromBytes >= PART_BYTES && bytes
  })

/** Publishes until a part is at the seed; how much is there by then. */
async function begun(command: readonly string[], env: NodeJS.ProcessEnv) {
  const before = await total(seed.api, 'confmesh_store_bytes')
  const child = spawn(process.execPath, [LAUNCHER, ...command, '--json'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  })
  const said = text(child.stdout)
  const closed = new Promise((resolve) => child.once('close', resolve))
  const there = (await grown(seed, before)) - before
  return { child, there, ended: closed.then(() => said) }
}

/** Publishes new content until a part is at the seed, then goes on or ends with whatever `interrupt` does. */
async function interrupted(
  interrupt: (kill: () => void) => Promise<void>,
  commandNow = async (): Promise<readonly string[]> => publishing(),
  env: NodeJS.ProcessEnv = {},
) {
  for (let tries = 1; ; tries += 1) {
    writeFileSync(join(dir, 'data.bin'), randomBytes(FILE_BYTES))
    const command = await commandNow()
    const { child, there, ended } = await begun(command, env)
    const isInTime = there < FILE_BYTES && child.exitCode === null
    if (isInTime) await interrupt(() => child.kill('SIGKILL'))
    const said = await ended
    if (isInTime) return { command, there, code: child.exitCode, said }
    expect(child.exitCode, said).toBe(0)
    await converged([seed], CHANNEL, JSON.parse(said).release)
    expect(tries, 'it was interrupted in the middle').toBeLessThan(TRIES)
  }
}

async function again(): Promise<{ readonly release: string; readonly uploadedBytes: number }> {
  const { code, value } = await json(publishing())
  expect(value).not.toHaveProperty('error')
  expect(code).toBe(0)
  return value as unknown as { release: string; uploadedBytes: number }
}

beforeAll(async () => {
  mkdirSync(dir)
  made = await fleet.init()
  seed = await fleet.start('seed', made.seedConfig)
})
afterAll(() => fleet.end())

test('a publisher killed in mid-upload: run again, it uploads what is not there yet', async () => {
  const { there } = await interrupted(async (kill) => kill())
  const { release, uploadedBytes } = await again()
  expect(uploadedBytes).toBeLessThan(FILE_BYTES - there + SLACK_BYTES)
  await converged([seed], CHANNEL, release)
})

test('so does a pipeline without a memory, with the same --expect', async () => {
  const expecting = async () => {
    const { active } = await seed.client.channel(CHANNEL)
    return [...placing(), '--root', made.root, '--expect', active?.release ?? 'none']
  }
  const env = { CONFMESH_KEY: readFileSync(made.publisherKey, 'utf8') }
  const { command, there } = await interrupted(async (kill) => kill(), expecting, env)
  const { code, out } = await confmesh([...command, '--json'], { env })
  expect(code, out).toBe(0)
  const { release, uploadedBytes } = JSON.parse(out)
  expect(uploadedBytes).toBeLessThan(FILE_BYTES - there + SLACK_BYTES)
  await converged([seed], CHANNEL, release)
})

test('a seed killed in mid-upload and started again: the publish goes on with it, and uploads nothing twice but what was under way', async () => {
  const { code, said } = await interrupted(async () => {
    await seed.kill('SIGKILL')
    await delay(RESTART_MS)
    seed = await fleet.start('seed', made.seedConfig)
  })
  expect(code, said).toBe(0)
  const { release, uploadedBytes } = JSON.parse(said)
  expect(uploadedBytes).toBeLessThan(FILE_BYTES + SLACK_BYTES)
  await converged([seed], CHANNEL, release)
})

/** A node that was killed in the middle of its fetch, and how much it had by then. */
async function killedInFetch(): Promise<{ readonly name: string; readonly there: number }> {
  for (let tries = 1; ; tries += 1) {
    const node = await fleet.startNode(`node-${tries}`, made)
    const { active, state } = await until('the node says how far it is', 30_000, async () => {
      const entry = await node.client.channel(CHANNEL)
      const { have, blocks } = entry.fetch ?? { have: 0, blocks: 0 }
      return (entry.active !== null || (have > 1 && have < blocks)) && entry
    })
    if (active === null) expect(state).toBe('fetching')
    const there = await grown(node, 0)
    await node.kill('SIGKILL')
    if (active === null && there < FILE_BYTES) return { name: node.name, there }
    expect(tries, 'it was killed in the middle').toBeLessThan(TRIES)
  }
}

test('a node killed in mid-fetch fetches nothing twice but what was under way', async () => {
  const { name, there } = await killedInFetch()
  const node = await fleet.startNode(name, made)
  const { target } = await until('the seed names its release', 10_000, async () => {
    const { active } = await seed.client.channel(CHANNEL)
    return active === null || active === undefined ? undefined : { target: active.release }
  })
  await converged([node], CHANNEL, target, 90_000)
  expect(await total(node.api, 'confmesh_network_received_bytes_total')).toBeLessThan(
    FILE_BYTES - there + SLACK_BYTES,
  )
})
