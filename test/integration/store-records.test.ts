/**
 * Records that LevelDB reads without an error and that are wrong all the same: damaged below its checksums' notice, or
 * whole but in another one's place. Of every kind: verify names it, the next start sets it aside, the one after is clean.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import type { Form } from '../../src/codec/fields.ts'
import { decodeHeader, encodeHeader } from '../../src/codec/header.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import { PAYLOAD_TYPES } from '../../src/model/envelope.ts'
import type { Channel, Digest, KeyId, ReleaseId } from '../../src/model/ids.ts'
import type { EventOf, Snapshot } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import {
  beaconKey,
  blockKey,
  channelKey,
  envelopeKey,
  floorKey,
  leaseKey,
  quarantineKey,
  rootKey,
  sizeKey,
  wholeKey,
} from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import {
  BEACON,
  CHANNEL,
  ENVELOPE,
  FLOOR,
  LEASE,
  MARK,
  ROOT,
  SIZE,
  writeRecord,
} from '../../src/store/records.ts'
import { verifyStore } from '../../src/store/verify.ts'
import {
  blockKeyOf,
  CHANNEL as CHANNEL_NAME,
  digestOf,
  FLEET,
  makeFloor,
  makeRelease,
} from '../contract/store-fixtures.ts'

const app = (counter: number) => makeRelease(counter, [{ path: 'app.yaml', content: `v: ${counter}\n` }])
const [one, two] = [app(1), app(2)]
const other = 'payments/test' as Channel
const beacon = digestOf('beacon key') as string as KeyId
const block = [...one.blocks.keys()].find((digest) => !one.pages.includes(digest)) ?? digestOf('none')
const record = {
  channel: CHANNEL_NAME,
  heads: [one.id],
  active: { release: one.id, epoch: 1, activatedAt: 5, soaked: true },
  lastGood: undefined,
  lastGoodEpoch: 0,
  failed: [],
  history: [],
}
const lease = {
  channel: CHANNEL_NAME,
  place: makeFloor(1, []).top,
  release: two.id,
  envelope: two.envelope,
  holder: undefined,
}

const folders: string[] = []
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

interface Opened {
  readonly store: LevelStore
  readonly snapshot: Snapshot
  readonly notes: EffectOf<'note'>[]
  readonly events: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>[]
  /** Behind the store's back. */
  readonly database: Database
}

/** Runs with the store open and loaded. */
async function running<T>(base: string, run: (opened: Opened) => Promise<T> | T): Promise<T> {
  const notes: EffectOf<'note'>[] = []
  const events: Opened['events'] = []
  const database = levelDatabase(join(base, 'store'))
  const store = new LevelStore({
    database: () => database,
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: FLEET,
    limits: LIMITS,
    log: { note: (note) => void notes.push(note) },
    emit: (event) => void events.push(event),
  })
  await store.open()
  try {
    return await run({ store, snapshot: await store.load(), notes, events, database })
  } finally {
    await store.close()
  }
}

/** A store that holds a record of every kind. */
async function sound(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), 'confmesh-records-'))
  folders.push(base)
  await running(base, ({ store }) =>
    store.commit(
      [
        { kind: 'root', version: 1, envelope: Uint8Array.of(1) },
        ...one.writes,
        { kind: 'channel', record },
        { kind: 'beacon', key: beacon, at: 7, envelope: Uint8Array.of(2) },
        { kind: 'lease', lease },
      ],
      true,
    ),
  )
  return base
}

/** Past the store, as if the disk had done it. */
async function put(
  base: string,
  key: string,
  change: (value: Uint8Array | undefined) => Uint8Array,
): Promise<void> {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  await database.batch([{ type: 'put', key, value: change((await database.get(key))?.slice()) }], true)
  await database.close()
}

async function keyIn(base: string, digest: Digest): Promise<string> {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  const key = await blockKeyOf(database, digest)
  await database.close()
  return key
}

async function remove(base: string, ...keys: readonly string[]): Promise<void> {
  const database = levelDatabase(join(base, 'store'))
  await database.open()
  await database.batch(
    keys.map((key) => ({ type: 'del', key })),
    true,
  )
  await database.close()
}

const flipped = (value: Uint8Array | undefined): Uint8Array => {
  if (value === undefined) throw new Error('there is no such record')
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
  return value
}
const verify = (base: string, more: Partial<Parameters<typeof verifyStore>[0]> = {}) =>
  verifyStore({
    dir: join(base, 'store'),
    floorDirOf: () => join(base, 'floor'),
    limits: LIMITS,
    checkEnvelope: () => undefined,
    ...more,
  })

describe('a damaged record', () => {
  const gone: [string, string, (snapshot: Snapshot) => unknown][] = [
    ['root', rootKey(1), ({ roots }) => roots],
    ['channel', channelKey(CHANNEL_NAME), ({ channels }) => channels],
    ['envelope', envelopeKey(one.id), ({ envelopes }) => envelopes],
    ['mark of a whole release', wholeKey(one.id), ({ whole }) => [...whole]],
    ['beacon', beaconKey(beacon), ({ beacons }) => beacons],
    ['lease', leaseKey(two.id), ({ leases }) => leases],
  ]
  test.each(gone)(
    '(%s) is named by verify, set aside at the start and not there afterwards',
    async (_, key, pick) => {
      const base = await sound()
      await put(base, key, flipped)
      expect(await verify(base)).toContainEqual({ where: key, what: 'its checksum does not hold' })
      await running(base, ({ snapshot, notes }) => {
        expect(snapshot.corrupt).toBe(1)
        // the newest root has a second copy
        if (key !== rootKey(1)) expect(pick(snapshot)).toEqual([])
        expect(notes).toContainEqual(
          expect.objectContaining({ code: 'STORE_CORRUPT', text: expect.stringContaining(`first ${key}`) }),
        )
      })
      await running(base, ({ snapshot }) => expect(snapshot.corrupt).toBe(0))
    },
  )

  test('(floor) comes back from its second copy', async () => {
    const base = await sound()
    await put(base, floorKey(CHANNEL_NAME), flipped)
    await running(base, ({ snapshot }) => expect(snapshot.floors).toEqual([makeFloor(1, [one.id])]))
    expect(await verify(base)).toEqual([])
  })

  test('(size of a block) is written anew where the block is sound', async () => {
    const base = await sound()
    await put(base, sizeKey(block), flipped)
    await running(base, async ({ store, events }) => {
      expect(store.hasBlock(block)).toBe(true)
      expect(await store.readBlock(block)).toBeDefined()
      expect(events).toEqual([])
    })
    expect(await verify(base)).toEqual([])
  })

  test('(block, envelope) that is damaged while the node runs is found when it is read, once', async () => {
    await running(await sound(), async ({ store, database }) => {
      const keyOfBlock = await blockKeyOf(database, block)
      for (const key of [keyOfBlock, envelopeKey(one.id)])
        await database.batch([{ type: 'put', key, value: flipped((await database.get(key))?.slice()) }], true)
      expect(await store.readBlock(block)).toBeUndefined()
      expect(await store.readEnvelope(one.id)).toBeUndefined()
      expect(await store.readEnvelope(one.id)).toBeUndefined()
      expect(await database.get(quarantineKey(keyOfBlock))).toBeDefined()
      expect(await database.get(envelopeKey(one.id))).toBeUndefined()
    })
  })

  test('(envelope) that is gone while the node runs is said to be lost, once', async () => {
    await running(await sound(), async ({ store, events, database }) => {
      await database.batch([{ type: 'del', key: envelopeKey(one.id) }], true)
      expect(await store.readEnvelope(one.id)).toBeUndefined()
      expect(await store.readEnvelope(one.id)).toBeUndefined()
      expect(events).toEqual([{ kind: 'envelopeLost', release: one.id }])
    })
  })
})

describe('a whole record in another one’s place', () => {
  const cases: [string, string, Form<never>, unknown][] = [
    ['root', rootKey(7), ROOT as Form<never>, { version: 8, envelope: Uint8Array.of(1) }],
    ['floor', floorKey(other), FLOOR as Form<never>, makeFloor(1, [])],
    ['channel', channelKey(other), CHANNEL as Form<never>, record],
    ['lease', leaseKey(one.id), LEASE as Form<never>, lease],
    [
      'envelope',
      'envelope/none',
      ENVELOPE as Form<never>,
      { channel: other, number: 9, bytes: one.envelope },
    ],
    ['mark', 'whole/none', MARK as Form<never>, true],
    ['size', 'size/none', SIZE as Form<never>, { bytes: 5, number: 9 }],
    ['beacon', 'beacon/none', BEACON as Form<never>, { at: 1, envelope: Uint8Array.of(1) }],
  ]
  test.each(cases)('(%s) counts as damaged', async (_, key, form, value) => {
    const base = await sound()
    await put(base, key, () => writeRecord(form, key, value as never))
    const before = await running(await sound(), ({ snapshot }) => snapshot)
    const after = await running(base, ({ snapshot }) => snapshot)
    expect(after).toEqual({ ...before, corrupt: 1 })
  })
})

describe('verify', () => {
  test.each<[string, string, Uint8Array, RegExp]>([
    ['a key of no kind', 'strange/key', Uint8Array.of(1), /no record of this store has such a key/],
    [
      'a block under a number that its entry does not give',
      sizeKey(block),
      writeRecord(SIZE, sizeKey(block), { bytes: 5, number: 999 }),
      /no such block is here/,
    ],
    ['a block that is none', blockKey(digestOf('x'), 9), Uint8Array.of(1), /do not give its digest/],
    [
      'the size of no block',
      sizeKey(digestOf('x')),
      writeRecord(SIZE, sizeKey(digestOf('x')), { bytes: 5, number: 9 }),
      /no such block is here/,
    ],
    [
      'whole without a header',
      wholeKey(two.id),
      writeRecord(MARK, wholeKey(two.id), true),
      /its header is not here/,
    ],
    [
      'the header of another release',
      envelopeKey(two.id),
      writeRecord(ENVELOPE, envelopeKey(two.id), { channel: other, number: 9, bytes: one.envelope }),
      /holds another release/,
    ],
    [
      'a header that is none',
      envelopeKey(two.id),
      writeRecord(ENVELOPE, envelopeKey(two.id), { channel: other, number: 9, bytes: Uint8Array.of(1) }),
      /^(?!its checksum)/,
    ],
    [
      'a floor beyond its second copy',
      floorKey(CHANNEL_NAME),
      writeRecord(FLOOR, floorKey(CHANNEL_NAME), makeFloor(2, [two.id])),
      /the second copy .* is behind the store/,
    ],
    [
      'a floor without a second copy',
      floorKey(other),
      writeRecord(FLOOR, floorKey(other), makeFloor(1, [], other)),
      /the second copy .* is not there/,
    ],
  ])('names %s', async (_, key, value, what) => {
    const base = await sound()
    await put(base, key, () => value)
    expect(await verify(base)).toEqual([{ where: expect.any(String), what: expect.stringMatching(what) }])
  })

  const blockOf = (digest: Digest) => ({
    block: { where: `block ${digest}`, what: 'its bytes do not give its digest' },
    whole: {
      where: `release ${one.id}`,
      what: `is noted as whole, but 1 blocks are not here, first ${digest}`,
    },
  })
  test.each([
    ['a block', block],
    ['a page', one.pages[0] ?? digestOf('none')],
  ])('names a release that is noted as whole, %s of which is damaged or gone', async (_, digest) => {
    const said = blockOf(digest)
    const damaged = await sound()
    await put(damaged, await keyIn(damaged, digest), flipped)
    expect(await verify(damaged)).toEqual(expect.arrayContaining([said.block, said.whole]))
    const gone = await sound()
    await remove(gone, await keyIn(gone, digest), sizeKey(digest))
    expect(await verify(gone)).toEqual([said.whole])
  })

  test('asks for the signature of every root, release and beacon, roots first', async () => {
    const base = await sound()
    const asked: string[] = []
    const problems = await verify(base, {
      checkEnvelope: (kind) => {
        asked.push(kind)
        return `no ${kind} of ours`
      },
    })
    expect(asked).toEqual(['root', 'beacon', 'release'])
    expect(problems.map(({ where, what }) => `${where.split(' ')[0]}: ${what}`)).toEqual([
      'root: no root of ours',
      'beacon: no beacon of ours',
      'release: no release of ours',
    ])
  })

  test('names a release that is noted as whole and whose page is none', async () => {
    const base = await sound()
    const bytes = new TextEncoder().encode('no page')
    const header = decodeHeader(
      decodeEnvelope(one.envelope, LIMITS.maxEnvelopeBytes, LIMITS).payload,
      LIMITS,
    ).header
    const payload = encodeHeader({ ...header, pages: [sha256(bytes)] })
    const id = sha256(payload) as string as ReleaseId
    const envelope = encodeEnvelope({ payloadType: PAYLOAD_TYPES.release, payload, signatures: [] })
    await running(base, ({ store }) =>
      store.commit(
        [
          { kind: 'envelope', release: id, channel: CHANNEL_NAME, bytes: envelope },
          { kind: 'block', digest: sha256(bytes), bytes },
          { kind: 'whole', release: id },
        ],
        true,
      ),
    )
    expect(await verify(base)).toEqual([{ where: `release ${id}`, what: expect.any(String) }])
  })

  test('cannot look for floors in what is no folder, and says so', async () => {
    const base = await sound()
    const file = join(base, 'file')
    await writeFile(file, '')
    await expect(verify(base, { floorDirOf: () => file })).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })

  test('passes over what was set aside, and over floors where no folder is named for them', async () => {
    const base = await sound()
    await put(base, quarantineKey('root/1'), () => Uint8Array.of(1))
    await rm(join(base, 'floor'), { recursive: true })
    expect(await verify(base, { floorDirOf: () => undefined })).toEqual([])
    expect(await verify(base)).toEqual([
      { where: join(base, 'floor'), what: expect.stringContaining('is not there') },
    ])
  })
})
