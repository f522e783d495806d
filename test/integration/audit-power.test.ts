/** The power goes while an earlier build's audit log moves from the store to its file: each line is in one of the two. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { PeerId } from '../../src/model/ids.ts'
import { auditLog } from '../../src/store/audit-log.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { PREFIX } from '../../src/store/keys.ts'
import { AUDIT, writeRecord } from '../../src/store/records.ts'
import { CHANNEL, makeRelease } from '../contract/store-fixtures.ts'

/** What a power cut leaves: of each file its bytes as they were last synced, of the folder its names as they were. */
const bytesOf = new Map<number, string>()
const names = new Map<string, number>()
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const note = async (path: string) => {
    const { ino } = await real.stat(path)
    if (path !== data) return void bytesOf.set(ino, await real.readFile(path, 'utf8'))
    names.clear()
    for (const name of await real.readdir(path)) names.set(name, (await real.stat(join(path, name))).ino)
  }
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const file = await real.open(...args)
      const sync = file.sync.bind(file)
      file.sync = async () => {
        await sync()
        await note(String(args[0]))
      }
      return file
    },
  }
})

let data: string
beforeEach(async () => {
  bytesOf.clear()
  names.clear()
  data = await mkdtemp(join(tmpdir(), 'confmesh-audit-power-'))
})
afterEach(() => rm(data, { recursive: true, force: true }))

const peer = '12D3KooWGRUVh5YhGvVcaG2WqUQ3J1Y3hGrp1Ue9qVQ1m5Vvvvvv' as PeerId
const release = makeRelease(1, [{ path: 'a', content: 'a' }]).id
const record = { peer, release, channel: CHANNEL, answer: 'NEW' }
const LINE_BYTES = JSON.stringify({ at: new Date(0).toISOString(), ...record }).length + 1
const COUNT = 1_500

const timesIn = (texts: readonly string[]): number[] =>
  texts.flatMap((text) =>
    text.split('\n').flatMap((line) => (line === '' ? [] : [Date.parse(JSON.parse(line).at)])),
  )

test.each([
  ['into one file', LIMITS],
  ['into several', { ...LIMITS, maxAuditBytes: 400 * LINE_BYTES, keepAuditFiles: 9 }],
])('no record leaves the store before its line is on disk: %s', async (_, limits) => {
  const database = levelDatabase(join(data, 'store'))
  await database.open()
  const keyOf = (at: number) => `${PREFIX.audit}${String(at).padStart(16, '0')}/${'1'.padStart(16, '0')}`
  for (let at = 0; at < COUNT; at += 1) {
    const value = writeRecord(AUDIT, keyOf(at), record)
    await database.batch([{ type: 'put', key: keyOf(at), value }], false)
  }
  const cuts: [gone: number, onDisk: number][] = []
  let gone = 0
  await auditLog(data, limits, { note: ({ text }) => expect.fail(text) }).takeOver({
    ...database,
    async batch(operations, sync) {
      gone += operations.length
      const left = [...names].flatMap(([name, ino]) =>
        name.startsWith('audit') ? [bytesOf.get(ino) ?? ''] : [],
      )
      cuts.push([gone, new Set(timesIn(left)).size])
      await database.batch(operations, sync)
    },
  })
  await database.close()
  expect(cuts).toEqual([
    [1_000, 1_000],
    [COUNT, COUNT],
  ])
  const files = (await readdir(data)).filter((name) => name.startsWith('audit'))
  const texts = await Promise.all(files.map((name) => readFile(join(data, name), 'utf8')))
  expect(timesIn(texts)).toHaveLength(COUNT)
  expect((await stat(join(data, 'audit.jsonl'))).size).toBeLessThanOrEqual(limits.maxAuditBytes)
})

test('damaged records go by themselves, with no line to write before', async () => {
  const database = levelDatabase(join(data, 'store'))
  await database.open()
  const key = `${PREFIX.audit}${'7'.padStart(16, '0')}/${'1'.padStart(16, '0')}`
  await database.batch([{ type: 'put', key, value: new Uint8Array(9) }], true)
  await auditLog(data, LIMITS, { note: ({ text }) => expect.fail(text) }).takeOver(database)
  expect(await database.get(key)).toBeUndefined()
  await database.close()
  expect((await readdir(data)).filter((name) => name.startsWith('audit'))).toEqual([])
})
