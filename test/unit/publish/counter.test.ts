import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import { nextClock } from '../../../src/publish/clock.ts'
import { joinMemories, openMemory } from '../../../src/publish/counter.ts'
import { make } from '../core/fleet.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open), rename: vi.fn(real.rename) }
})

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
afterEach(() => {
  vi.mocked(open).mockReset()
  vi.mocked(rename).mockReset()
  rmSync(dir, { recursive: true, force: true })
})

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

test('Its new name is on disk as well before anything signed leaves', async () => {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  const order: string[] = []
  vi.mocked(open).mockImplementation(async (path, ...how) => {
    const handle = await real.open(path, ...how)
    const sync = handle.sync.bind(handle)
    handle.sync = async () => {
      await sync()
      order.push(path === dir ? 'folder synced' : 'file synced')
    }
    return handle
  })
  vi.mocked(rename).mockImplementation(async (from, to) => {
    await real.rename(from, to)
    order.push('renamed')
  })
  await openMemory(key).record(at, signed(1))
  expect(order).toEqual(['file synced', 'renamed', 'folder synced'])
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
