/** What a record `whole` counts on is gone: the node misses it at its next start, and gets it again. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import type { Effect } from '../../src/core/effects.ts'
import type { Event } from '../../src/core/events.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest } from '../../src/model/ids.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { envelopeKey, PREFIX, sizeKey } from '../../src/store/keys.ts'
import { LevelStore } from '../../src/store/level.ts'
import type { LevelStoreInit } from '../../src/store/level-init.ts'
import { exists } from '../../src/store/replacement.ts'
import { verifyStore } from '../../src/store/verify.ts'
import { blockKeyOf, blockKeysOf, OTHER_FLEET, withDatabase } from '../contract/store-fixtures.ts'
import { BenchNode, ofKind } from '../unit/core/bench-node.ts'
import { make, PEER, ROOT } from '../unit/core/fleet.ts'

const made = make({ clock: { alice: 1 } })
const block = sha256(made.block)

let base: string
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-whole-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

const storeIn = (folder: string, further: Partial<LevelStoreInit> = {}): LevelStore =>
  new LevelStore({
    dir: join(folder, 'store'),
    floorDir: join(folder, 'floor'),
    fleetId: ROOT.fleetId,
    limits: LIMITS,
    log: { note: () => {} },
    ...further,
  })

async function opened(folder: string, further: Partial<LevelStoreInit> = {}) {
  const store = storeIn(folder, further)
  await store.open()
  return { store, snapshot: await store.load() }
}

/** A life that stores the release; `folder` is left as after its end, which was a kill where that is said. */
async function lived(folder: string, end: 'clean' | 'killed' = 'clean'): Promise<void> {
  const at = end === 'clean' ? folder : join(folder, 'before')
  const { store, snapshot } = await opened(at)
  const node = new BenchNode({ submit: true })
  const commit = async (effects: readonly Effect[]): Promise<void> => {
    for (const { writes, sync, ticket } of ofKind(effects, 'persist')) {
      await store.commit(writes, sync)
      await commit(node.run({ kind: 'persisted', ticket }))
    }
  }
  await commit(node.start(snapshot))
  const source = { via: 'submit', peer: PEER } as const
  await commit(node.inside((step, journey) => journey.ingestWhole(step, made.envelope, made.content, source)))
  if (end === 'killed')
    await cp(at, folder, { recursive: true, filter: (path) => !/before.before/.test(path) })
  await store.close()
}

const inDatabase = <T>(act: (database: Database) => Promise<T>): Promise<T> =>
  withDatabase(join(base, 'store'), act)

const flip = (key: string) =>
  inDatabase(async (database) => {
    const value = (await database.get(key))?.slice() ?? new Uint8Array(1)
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
    await database.batch([{ type: 'put', key, value }], true)
  })
const remove = (...keys: readonly string[]) =>
  inDatabase((database) =>
    database.batch(
      keys.map((key) => ({ type: 'del', key })),
      true,
    ),
  )

/** What the next life has, and what it asks its peer for. */
async function restarted() {
  const { store, snapshot } = await opened(base)
  const node = new BenchNode({ submit: true })
  node.peer(PEER, { submit: true })
  const wants: string[] = []
  const run = async (effects: readonly Effect[]): Promise<void> => {
    for (const effect of effects) {
      if (effect.kind === 'persist') {
        await store.commit(effect.writes, effect.sync)
        await run(node.run({ kind: 'persisted', ticket: effect.ticket }))
      } else if (effect.kind === 'read') {
        const bytes = await store.readBlock(effect.digest)
        await run(node.run({ kind: 'blockRead', digest: effect.digest, bytes }))
      } else if (effect.kind === 'request' && effect.request.message.type === 'want')
        wants.push(effect.request.message.digest)
    }
  }
  await run(node.start(snapshot))
  for (let second = 1; second < 60; second++) {
    node.monoMs = second * 1000
    await run(node.run({ kind: 'tick' }))
  }
  await store.close()
  const hasBlock = snapshot.blocks.has(block)
  return { isWhole: snapshot.whole.includes(made.id), hasBlock, wants: new Set(wants) }
}

test('a block whose entry in the index is damaged: the block is there, the entry is written anew', async () => {
  await lived(base)
  await flip(sizeKey(block))
  const healed = { isWhole: true, hasBlock: true, wants: new Set() }
  expect(await restarted()).toEqual(healed)
  expect(await restarted()).toEqual(healed)
  const { length } = await verifyStore({
    dir: join(base, 'store'),
    floorDirOf: () => join(base, 'floor'),
    limits: LIMITS,
    checkEnvelope: () => undefined,
  })
  expect(length).toBe(0)
})

test('a block that is damaged with its entry: the release is not whole, the block is asked for, the rest of it goes', async () => {
  await lived(base)
  await flip(sizeKey(block))
  await flip(await inDatabase((database) => blockKeyOf(database, block)))
  const lacking = { isWhole: false, hasBlock: false, wants: new Set([block]) }
  expect(await restarted()).toEqual(lacking)
  expect(await inDatabase((database) => blockKeysOf(database, block))).toEqual([])
  // nothing is damaged any more, nor was the end unclean: what was found is written down
  expect(await restarted()).toEqual(lacking)
})

test.each([
  ['a block', block],
  ['a page', sha256(made.page)],
])('%s that an unclean end took: the release is not whole, it is asked for', async (_, gone) => {
  await lived(base, 'killed')
  await remove(await inDatabase((database) => blockKeyOf(database, gone)), sizeKey(gone))
  const { isWhole, wants } = await restarted()
  expect({ isWhole, wants }).toEqual({ isWhole: false, wants: new Set([gone]) })
})

/** What a start may fail with before it has looked for what is lost, or written down what it found. */
const failures: Readonly<Record<string, Partial<LevelStoreInit>>> = {
  'is of another fleet': { fleetId: OTHER_FLEET },
  'cannot read the second copies of floors': {
    floors: { load: () => Promise.reject(new Error('EIO')), prepare: () => Promise.reject(new Error('EIO')) },
  },
  'cannot write what it found': {
    database: (dir) => {
      const raw = levelDatabase(dir)
      const batch: Database['batch'] = (operations, sync) =>
        operations.some(({ key }) => key.startsWith(PREFIX.whole))
          ? Promise.reject(new Error('IO error: 5.log: No space left on device'))
          : raw.batch(operations, sync)
      return { ...raw, batch }
    },
  },
}
test.each(Object.keys(failures))(
  'a start that %s leaves it to the next one to miss what an unclean end took',
  async (failure) => {
    await lived(base, 'killed')
    await remove(await inDatabase((database) => blockKeyOf(database, block)), sizeKey(block))
    const store = storeIn(base, failures[failure])
    await store.open().then(
      () => store.load().catch(() => undefined),
      () => undefined,
    )
    await store.close()
    expect(await restarted()).toEqual({ isWhole: false, hasBlock: false, wants: new Set([block]) })
    expect(await exists(join(base, 'store-ends'))).toBe(false)
  },
)

test('an envelope that is damaged while the node runs is written anew, and the release activated', async () => {
  const { store, snapshot } = await opened(base)
  const node = new BenchNode({ submit: true })
  let activated = 0
  const run = async (effects: readonly Effect[]): Promise<void> => {
    for (const effect of effects) {
      if (effect.kind === 'persist') {
        await store.commit(effect.writes, effect.sync)
        await run(node.run({ kind: 'persisted', ticket: effect.ticket }))
      } else if (effect.kind === 'read') {
        const bytes = await store.readBlock(effect.digest)
        await run(node.run({ kind: 'blockRead', digest: effect.digest, bytes }))
      } else if (effect.kind === 'activate') {
        // as one of the activator does, which reads the manifest first
        const { channel, release } = effect
        if (activated === 0) await store.commit([{ kind: 'dropEnvelope', release }], true)
        activated++
        const isThere = (await store.readEnvelope(release)) !== undefined
        const outcome = isThere
          ? ({ kind: 'healthy', changed: 1 } as const)
          : ({ kind: 'failed', code: 'CONTENT_GONE', text: 'the header is not in the store' } as const)
        await run(node.run({ kind: 'activated', channel, release, outcome }))
      }
    }
  }
  await run(node.start(snapshot))
  const source = { via: 'submit', peer: PEER } as const
  await run(node.inside((step, journey) => journey.ingestWhole(step, made.envelope, made.content, source)))
  for (let second = 1; second < 120; second++) {
    node.monoMs = second * 1000
    await run(node.run({ kind: 'tick' }))
  }
  await store.close()
  expect({ activated, active: node.view().channels[0]?.active?.id }).toEqual({
    activated: 2,
    active: made.id,
  })
})

test('an envelope that is damaged outside an activation is written anew, and holds up no collection', async () => {
  await lived(base)
  const databases: Database[] = []
  const events: Event[] = []
  const { store, snapshot } = await opened(base, {
    database: (dir) => {
      databases.push(levelDatabase(dir))
      return databases.at(-1) as Database
    },
    emit: (event) => void events.push(event),
  })
  const node = new BenchNode()
  const run = async (effects: readonly Effect[]): Promise<void> => {
    for (const { writes, sync, ticket } of ofKind(effects, 'persist')) {
      await store.commit(writes, sync)
      await run(node.run({ kind: 'persisted', ticket }))
    }
  }
  const collect = async () => {
    for (const uploads of [['5'.repeat(64) as Digest], []]) {
      node.uploads = uploads
      await run(node.run({ kind: 'tick' }))
    }
    node.monoMs += 60_000
    const [effect] = ofKind(node.run({ kind: 'tick' }), 'collect')
    if (effect === undefined) return undefined
    const digests = await store.collect(effect.keep, { ...effect, maxCacheBytes: 0 })
    node.run({ kind: 'collected', digests })
    return digests
  }
  await run(node.start(snapshot))
  const bytes = new TextEncoder().encode('of an upload that was given up')
  await store.commit([{ kind: 'block', digest: sha256(bytes), bytes }], true)
  const key = envelopeKey(made.id)
  const value = (await databases.at(-1)?.get(key))?.slice() as Uint8Array
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
  await databases.at(-1)?.batch([{ type: 'put', key, value }], true)
  expect(await collect()).toEqual([])
  expect(events).toEqual([{ kind: 'envelopeLost', release: made.id }])
  for (const event of events) await run(node.run(event))
  expect(await store.readEnvelope(made.id)).toEqual(made.envelope)
  expect(await collect()).toEqual([sha256(bytes)])
  await store.close()
})
