import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { nextClock } from '../../../src/publish/clock.ts'
import { claim, joinMemories, openMemory } from '../../../src/publish/counter.ts'
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

test.each([
  ['another version', (said: object) => ({ ...said, version: 2, fleets: [] })],
  ['one name more', (said: object) => ({ ...said, leases: {} })],
])(
  'A memory of a newer build, with %s, is not called damaged, nor is its removal advised',
  async (_, change) => {
    const path = `${key}.counters.json`
    await openMemory(key).record(at, signed(1))
    const written = JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8'))))
    writeFileSync(path, written)
    const message = expect.stringMatching(
      /written by a newer confmesh; use that one, and do not remove the file$/,
    )
    expect(() => openMemory(key)).toThrow(expect.objectContaining({ code: 'CODEC_UNSUPPORTED', message }))
    expect(readFileSync(path, 'utf8')).toBe(written)
  },
)

test('A link that somebody put where it is written aside leads nowhere', async () => {
  const other = join(dir, 'other')
  writeFileSync(other, 'kept')
  symlinkSync(other, `${key}.counters.json.${process.pid}.new`)
  await openMemory(key).record(at, signed(7))
  expect(readFileSync(other, 'utf8')).toBe('kept')
  expect(lstatSync(`${key}.counters.json`).isFile()).toBe(true)
  expect(openMemory(key).counter(FLEET, CHANNEL, 1)).toBe(7)
})

test('A memory that is there and cannot be read for now is neither empty nor damaged', () => {
  const path = `${key}.counters.json`
  symlinkSync(path, path)
  const unread = { code: 'INPUT_PATH', message: `cannot read ${path}: ELOOP` }
  expect(() => openMemory(key)).toThrow(expect.objectContaining(unread))
  rmSync(path)
  mkdirSync(path)
  expect(() => openMemory(key)).toThrow(expect.objectContaining({ code: 'INPUT_PATH' }))
})

test.each([
  ['ENOSPC', 'STORE_FULL', /nothing was signed; free space or quota$/],
  ['Unknown system error -122', 'STORE_FULL', /nothing was signed; free space or quota$/],
  ['EIO', 'STORE_FAILED', /nothing was signed; try again$/],
  ['EROFS', 'INPUT_PATH', /or give the key by CONFMESH_KEY$/],
])(
  'A memory that cannot be written, by %s, says what helps, and leaves nothing half written',
  async (errno, code, message) => {
    vi.mocked(rename).mockRejectedValue(Object.assign(new Error('as the disk says'), { code: errno }))
    const failed = { code, message: expect.stringMatching(message) }
    await expect(openMemory(key).record(at, signed(1))).rejects.toMatchObject(failed)
    expect(readdirSync(dir)).toEqual([])
  },
)

test('Where the key can be given in no other way none is advised', async () => {
  vi.mocked(rename).mockRejectedValue(Object.assign(new Error('as the disk says'), { code: 'EACCES' }))
  await expect(openMemory(key, '').record(at, signed(1))).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringMatching(/; make the key's folder, and that file, this user's own and writable$/),
  })
})

test('A higher epoch does not take away the counter of the one in force', async () => {
  const releases = [3, 1, 2].map((counter) => signed(counter).release)
  await openMemory(key).record({ ...at, epoch: 2 }, signed(2))
  await openMemory(key).record(at, signed(1))
  await openMemory(key).record({ ...at, epoch: 7 }, signed(3))
  await openMemory(key).record(at, signed(1))
  const memory = openMemory(key)
  expect([1, 2, 3, 7].map((epoch) => memory.counter(FLEET, CHANNEL, epoch))).toEqual([1, 2, 0, 3])
  expect([1, 6, 7, 9].map((root) => memory.epoch(FLEET, CHANNEL, root))).toEqual([1, 2, 7, 7])
  expect(memory.releases(FLEET, CHANNEL).toSorted()).toEqual(releases.toSorted())
})

test('It is bounded: of very many epochs the lowest are forgotten, and its form is as before where there is one', async () => {
  const text = () => JSON.parse(readFileSync(`${key}.counters.json`, 'utf8')).fleets[FLEET][CHANNEL]
  await openMemory(key).record(at, signed(1))
  expect(text()).toEqual({ epoch: 1, counter: 1, releases: [signed(1).release] })
  for (let epoch = 2; epoch <= 40; epoch += 1) await openMemory(key).record({ ...at, epoch }, signed(epoch))
  expect(openMemory(key).counter(FLEET, CHANNEL, 24)).toBe(24)
  expect(openMemory(key).counter(FLEET, CHANNEL, 23)).toBe(0)
  expect(text().earlier).toHaveLength(16)
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

test('A clock names as many publishers as it may hold; the one beyond would end no conflict', () => {
  const others = (count: number) => {
    const clock = Object.fromEntries(
      Array.from({ length: count }, (_, index) => [`p${String(index).padStart(2, '0')}`, index + 1]),
    )
    return { header: { clock: new Map(Object.entries(clock)) } } as unknown as Release
  }
  // Two releases of which neither names all.
  const releases = [others(31), others(7)]
  const clock = nextClock('alice' as Name, CHANNEL, { releases, remembered: 0 }, LIMITS)
  expect([clock.size, clock.get('alice' as Name)]).toEqual([32, 32])
  const beyond = { releases: [others(32)], remembered: 0 }
  expect(nextClock('p00' as Name, CHANNEL, beyond, LIMITS).size).toBe(32)
  expect(() => nextClock('alice' as Name, CHANNEL, beyond, LIMITS)).toThrow(
    expect.objectContaining({ code: 'PUBLISH_COUNTER' }),
  )
})

test('Used-up counters ask for a raised epoch', () => {
  const remembered = Number.MAX_SAFE_INTEGER - 2
  const last = nextClock('alice' as Name, CHANNEL, { releases: [], remembered }, LIMITS)
  expect(last.get('alice' as Name)).toBe(Number.MAX_SAFE_INTEGER - 1)
  expect(() =>
    nextClock('alice' as Name, CHANNEL, { releases: [], remembered: remembered + 1 }, LIMITS),
  ).toThrow(expect.objectContaining({ code: 'PUBLISH_COUNTER' }))
})

test('A memory that knows of a higher epoch alone, as builds before kept it, still takes no place twice', async () => {
  const { release } = make({ clock: { alice: 10 }, header: { fleet: FLEET, channel: CHANNEL, root: 3 } })
  await openMemory(key).record({ ...at, epoch: 5 }, signed(10))
  await expect(claim(openMemory(key), release, 1)).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
  const { release: next } = make({
    clock: { alice: 11 },
    header: { fleet: FLEET, channel: CHANNEL, root: 3 },
  })
  await claim(openMemory(key), next, 1)
})
