/** A stopped node's files with one bit changed, everywhere: found, never served, the floor never lower. */
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import { joinFloors } from '../../src/model/floor.ts'
import { FORMAT } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { verifyStore } from '../../src/store/verify.ts'
import { FLEET, makeFloor, makeRelease, OTHER_FLEET } from '../contract/store-fixtures.ts'

const releases = [1, 2, 3].map((counter) =>
  makeRelease(counter, [
    { path: 'same.conf', content: 'same '.repeat(30) },
    { path: 'app.yaml', content: `version: ${counter}\n` },
  ]),
)
const newest = makeFloor(
  3,
  releases.slice(2).map(({ id }) => id),
)
const folders: string[] = []
const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'confmesh-damage-'))
  folders.push(folder)
  return folder
}
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

function storeIn(base: string, notes: EffectOf<'note'>[] = [], fleetId = FLEET, limits = LIMITS): LevelStore {
  return new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId,
    limits,
    log: { note: (note) => void notes.push(note) },
  })
}
const verify = (base: string) =>
  verifyStore({
    dir: join(base, 'store'),
    floorDirOf: () => join(base, 'floor'),
    limits: LIMITS,
    checkEnvelope: () => undefined,
  })

/** Everything that can be read, checked against what was written. */
async function readAll(base: string): Promise<{ codes: readonly string[]; served: number }> {
  const notes: EffectOf<'note'>[] = []
  const store = storeIn(base, notes)
  await store.open()
  try {
    const snapshot = await store.load()
    let served = 0
    for (const { blocks, id, envelope } of releases) {
      for (const digest of blocks.keys()) {
        const bytes = await store.readBlock(digest)
        if (bytes === undefined) continue
        expect(sha256(bytes)).toBe(digest)
        served++
      }
      const stored = await store.readEnvelope(id)
      if (stored !== undefined) expect(stored).toEqual(envelope)
    }
    expect(snapshot.floors.reduce(joinFloors)).toEqual(newest)
    return { codes: notes.map(({ code }) => code), served }
  } finally {
    await store.close()
  }
}

let sound = ''
beforeAll(async () => {
  sound = await newFolder()
  for (const { writes } of releases) {
    // Each start turns the log of the last run into a table, so that both kinds of file are there.
    const store = storeIn(sound)
    await store.open()
    await store.load()
    await store.commit([{ kind: 'root', version: 1, envelope: Uint8Array.of(1, 2, 3) }, ...writes], true)
    await store.close()
  }
})

const filesIn = async (base: string): Promise<readonly string[]> =>
  (await readdir(base, { recursive: true, withFileTypes: true }))
    .filter((found) => found.isFile() && !found.parentPath.includes('.lock'))
    .map((found) => join(found.parentPath, found.name).slice(base.length + 1))
    .filter((path) => !/(LOCK|LOG|LOG\.old)$/.test(path))
    .sort()

test('a sound store is sound', async () => {
  // Not itself: opening it would turn its log into a table, and no later test would have one to damage.
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  expect(await verify(base)).toEqual([])
  const kinds = (await filesIn(sound)).map((path) => /ldb$|log$|MANIFEST|CURRENT|^floor/.exec(path)?.[0])
  expect(new Set(kinds)).toEqual(new Set(['ldb', 'log', 'MANIFEST', 'CURRENT', 'floor']))
})

const flipped = (bytes: Buffer, at: number): Buffer => {
  const damaged = Buffer.from(bytes)
  damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
  return damaged
}

/** Of a log: with a greater length its last write looks like one that a kill cut short, which is no damage. */
const LENGTH_OF_WRITE = 5

test('a flipped bit in any byte of any file is found by verify', async () => {
  const missed: string[] = []
  for (const path of await filesIn(sound)) {
    const base = await newFolder()
    await cp(sound, base, { recursive: true })
    const bytes = await readFile(join(base, path))
    for (let at = 0; at < bytes.length; at++) {
      await writeFile(join(base, path), flipped(bytes, at))
      if ((await verify(base)).length === 0) missed.push(`${path.replace(/\d+/, 'n')} ${at}`)
    }
    // Else what was found may have been what verify itself broke.
    await writeFile(join(base, path), bytes)
    expect(await verify(base)).toEqual([])
  }
  expect(missed).toEqual([`store/n.log ${LENGTH_OF_WRITE}`])
})

test('with a flipped bit at a dozen places of each file no wrong byte is ever served', async () => {
  const all = releases.flatMap(({ blocks }) => [...blocks.keys()]).length
  for (const path of await filesIn(sound)) {
    const bytes = await readFile(join(sound, path))
    const step = Math.max(1, Math.floor(bytes.length / 12))
    const places = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) => at * step)
    for (const at of [...places, LENGTH_OF_WRITE]) {
      const base = await newFolder()
      await cp(sound, base, { recursive: true })
      await writeFile(join(base, path), flipped(bytes, at))
      const { served } = await readAll(base)
      expect(served).toBeLessThanOrEqual(all)
      await rm(base, { recursive: true })
    }
  }
})

describe('whole files', () => {
  const cases: Readonly<Record<string, (base: string, path: string) => Promise<void>>> = {
    emptied: (base, path) => writeFile(join(base, path), ''),
    'cut in half': async (base, path) => {
      const bytes = await readFile(join(base, path))
      await writeFile(join(base, path), bytes.subarray(0, bytes.length / 2))
    },
    removed: (base, path) => rm(join(base, path)),
  }
  test.each(Object.entries(cases))(
    '%s: the node starts, serves nothing wrong, and keeps its floor',
    async (_, change) => {
      for (const path of await filesIn(sound)) {
        const base = await newFolder()
        await cp(sound, base, { recursive: true })
        await change(base, path)
        await readAll(base)
        await readAll(base)
      }
    },
  )
})

test('one that has lost its CURRENT is no empty one: what is in it goes on, and the old one is kept', async () => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  await rm(join(base, 'store/CURRENT'))
  const where = join(base, 'store/CURRENT')
  expect(await verify(base)).toEqual([{ where, what: expect.stringContaining('gone') }])
  const tables = (await readdir(join(base, 'store'))).filter((name) => name.endsWith('.ldb'))
  expect(tables).not.toEqual([])
  const { codes, served } = await readAll(base)
  expect(codes).toEqual(['STORE_CORRUPT'])
  expect(served).toBe(releases.flatMap(({ blocks }) => [...blocks.keys()]).length)
  expect(await readdir(join(base, 'store.corrupt-1'))).toEqual(expect.arrayContaining(tables))
  expect((await readAll(base)).codes).toEqual([])
})

test('so it is where two MANIFESTs are left, of which none is known to be in use; only then nothing can be read', async () => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  await rm(join(base, 'store/CURRENT'))
  const names = await readdir(join(base, 'store'))
  await writeFile(join(base, 'store/MANIFEST-999999'), '')
  const { codes } = await readAll(base)
  expect(codes.slice(0, 2)).toEqual(['STORE_CORRUPT', 'STORE_CORRUPT'])
  expect(await readdir(join(base, 'store.corrupt-1'))).toEqual(
    expect.arrayContaining(names.filter((name) => name.endsWith('.ldb'))),
  )
})

test('a kill in the very first start leaves a MANIFEST alone, which is no damage', async () => {
  const base = await newFolder()
  await mkdir(join(base, 'store'))
  await writeFile(join(base, 'store/MANIFEST-000001'), 'begun')
  await expect(verify(base)).rejects.toMatchObject({ code: 'STORE_MISSING' })
  const notes: EffectOf<'note'>[] = []
  const store = storeIn(base, notes)
  await store.open()
  await store.load()
  await store.close()
  expect(notes).toEqual([])
})

test('a store LevelDB cannot open is set aside, the newest few are kept', async () => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  for (let run = 1; run <= 4; run++) {
    for (const path of await filesIn(base))
      if (/^store\/MANIFEST/.test(path)) await writeFile(join(base, path), 'not a manifest')
    const { codes } = await readAll(base)
    expect(codes).toContain('STORE_CORRUPT')
  }
  const kept = (await readdir(base)).filter((name) => name.startsWith('store.corrupt-')).sort()
  expect(kept).toEqual(['store.corrupt-3', 'store.corrupt-4'])
})

test('a table that cannot be read costs what is in it, also of a store too large to be looked through first', async () => {
  const base = await newFolder()
  // A table for each life but the last, which finds nothing to make one of.
  for (const writes of [...releases.map((release) => release.writes), []]) {
    const store = storeIn(base)
    await store.open()
    await store.load()
    await store.commit(writes, true)
    await store.close()
  }
  const tables = (await readdir(join(base, 'store'))).filter((name) => name.endsWith('.ldb')).sort()
  const path = join(base, 'store', tables.at(-1) ?? '')
  const bytes = await readFile(path)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  await writeFile(path, bytes)

  const notes: EffectOf<'note'>[] = []
  const store = storeIn(base, notes, FLEET, { ...LIMITS, maxCheckedStoreBytes: 0 })
  await store.open()
  const snapshot = await store.load()
  const kept = releases.slice(0, 2)
  expect(snapshot.envelopes.map(({ release }) => release).sort()).toEqual(kept.map(({ id }) => id).sort())
  expect([...snapshot.whole].sort()).toEqual(kept.map(({ id }) => id).sort())
  for (const { blocks } of kept)
    for (const [digest, block] of blocks) expect(await store.readBlock(digest)).toEqual(block)
  expect(snapshot.floors.reduce(joinFloors)).toEqual(newest)
  expect(snapshot).toMatchObject({ corrupt: 1, floorLost: false })
  const text = expect.stringContaining('a table cannot be read')
  expect(notes.at(-1)).toMatchObject({ level: 'error', code: 'STORE_CORRUPT', text })
  await store.close()
  expect(await verify(base)).toEqual([])
})

test('damage is set aside with the store it was in, the sound rest goes on, and after a refill verify is clean', async () => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  let changed = 0
  for (const path of await filesIn(base)) {
    const bytes = await readFile(join(base, path))
    const at = bytes.indexOf('version: 1')
    if (!path.endsWith('.ldb') || at < 0) continue
    bytes[at] = 'V'.charCodeAt(0)
    await writeFile(join(base, path), bytes)
    changed++
  }
  expect(changed).toBe(1)
  const { codes, served } = await readAll(base)
  expect(codes).toContain('STORE_CORRUPT')
  expect(served).toBeGreaterThan(0)
  const store = storeIn(base)
  await store.open()
  await store.load()
  for (const { writes } of releases) await store.commit(writes, true)
  await store.close()
  const again = await readAll(base)
  expect(again.codes).toEqual([])
  expect(await verify(base)).toEqual([])
})

test.each([
  ['newer', FORMAT + 1, 'upgrade this node, or remove this folder alone, as a lost store'],
  ['unknown', 0, 'no build of this line wrote it'],
])('a store of a %s format is refused, and left as it is', async (_, format, advice) => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  const { levelDatabase } = await import('../../src/store/database.ts')
  const { FORMAT_KEY } = await import('../../src/store/keys.ts')
  const { FORMAT_RECORD, writeRecord } = await import('../../src/store/records.ts')
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  const value = writeRecord(FORMAT_RECORD, FORMAT_KEY, format)
  await database.batch([{ type: 'put', key: FORMAT_KEY, value }], true)
  await database.close()
  const refused = { code: 'STORE_VERSION', message: expect.stringContaining(advice) }
  await expect(storeIn(base).open()).rejects.toMatchObject(refused)
  await expect(verify(base)).rejects.toMatchObject(refused)
})

test('one folder, two nodes: the second is refused, whichever folder it shares', async () => {
  const base = await newFolder()
  const first = storeIn(base)
  await first.open()
  await expect(storeIn(base).open()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  const shared = new LevelStore({
    dir: join(base, 'another'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits: LIMITS,
    log: { note: () => {} },
  })
  await expect(shared.open()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await expect(verify(base)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await first.close()
  const second = storeIn(base)
  await second.open()
  await second.close()
})

test('a data folder of another fleet is refused', async () => {
  await expect(storeIn(sound, [], OTHER_FLEET).open()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('no store where verify looks', async () => {
  const base = await newFolder()
  await expect(verify(base)).rejects.toMatchObject({ code: 'STORE_MISSING' })
})

test('a floor file under another channel’s name is damage', async () => {
  const base = await newFolder()
  await cp(sound, base, { recursive: true })
  const [name] = (await readdir(join(base, 'floor'))).filter((file) => /^[0-9a-f]{64}$/.test(file))
  const other = sha256(new TextEncoder().encode('other/channel'))
  await rename(join(base, 'floor', name ?? ''), join(base, 'floor', other))
  const { codes } = await readAll(base)
  expect(codes).toContain('STORE_CORRUPT')
})

test('a root that only its second copy holds, as after a crash between the two writes, is in both after a start', async () => {
  const base = await newFolder()
  const envelope = Uint8Array.of(1, 2, 3)
  const inOneLife = async (act: (store: LevelStore) => Promise<unknown>) => {
    const store = storeIn(base)
    await store.open()
    const { roots } = await store.load()
    await act(store)
    await store.close()
    return roots
  }
  await inOneLife((store) => store.commit([{ kind: 'root', version: 1, envelope }], true))
  await rm(join(base, 'store'), { recursive: true })
  await inOneLife(async () => undefined)
  await rm(join(base, 'floor', 'root'))
  expect(await inOneLife(async () => undefined)).toEqual([{ version: 1, envelope }])
})
