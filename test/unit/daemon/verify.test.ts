/** What cannot be looked at is not said to be absent, and what was not looked at is not said to be sound. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/verify.ts'
import { type Verified, verifyData } from '../../../src/daemon/verify.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Floor } from '../../../src/model/floor.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import type { Write } from '../../../src/runtime/ports.ts'
import { levelDatabase } from '../../../src/store/database.ts'
import { FLEET_KEY } from '../../../src/store/keys.ts'
import { LevelStore } from '../../../src/store/level.ts'
import { changePublisherKeys, renew } from '../../../src/trust/edit.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { CHANNEL, digestOf, FLEET, makeFloor } from '../../contract/store-fixtures.ts'
import * as trust from '../trust/fixtures.ts'

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
  writes: readonly Write[] = [],
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
  await store.commit([...floors.map((floor): Write => ({ kind: 'floor', floor })), ...writes], true)
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

/** Without a configuration nobody knows whether there are any. */
const FILES =
  'files that applications read were not looked at: only the configuration says where they are; --config finds them\n'

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
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], notes: [], floorDir: undefined })
  expect(await said()).toBe(
    `the second copy of the floor was not looked at: none in ${join(data, 'floor')} is known to be this store's; --config finds it\n${FILES}${data}: sound\n`,
  )
})

test('and nothing of that where it was', async () => {
  await lived()
  expect(await verifyData(data, LIMITS)).toEqual({
    problems: [],
    notes: [],
    floorDir: floorOf(FLEET),
  })
  expect(await said()).toBe(`${FILES}${data}: sound\n`)
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
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], notes: [], floorDir: floorOf(FLEET) })
  const own = join(floorOf(FLEET), digestOf(CHANNEL))
  await writeFile(own, 'damaged')
  expect((await verifyData(data, LIMITS)).problems).toEqual([
    { where: own, what: 'its checksum does not hold' },
    { where: floorOf(FLEET), what: expect.stringMatching(/^the second copy .* is not there$/) },
  ])
  await rm(floorOf(FLEET), { recursive: true })
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], notes: [], floorDir: undefined })
})

test('a floor of another fleet, in one folder with those of its own, is no second copy', async () => {
  const dir = join(data, 'both')
  await lived(dir, EARLIER, [makeFloor(9, [], CHANNEL, EARLIER)])
  const file = join(dir, digestOf(CHANNEL))
  const theirs = await readFile(file)
  await rm(join(data, 'store'), { recursive: true })
  await lived(dir, FLEET, [makeFloor(2, [])])
  expect(await verifyData(data, LIMITS, dir)).toEqual({ problems: [], notes: [], floorDir: dir })
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
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], notes: [], floorDir: undefined })
  await rm(floorOf(EARLIER), { recursive: true })
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], notes: [], floorDir: floorOf(FLEET) })
})

const pay = trust.name('pay')
const one = trust.rootOne()
const two = renew(one, trust.EXPIRES + 1)
const three = renew(two, trust.EXPIRES + 2)
const four = changePublisherKeys(three, pay, { add: [trust.otherKey.public], remove: [] })
const five = changePublisherKeys(four, pay, { add: [], remove: [trust.publisherKey.id] })
const six = renew(five, trust.EXPIRES + 3)

/** What verify says of a store with these roots, and with a release that names the last. @param short lacks signatures */
async function judged(roots: readonly TrustRoot[], signer: PrivateKey, short?: TrustRoot): Promise<Verified> {
  const named = trust.release(roots.at(-1) ?? one, [signer])
  await lived(
    floorOf(one.fleetId),
    one.fleetId,
    [],
    [
      ...roots.map((root): Write => {
        const keys = root === short ? trust.rootKeys.slice(1, 2) : trust.rootKeys
        return { kind: 'root', version: root.version, envelope: trust.signedRoot(root, keys) }
      }),
      {
        kind: 'envelope',
        release: named.release.id,
        channel: named.release.header.channel,
        bytes: named.bytes,
      },
    ],
  )
  return verifyData(data, LIMITS)
}

test('roots that were made while the node was off are a hole, no damage: those above it count', async () => {
  const found = await judged([one, two, three, five, six], trust.otherKey)
  expect(found).toMatchObject({ problems: [], notes: [expect.stringMatching(/^root 4 is not here/)] })
  expect(await said()).toMatch(/^root 4 is not here.*\n.*\n.*: sound\n$/)
})

test('and what is signed as those below it ask, alone, does not pass', async () => {
  const found = await judged([one, five], trust.publisherKey)
  expect(found).toMatchObject({
    problems: [{ what: expect.stringContaining('no threshold') }],
    notes: [expect.stringMatching(/^roots 2 to 4 are not here/)],
  })
})

test('above a hole another fleet is none of ours; what is there and does not follow is no hole', async () => {
  const foreign = renew(renew(trust.rootOne([], 3), 1), 2)
  expect(await judged([one, foreign], trust.publisherKey)).toMatchObject({
    problems: [{ where: 'root 3', what: expect.stringContaining('another fleet') }],
    notes: [],
  })
  await rm(join(data, 'store'), { recursive: true })
  expect(await judged([one, two, three, four], trust.publisherKey, two)).toMatchObject({
    problems: [
      { where: 'root 2', what: expect.stringContaining('lacks signatures') },
      { where: 'root 3', what: expect.stringContaining('does not follow 1') },
      { where: 'root 4', what: expect.stringContaining('does not follow 1') },
    ],
    notes: [],
  })
})
