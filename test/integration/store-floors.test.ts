/** The second copy of floors: what a batch that fails would raise is never to be seen in it. */
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FleetId } from '../../src/model/ids.ts'
import type { TrustRoot } from '../../src/model/root.ts'
import type { Write } from '../../src/runtime/ports.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { type FloorFiles, floorFiles, readFloorFiles } from '../../src/store/floor-files.ts'
import { LevelStore } from '../../src/store/level.ts'
import { verifyStore } from '../../src/store/verify.ts'
import { CONTRACT_LIMITS } from '../contract/store-contract.ts'
import { FLEET, makeFloor, makeRelease, OTHER_FLEET } from '../contract/store-fixtures.ts'
import { ROOT, rootBytes } from '../unit/core/fleet.ts'

let base = ''
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-store-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

const floorDir = (): string => join(base, 'floor')
const shown = async (): Promise<readonly number[]> =>
  (await readFloorFiles(floorDir(), CONTRACT_LIMITS)).floors.map(({ top }) => top.counter)
const names = async (): Promise<readonly string[]> => (await readdir(floorDir())).sort()
const [lower, higher] = [makeFloor(1, []), makeFloor(2, [])]

const storeOf = (more: Partial<ConstructorParameters<typeof LevelStore>[0]> = {}): LevelStore =>
  new LevelStore({
    dir: join(base, 'store'),
    floorDir: floorDir(),
    fleetId: FLEET,
    limits: CONTRACT_LIMITS,
    log: { note: () => {} },
    emit: () => {},
    ...more,
  })

async function files() {
  const files = floorFiles(floorDir(), FLEET, CONTRACT_LIMITS)
  await files.load()
  await (await files.prepare([lower], undefined)).show()
  return files
}

test('files show a floor once its batch is on disk, never one of a batch that fails', async () => {
  const seen: (readonly number[])[] = []
  let full = false
  const database = levelDatabase(join(base, 'store'))
  const batch: typeof database.batch = async (operations, sync) => {
    seen.push(await shown())
    if (full) throw Object.assign(new Error('No space left on device'), { code: 'LEVEL_IO_ERROR' })
    await database.batch(operations, sync)
  }
  const store = storeOf({ database: () => ({ ...database, batch }) })
  await store.open()
  await store.load()
  await store.commit([{ kind: 'floor', floor: lower }], true)
  full = true
  await expect(store.commit([{ kind: 'floor', floor: higher }], true)).rejects.toThrow()
  expect(await shown()).toEqual([1])
  full = false
  await store.commit([{ kind: 'floor', floor: higher }, ...makeRelease(3, []).writes], true)
  expect(await shown()).toEqual([3])
  await store.close()
  // At each batch the files were as before it.
  expect(seen.every((floors) => floors.length === 0 || floors[0] === 1)).toBe(true)
  expect(seen.at(-1)).toEqual([1])
})

test('what is written aside is not shown, and what is dropped is gone', async () => {
  const of = await files()
  const before = await names()
  const prepared = await of.prepare([higher], { version: 7, envelope: Uint8Array.of(7) })
  expect(await shown()).toEqual([1])
  await prepared.drop()
  expect(await names()).toEqual(before)
  // Nothing of it is remembered.
  await (await of.prepare([], undefined)).show()
  expect(await shown()).toEqual([1])
})

test('what cannot be renamed is shown by the next one', async () => {
  const of = await files()
  const [name = ''] = await names()
  const prepared = await of.prepare([higher], undefined)
  const path = join(floorDir(), name)
  await rm(path)
  await mkdir(join(path, 'in the way'), { recursive: true })
  await expect(prepared.show()).rejects.toThrow()
  await rm(path, { recursive: true })
  await (await of.prepare([], undefined)).show()
  expect(await shown()).toEqual([2])
})

test('so is a root, unless a newer one comes with that', async () => {
  const of = await files()
  const root = (version: number) => ({ version, envelope: Uint8Array.of(version) })
  const path = join(floorDir(), 'root')
  for (const [lost, next, shown] of [
    [7, undefined, 7],
    [8, 9, 9],
    [11, 10, 11],
  ] as const) {
    const prepared = await of.prepare([], root(lost))
    await rm(path, { force: true })
    await mkdir(join(path, 'in the way'), { recursive: true })
    await expect(prepared.show()).rejects.toThrow()
    await rm(path, { recursive: true })
    await (await of.prepare([], next === undefined ? undefined : root(next))).show()
    expect((await readFloorFiles(floorDir(), CONTRACT_LIMITS)).root).toEqual(root(shown))
  }
})

test('one that cannot be written aside takes the others with it', async () => {
  const of = await files()
  await mkdir(join(floorDir(), 'root.new', 'in the way'), { recursive: true })
  await expect(of.prepare([higher], { version: 7, envelope: Uint8Array.of(7) })).rejects.toThrow()
  expect((await names()).filter((name) => name.endsWith('.new'))).toEqual(['root.new'])
  expect(await shown()).toEqual([1])
})

test('of more channels than a process may open files each floor is written, found aside and shown', () => {
  const moduleOf = (name: string): string => resolve(import.meta.dirname, `../../src/${name}.ts`)
  const script = `
    import { floorFiles, readFloorFiles, readFloorsAside } from '${moduleOf('store/floor-files')}'
    import { LIMITS } from '${moduleOf('limits')}'
    const [dir, fleet] = process.argv.slice(1)
    const floors = Array.from({ length: 500 }, (_, at) =>
      ({ fleet, channel: 'payments/c' + at, top: { epoch: 1, counter: 1, publisher: 'ops' }, ids: [] }))
    const files = floorFiles(dir, fleet, LIMITS)
    await files.load()
    const counts = []
    const prepared = await files.prepare(floors, undefined)
    counts.push((await readFloorsAside(dir, LIMITS)).length)
    await prepared.show()
    counts.push((await readFloorFiles(dir, LIMITS)).floors.length)
    await (await files.prepare(floors.map((floor) => ({ ...floor, top: { ...floor.top, counter: 2 } })))).drop()
    console.log(...counts, (await readFloorsAside(dir, LIMITS)).length)`
  const run = spawnSync(
    'bash',
    [
      '-c',
      'ulimit -n 200; exec "$0" --input-type=module -e "$@"',
      process.execPath,
      script,
      floorDir(),
      FLEET,
    ],
    { encoding: 'utf8' },
  )
  expect([run.stdout, run.stderr]).toEqual(['500 500 0\n', ''])
})

const problems = async () =>
  (
    await verifyStore({
      dir: join(base, 'store'),
      floorDirOf: floorDir,
      limits: CONTRACT_LIMITS,
      checkEnvelope: () => undefined,
    })
  ).map(({ what }) => what)

async function inOneLife(
  floor?: typeof lower,
  more: Parameters<typeof storeOf>[0] = {},
  writes: readonly Write[] = [],
): Promise<void> {
  const store = storeOf(more)
  await store.open()
  await store.load()
  if (floor !== undefined) await store.commit([{ kind: 'floor', floor }], true)
  if (writes.length > 0) await store.commit(writes, true)
  await store.close()
}

/** A life whose batch is on disk when it is killed, before its files are renamed. */
function killedAfterBatch(floor: typeof lower): Promise<void> {
  const real = floorFiles(floorDir(), FLEET, CONTRACT_LIMITS)
  const prepare: FloorFiles['prepare'] = async (floors, root) => ({
    ...(await real.prepare(floors, root)),
    show: async () => {},
  })
  return inOneLife(floor, { floors: { ...real, prepare } })
}

test('a process killed between a batch and the renaming leaves a sound node: the second copy lies aside', async () => {
  await killedAfterBatch(higher)
  expect(await shown()).toEqual([])
  expect(await problems()).toEqual([])
  const [aside = ''] = (await names()).filter((name) => name.endsWith('.new'))
  await truncate(join(floorDir(), aside), 20)
  expect(await problems()).toEqual([expect.stringMatching(/the second copy of the floor .* is not there/)])
  await inOneLife()
  expect(await shown()).toEqual([2])
  expect(await problems()).toEqual([])
})

test('of the copy that is shown and the one aside the greater counts', async () => {
  await inOneLife(lower)
  await killedAfterBatch(higher)
  expect(await shown()).toEqual([1])
  expect(await problems()).toEqual([])
  const [aside = ''] = (await names()).filter((name) => name.endsWith('.new'))
  await truncate(join(floorDir(), aside), 20)
  expect(await problems()).toEqual([expect.stringMatching(/the second copy of the floor .* is behind/)])
  await inOneLife()
  expect(await shown()).toEqual([2])
})

test('what lies aside and is no floor counts for nothing', async () => {
  await inOneLife(lower)
  await writeFile(join(floorDir(), 'notes.new'), 'somebody’s')
  expect(await problems()).toEqual([])
  await inOneLife()
  expect(await shown()).toEqual([1])
})

test('a full disk under the files alone keeps the store read-only until that disk takes bytes', async () => {
  let full = false
  const real = floorFiles(floorDir(), FLEET, CONTRACT_LIMITS)
  const prepare: FloorFiles['prepare'] = async (...of) => {
    if (!full) return real.prepare(...of)
    // What looks whether there is room again finds none, once: the link goes with it.
    await symlink('/dev/full', join(floorDir(), 'probe'))
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }
  const modes: boolean[] = []
  const store = storeOf({
    floors: { ...real, prepare },
    // Nobody looks in between.
    limits: { ...CONTRACT_LIMITS, storeProbeMs: 2 ** 30 },
    emit: (event) => void (event.kind === 'storeMode' && modes.push(event.readOnly)),
  })
  await store.open()
  await store.load()
  full = true
  await expect(store.commit([{ kind: 'floor', floor: lower }], true)).rejects.toMatchObject({
    code: 'STORE_FULL',
    message: expect.stringContaining(floorDir()),
  })
  expect(modes).toEqual([true])
  full = false
  await store.commit([{ kind: 'floor', floor: lower }], true)
  expect(modes).toEqual([true, false])
  expect(await shown()).toEqual([1])
  await store.close()
})

test('the root of another fleet in the folder counts as absent, whatever its version, and gives way', async () => {
  const theirs: TrustRoot = { ...ROOT, fleetId: OTHER_FLEET, version: 9 }
  const write = (root: TrustRoot, fleetId: FleetId) =>
    inOneLife(undefined, { fleetId }, [{ kind: 'root', version: root.version, envelope: rootBytes(root) }])
  await write(theirs, OTHER_FLEET)
  const left = async () => (await readFloorFiles(floorDir(), CONTRACT_LIMITS)).root
  expect(await left()).toEqual({ version: 9, envelope: rootBytes(theirs) })
  await rm(join(base, 'store'), { recursive: true })

  const store = storeOf({ fleetId: ROOT.fleetId })
  await store.open()
  expect((await store.load()).roots).toEqual([])
  await store.close()
  await write(ROOT, ROOT.fleetId)
  expect(await left()).toEqual({ version: 1, envelope: rootBytes(ROOT) })
})
