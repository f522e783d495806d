/** What cannot be looked at is not said to be absent, and what was not looked at is not said to be sound. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/verify.ts'
import { verifyData } from '../../../src/daemon/verify.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Floor } from '../../../src/model/floor.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import { levelDatabase } from '../../../src/store/database.ts'
import { FLEET_KEY } from '../../../src/store/keys.ts'
import { LevelStore } from '../../../src/store/level.ts'
import { CHANNEL, digestOf, FLEET, makeFloor } from '../../contract/store-fixtures.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, stat: vi.fn(real.stat), readdir: vi.fn(real.readdir) }
})

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'confmesh-verify-'))
})
afterEach(async () => {
  vi.mocked(stat).mockReset()
  vi.mocked(readdir).mockReset()
  vi.restoreAllMocks()
  await rm(data, { recursive: true })
})

const floorOf = (fleet: FleetId): string => join(data, 'floor', fleet.slice(0, 8))

async function lived(
  floorDir = floorOf(FLEET),
  fleetId = FLEET,
  floors: readonly Floor[] = [],
): Promise<void> {
  const store = new LevelStore({
    dir: join(data, 'store'),
    floorDir,
    fleetId,
    limits: LIMITS,
    log: { note: () => {} },
  })
  await store.open()
  await store.load()
  await store.commit(
    floors.map((floor) => ({ kind: 'floor', floor })),
    true,
  )
  await store.close()
}
const failing = (code: string) => () => Promise.reject(Object.assign(new Error(`${code}: as told`), { code }))

test.each([
  ['EACCES', { code: 'USAGE', message: expect.stringContaining("run this as the node's user") }],
  ['EIO', { code: 'STORE_FAILED', message: expect.stringContaining('EIO') }],
  ['ENOENT', { code: 'STORE_MISSING' }],
  ['ENOTDIR', { code: 'STORE_MISSING' }],
])('a store that gives %s when it is looked at', async (code, said) => {
  if (code.startsWith('ENO')) {
    if (code === 'ENOTDIR') await writeFile(join(data, 'store'), '')
  } else {
    await lived()
    vi.mocked(stat).mockImplementationOnce(failing(code))
  }
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject(said)
})

test.each([
  ['EACCES', 'USAGE'],
  ['EIO', 'STORE_FAILED'],
])('a folder of floors that gives %s is not taken for none', async (code, said) => {
  await lived()
  vi.mocked(readdir).mockImplementationOnce(failing(code))
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject({ code: said })
})

test('the files of a store that cannot be listed are not taken for sound', async () => {
  await lived()
  // The first listing is that of the floors.
  vi.mocked(readdir)
    .mockImplementationOnce(async () => [])
    .mockImplementationOnce(failing('EIO'))
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject({ code: 'STORE_FAILED' })
})

async function said(): Promise<string> {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const program = new Command()
  register(program)
  await program.parseAsync(['verify', '--data', data], { from: 'user' })
  return written.mock.calls.map(([text]) => String(text)).join('')
}

test('where the floor lies elsewhere, that it was not looked at is said, and what finds it', async () => {
  await mkdir(join(data, 'elsewhere'))
  await lived(join(data, 'elsewhere'))
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: undefined })
  expect(await said()).toBe(
    `the second copy of the floor was not looked at: none in ${join(data, 'floor')} is known to be this store's; --config finds it\n${data}: sound\n`,
  )
})

test('and nothing of that where it was', async () => {
  await lived()
  expect(await verifyData(data, LIMITS)).toEqual({
    problems: [],
    floorDir: floorOf(FLEET),
  })
  expect(await said()).toBe(`${data}: sound\n`)
})

const EARLIER = '0'.repeat(64) as FleetId

/** The host was of another fleet before, whose floors stay below `<data>/floor`; first in the alphabet. */
async function changedFleets(): Promise<void> {
  await lived(floorOf(EARLIER), EARLIER, [makeFloor(9, [], CHANNEL, EARLIER)])
  await rm(join(data, 'store'), { recursive: true })
  await lived(floorOf(FLEET), FLEET, [makeFloor(2, [])])
}

test("where floors of another fleet lie beside them, those of the store's own are looked at", async () => {
  await changedFleets()
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: floorOf(FLEET) })
  const own = join(floorOf(FLEET), digestOf(CHANNEL))
  await writeFile(own, 'damaged')
  expect((await verifyData(data, LIMITS)).problems).toEqual([
    { where: own, what: 'its checksum does not hold' },
    { where: floorOf(FLEET), what: expect.stringMatching(/^the second copy .* is not there$/) },
  ])
  await rm(floorOf(FLEET), { recursive: true })
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: undefined })
})

test('a floor of another fleet, in one folder with those of its own, is no second copy', async () => {
  const dir = join(data, 'both')
  await lived(dir, EARLIER, [makeFloor(9, [], CHANNEL, EARLIER)])
  const file = join(dir, digestOf(CHANNEL))
  const theirs = await readFile(file)
  await rm(join(data, 'store'), { recursive: true })
  await lived(dir, FLEET, [makeFloor(2, [])])
  expect(await verifyData(data, LIMITS, dir)).toEqual({ problems: [], floorDir: dir })
  await writeFile(file, theirs)
  expect((await verifyData(data, LIMITS, dir)).problems).toEqual([
    { where: dir, what: expect.stringMatching(/^the second copy .* is not there$/) },
  ])
})

test('a store that does not say whose it is: the only floors there are its own, of several none are looked at', async () => {
  const unnamed = async () => {
    const database = levelDatabase(join(data, 'store'), { mustExist: true })
    await database.open()
    await database.batch([{ type: 'del', key: FLEET_KEY }], true)
    await database.close()
  }
  await changedFleets()
  await unnamed()
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: undefined })
  await rm(floorOf(EARLIER), { recursive: true })
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: floorOf(FLEET) })
})
