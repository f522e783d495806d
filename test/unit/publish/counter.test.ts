import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import { nextClock } from '../../../src/publish/clock.ts'
import { joinMemories, openMemory } from '../../../src/publish/counter.ts'
import { lockKey } from '../../../src/publish/key-lock.ts'
import { make } from '../core/fleet.ts'

const FLEET = 'f'.repeat(64) as FleetId
const CHANNEL = 'app/web' as Channel
const at = { fleet: FLEET, channel: CHANNEL, epoch: 1 }
const signed = (counter: number) => ({ counter, release: String(counter).padStart(64, '0') as ReleaseId })

let dir = ''
let key = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-counter-'))
  key = join(dir, 'publisher.key')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('What was signed is remembered across runs, per fleet, channel and epoch', async () => {
  await openMemory(key).record(at, signed(7))
  const memory = openMemory(key)
  expect(memory.counter(FLEET, CHANNEL, 1)).toBe(7)
  expect(memory.counter(FLEET, CHANNEL, 2)).toBe(0)
  expect(memory.counter('e'.repeat(64) as FleetId, CHANNEL, 1)).toBe(0)
  expect(memory.counter(FLEET, 'app/other' as Channel, 1)).toBe(0)
  expect(memory.releases(FLEET, CHANNEL)).toEqual([signed(7).release])
  expect(memory.channels(FLEET)).toEqual([CHANNEL])
})

test('A counter never falls, and a new epoch starts anew', async () => {
  const memory = openMemory(key)
  await memory.record(at, signed(7))
  await memory.record(at, signed(3))
  expect(memory.counter(FLEET, CHANNEL, 1)).toBe(7)
  await memory.record({ ...at, epoch: 2 }, signed(1))
  expect(memory.counter(FLEET, CHANNEL, 2)).toBe(1)
  // An out-of-date root does not take the newer epoch's memory away.
  await memory.record(at, signed(9))
  expect(memory.counter(FLEET, CHANNEL, 2)).toBe(1)
})

test('A damaged memory stops the tool instead of being guessed; nothing half written stays', async () => {
  await openMemory(key).record(at, signed(1))
  expect(readdirSync(dir)).toEqual(['publisher.key.counters.json'])
  writeFileSync(`${key}.counters.json`, '{"version":1,')
  expect(() => openMemory(key)).toThrow(expect.objectContaining({ code: 'INPUT_PATH' }))
})

test('Several keys remember together', async () => {
  const [one, two] = [openMemory(key), openMemory(`${key}2`)]
  await one.record(at, signed(4))
  const both = joinMemories([one, two])
  expect(both.counter(FLEET, CHANNEL, 1)).toBe(4)
  await both.record(at, signed(5))
  expect(two.counter(FLEET, CHANNEL, 1)).toBe(5)
})

test('The next clock is past all that was seen, its own entry strictly the greatest', () => {
  const releases = [
    make({ clock: { alice: 4, bob: 2 } }).release,
    make({ clock: { alice: 1, bob: 9 }, publisher: 'bob' }).release,
  ]
  const clock = nextClock('alice' as Name, CHANNEL, { releases, remembered: 0 }, LIMITS)
  expect([...clock]).toEqual([
    ['alice', 10],
    ['bob', 9],
  ])
  expect(nextClock('alice' as Name, CHANNEL, { releases, remembered: 41 }, LIMITS).get('alice' as Name)).toBe(
    42,
  )
  expect([...nextClock('alice' as Name, CHANNEL, { releases: [], remembered: 0 }, LIMITS)]).toEqual([
    ['alice', 1],
  ])
})

test('Used-up counters ask for a raised epoch', () => {
  const remembered = Number.MAX_SAFE_INTEGER - 2
  const last = nextClock('alice' as Name, CHANNEL, { releases: [], remembered }, LIMITS)
  expect(last.get('alice' as Name)).toBe(Number.MAX_SAFE_INTEGER - 1)
  expect(() =>
    nextClock('alice' as Name, CHANNEL, { releases: [], remembered: remembered + 1 }, LIMITS),
  ).toThrow(expect.objectContaining({ code: 'PUBLISH_COUNTER' }))
})

test('One run at a time holds a key; the next has it as soon as it is free', async () => {
  const free = await lockKey(key, 1_000)
  await expect(lockKey(key, 1)).rejects.toMatchObject({ code: 'LIMIT_TIMEOUT' })
  const next = lockKey(key, 10_000)
  free()
  const freeNext = await next
  freeNext()
  expect(existsSync(`${key}.lock`)).toBe(false)
})

test('The lock of a run that died is broken', async () => {
  // Greater than any pid the kernel gives out.
  writeFileSync(`${key}.lock`, '4194305\n')
  const free = await lockKey(key, 1_000)
  free()
  expect(readdirSync(dir)).toEqual([])
})

test('A lock with this very pid is of an earlier process, as in a container, unless it is held here', async () => {
  writeFileSync(`${key}.lock`, `${process.pid}\n`)
  const free = await lockKey(key, 1)
  await expect(lockKey(key, 1)).rejects.toMatchObject({ code: 'LIMIT_TIMEOUT' })
  free()
})

test('An empty lock is left alone while it may still be written, and broken after a second', async () => {
  writeFileSync(`${key}.lock`, '')
  await expect(lockKey(key, 1)).rejects.toMatchObject({ code: 'LIMIT_TIMEOUT' })
  const before = new Date(Date.now() - 1_500)
  utimesSync(`${key}.lock`, before, before)
  const free = await lockKey(key, 1)
  free()
  expect(readdirSync(dir)).toEqual([])
})

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s leaves no lock behind',
  async (signal) => {
    const source = new URL('../../../src/publish/key-lock.ts', import.meta.url)
    const script = `import { lockKey } from '${source}'
await lockKey(${JSON.stringify(key)}, 1000); console.log('held'); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    expect(existsSync(`${key}.lock`)).toBe(true)
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([128 + constants.signals[signal], null])
    expect(existsSync(`${key}.lock`)).toBe(false)
  },
  60_000,
)
