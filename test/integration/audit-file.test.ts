/** The audit log of a seed as files: what a line says, how much disk it takes, what becomes of older forms. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../src/limits.ts'
import type { PeerId } from '../../src/model/ids.ts'
import { auditFile } from '../../src/store/audit-file.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { PREFIX } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import { AUDIT, writeRecord } from '../../src/store/records.ts'
import { CHANNEL, FLEET, makeRelease } from '../contract/store-fixtures.ts'

const peer = '12D3KooWGRUVh5YhGvVcaG2WqUQ3J1Y3hGrp1Ue9qVQ1m5Vvvvvv' as PeerId
const release = makeRelease(1, [{ path: 'a', content: 'a' }]).id
const line = (at: number) => ({ at, peer, release, channel: CHANNEL, answer: 'NEW' })
const LINE_BYTES = JSON.stringify({ ...line(0), at: new Date(0).toISOString() }).length + 1

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'confmesh-audit-'))
})
afterEach(() => rm(data, { recursive: true, force: true }))

const read = async (name: string): Promise<{ at: string }[]> =>
  (await readFile(join(data, name), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text) as { at: string })
const files = async () => (await readdir(data)).filter((name) => name.startsWith('audit')).sort()

function storeIn(notes: EffectOf<'note'>[] = [], limits: Limits = LIMITS): LevelStore {
  return new LevelStore({
    dir: join(data, 'store'),
    floorDir: join(data, 'floor'),
    fleetId: FLEET,
    limits,
    log: { note: (note) => void notes.push(note) },
  })
}

test('a submission is a line that says who, what, where, when and the answer', async () => {
  const store = storeIn()
  await store.open()
  await store.load()
  await store.commit([{ kind: 'audit', ...line(1_700_000_000_000) }], false)
  await store.close()
  expect(await read('audit.jsonl')).toEqual([
    { at: '2023-11-14T22:13:20.000Z', peer, release, channel: CHANNEL, answer: 'NEW' },
  ])
  expect((await stat(join(data, 'audit.jsonl'))).mode & 0o777).toBe(0o600)
})

test('it takes so many files of such a size and no more; the newest lines stay, in order', async () => {
  const log = auditFile(data, { maxAuditBytes: 10 * LINE_BYTES, keepAuditFiles: 2 })
  for (let at = 0; at < 95; at += 1) await log.append([line(at)])
  expect(await files()).toEqual(['audit.1.jsonl', 'audit.2.jsonl', 'audit.jsonl'])
  for (const name of await files())
    expect((await stat(join(data, name))).size).toBeLessThanOrEqual(10 * LINE_BYTES)
  const kept = [
    ...(await read('audit.2.jsonl')),
    ...(await read('audit.1.jsonl')),
    ...(await read('audit.jsonl')),
  ]
  expect(kept.map(({ at }) => Date.parse(at))).toEqual(Array.from({ length: 25 }, (_, index) => 70 + index))
})

test('where fewer files are to stay than before, the next one that is set aside takes the others with it', async () => {
  const bytes = { maxAuditBytes: 10 * LINE_BYTES }
  const more = auditFile(data, { ...bytes, keepAuditFiles: 9 })
  for (let at = 0; at < 95; at += 1) await more.append([line(at)])
  expect(await files()).toHaveLength(10)
  await writeFile(join(data, 'audit.2023.jsonl'), 'set aside by somebody else')
  const fewer = auditFile(data, { ...bytes, keepAuditFiles: 2 })
  for (let at = 95; at < 101; at += 1) await fewer.append([line(at)])
  expect(await files()).toEqual(['audit.1.jsonl', 'audit.2.jsonl', 'audit.2023.jsonl', 'audit.jsonl'])
  const kept = [...(await read('audit.2.jsonl')), ...(await read('audit.1.jsonl'))]
  expect(kept.map(({ at }) => Date.parse(at))).toEqual(Array.from({ length: 20 }, (_, index) => 80 + index))
})

test('what a crash tore stays one broken line', async () => {
  await writeFile(join(data, 'audit.jsonl'), '{"at":"20')
  await auditFile(data, LIMITS).append([line(1), line(2)])
  const lines = (await readFile(join(data, 'audit.jsonl'), 'utf8')).trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ answer: 'NEW' })
})

test.each(['/dev/null', 'audit.jsonl'])(
  'a log that cannot be written (a link to %s) is said with a code, and the submission stands',
  async (to) => {
    await symlink(to, join(data, 'audit.jsonl'))
    const notes: EffectOf<'note'>[] = []
    const store = storeIn(notes)
    await store.open()
    await store.load()
    const { writes, id } = makeRelease(2, [{ path: 'a', content: 'b' }])
    await store.commit([...writes, { kind: 'audit', ...line(1) }], true)
    expect(await store.readEnvelope(id)).toBeDefined()
    await store.close()
    expect(notes).toMatchObject([
      { level: 'error', code: 'STORE_FAILED', text: expect.stringMatching(/1 lines .* lost.*audit\.jsonl/) },
    ])
  },
)

test('one that cannot be set aside is said, and does not grow beyond its bytes', async () => {
  const limits = { ...LIMITS, maxAuditBytes: 2 * LINE_BYTES, keepAuditFiles: 1 }
  await mkdir(join(data, 'audit.1.jsonl', 'a folder of somebody'), { recursive: true })
  const log = auditFile(data, limits)
  await log.append([line(1), line(2)])
  await expect(log.append([line(3)])).rejects.toThrow()
  expect(await read('audit.jsonl')).toHaveLength(2)
  const notes: EffectOf<'note'>[] = []
  const store = storeIn(notes, limits)
  await store.open()
  await store.load()
  await store.commit([{ kind: 'audit', ...line(4) }], false)
  await store.close()
  expect(notes).toMatchObject([{ code: 'STORE_FAILED', text: expect.stringMatching(/1 lines .* lost/) }])
})

/** As a build of before `audit.jsonl` left its store. */
async function earlierBuild(entries: readonly (readonly [at: number, value: (key: string) => Uint8Array])[]) {
  const first = storeIn()
  await first.open()
  await first.load()
  await first.close()
  const database = levelDatabase(join(data, 'store'))
  await database.open()
  const keyOf = (at: number) => `${PREFIX.audit}${String(at).padStart(16, '0')}/${'1'.padStart(16, '0')}`
  await database.batch(
    entries.map(([at, value]) => ({ type: 'put', key: keyOf(at), value: value(keyOf(at)) })),
    true,
  )
  await database.close()
}

/** A life of this build; no record of an earlier one is left behind it. */
async function thisBuild() {
  const store = storeIn()
  await store.open()
  await store.load()
  await store.close()
  const after = levelDatabase(join(data, 'store'))
  await after.open()
  for await (const [key] of after.entries(PREFIX.audit)) expect.fail(`${key} is still there`)
  await after.close()
}

test('records of an earlier build become lines, and leave the store; damaged ones go as they are', async () => {
  const { at: _, ...record } = line(0)
  await earlierBuild([
    [7, (key) => writeRecord(AUDIT, key, record)],
    [8, () => new Uint8Array(20)],
  ])
  await thisBuild()
  expect(await read('audit.jsonl')).toEqual([{ ...record, at: new Date(7).toISOString() }])
})

test('a seed’s years of them come over completely and in order', async () => {
  const { at: _, ...record } = line(0)
  const times = Array.from({ length: 1_001 }, (_, at) => at)
  await earlierBuild(times.map((at) => [at, (key) => writeRecord(AUDIT, key, record)]))
  await thisBuild()
  expect((await read('audit.jsonl')).map(({ at }) => Date.parse(at))).toEqual(times)
})
