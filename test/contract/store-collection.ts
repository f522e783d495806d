/** What every store promises of its cache: what goes, in which order, and what never does. */
import { expect } from 'vitest'
import type { Digest, ReleaseId } from '../../src/model/ids.ts'
import { CACHED_BLOCK_BYTES, type CacheBound, type Write } from '../../src/runtime/ports.ts'
import type { Promises } from './store-contract.ts'
import { block, makeRelease } from './store-fixtures.ts'

const release = makeRelease(3, [{ path: 'a.yaml', content: 'a: 1\n' }])

/** A bound of the cache while uploads may be under way. */
const to = (maxCacheBytes: number, change: Partial<CacheBound> = {}): CacheBound => ({
  maxCacheBytes,
  uploads: [],
  awaited: [],
  envelopes: [],
  ...change,
})

export const COLLECTION: Promises = {
  'collection drops the oldest nobody keeps, and blocks only they use': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const shared = { path: 'shared.txt', content: 's'.repeat(900) }
    const releases = [1, 2, 3, 4].map((counter) =>
      makeRelease(counter, [shared, { path: 'own.txt', content: `${counter}`.repeat(800) }]),
    )
    const ids = releases.map(({ id }) => id)
    for (const { writes } of releases) await store.commit(writes, true)
    expect(await store.collect(ids, to(0))).toEqual([])
    expect(await store.collect(ids.slice(3), to(1_000_000))).toEqual([])
    // Of each of the three, which share a block with the fourth, a page and a block are cache.
    const gone = await store.collect(ids.slice(3), to(2_500 + 5 * CACHED_BLOCK_BYTES))
    const [first, second, third, fourth] = releases
    const own = (of: (typeof releases)[number] | undefined) =>
      [...(of?.blocks.keys() ?? [])].filter((digest) => !fourth?.blocks.has(digest))
    expect([...gone].sort()).toEqual([...own(first)].sort())
    for (const digest of gone) expect(await store.readBlock(digest)).toBeUndefined()
    expect(await store.readEnvelope(ids[0] as ReleaseId)).toBeUndefined()
    const rest = await store.collect(ids.slice(3), to(0))
    expect([...rest].sort()).toEqual([...own(second), ...own(third)].sort())
    for (const [digest, bytes] of fourth?.blocks ?? []) expect(await store.readBlock(digest)).toEqual(bytes)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot.whole).toEqual(ids.slice(3))
    expect(snapshot.blocks).toEqual(new Set([...(fourth?.blocks.keys() ?? [])].sort()))
  },

  'what is kept stays, however old, and a release that never became whole goes with what there is of it':
    async ({ bench, loaded }) => {
      const { store } = await loaded(await bench())
      const releases = [1, 2, 3].map((counter) =>
        makeRelease(counter, [{ path: 'own.txt', content: `${counter}`.repeat(800) }]),
      )
      const [oldest, half, whole] = releases
      if (oldest === undefined || half === undefined || whole === undefined)
        throw new Error('three were made')
      await store.commit(oldest.writes, true)
      const [page] = half.pages
      const lacking = (write: Write) =>
        write.kind === 'whole' || (write.kind === 'block' && write.digest !== page)
      await store.commit(
        half.writes.filter((write) => !lacking(write)),
        true,
      )
      await store.commit(whole.writes, true)
      const gone = await store.collect([oldest.id], to(0))
      expect([...gone].sort()).toEqual([...half.pages, ...whole.blocks.keys()].sort())
      for (const [digest, bytes] of oldest.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
      for (const { id } of [half, whole]) expect(await store.readEnvelope(id)).toBeUndefined()
    },

  'while a page of a release is on its way here, no block is taken for one that nobody names': async ({
    bench,
    loaded,
  }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const [page] = release.pages
    const started = release.writes.filter(
      (write) => write.kind !== 'whole' && !(write.kind === 'block' && write.digest === page),
    )
    await store.commit(started, true)
    await store.close()
    const { store: again, snapshot } = await loaded(on)
    expect(snapshot.whole).toEqual([])
    expect(await again.collect([release.id], to(0, { awaited: [release.id] }))).toEqual([])
    expect([...snapshot.blocks].every((digest) => again.hasBlock(digest))).toBe(true)
    expect([...(await again.collect([], to(0)))].sort()).toEqual([...snapshot.blocks].sort())
  },

  'and what may be its own costs no other release its place in the cache': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const [cached, early] = [makeRelease(2, [{ path: 'b.yaml', content: 'b: 2\n' }]), block('e'.repeat(900))]
    await store.commit([...cached.writes, early], true)
    await store.commit(
      release.writes.filter(({ kind }) => kind === 'envelope'),
      true,
    )
    const bound = (maxCacheBytes: number) => to(maxCacheBytes, { awaited: [release.id] })
    expect(await store.collect([release.id], bound(900 + 2 * CACHED_BLOCK_BYTES))).toEqual([])
    expect([...(await store.collect([release.id], bound(0)))].sort()).toEqual(
      [...cached.blocks.keys()].sort(),
    )
  },

  'a kept release that nobody fetches holds nothing up': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const [orphan, head] = [
      block('named by nothing'),
      makeRelease(4, [{ path: 'b.yaml', content: 'b: 2\n' }]),
    ]
    await store.commit([...release.writes, orphan], true)
    await store.commit(
      head.writes.filter(({ kind }) => kind === 'envelope'),
      true,
    )
    const bound = to(0, { awaited: [release.id] })
    expect(await store.collect([release.id, head.id], bound)).toEqual([orphan.digest])
    expect(await store.readEnvelope(head.id)).toBeDefined()
  },

  'a release that comes while the others are read stays, with what it found here': async ({
    bench,
    loaded,
  }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const [others, comes] = [
      makeRelease(2, [{ path: 'b.yaml', content: 'b: 2\n' }]),
      makeRelease(4, [{ path: 'c.yaml', content: 'c: 3\n' }]),
    ]
    const [page] = comes.pages
    const early = comes.writes.filter((write) => write.kind === 'block' && write.digest !== page)
    await store.commit([...others.writes, ...early], true)
    const collected = store.collect([others.id], to(0))
    await store.commit(
      comes.writes.filter((write) => !early.includes(write)),
      true,
    )
    expect(await collected).toEqual([])
    for (const [digest, bytes] of comes.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
    expect(await store.readEnvelope(comes.id)).toBeDefined()
  },

  'and shares its blocks with one that goes meanwhile': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const more = { path: 'b.yaml', content: 'b: 2\n' }
    const goes = makeRelease(2, [{ path: 'a.yaml', content: 'a: 1\n' }, more])
    await store.commit(goes.writes, true)
    const collected = store.collect([], to(0))
    await store.commit(
      release.writes.filter((write) => write.kind !== 'block' || !goes.blocks.has(write.digest)),
      true,
    )
    const own = [...goes.blocks.keys()].filter((digest) => !release.blocks.has(digest))
    expect([...(await collected)].sort()).toEqual(own.sort())
    for (const [digest, bytes] of release.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
  },

  'so does one that comes again meanwhile, though it was to go': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    await store.commit(release.writes, true)
    const collected = store.collect([], to(0))
    await store.commit(
      release.writes.filter(({ kind }) => kind !== 'block').map((write) => ({ ...write })),
      true,
    )
    expect(await collected).toEqual([])
    for (const [digest, bytes] of release.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
    expect(await store.readEnvelope(release.id)).toBeDefined()
  },

  'and so does what a page names that comes meanwhile': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const [page] = release.pages
    const isPage = (write: Write): boolean => write.kind === 'block' && write.digest === page
    const rest = release.writes.filter((write) => !isPage(write))
    // Before the first of what is blocks alone the disk is looked at: the page is not to wait for that, behind the removal.
    await store.commit(
      rest.filter(({ kind }) => kind === 'block'),
      true,
    )
    await store.commit(rest, true)
    const collected = store.collect([release.id], to(0))
    await store.commit(release.writes.filter(isPage), true)
    expect(await collected).toEqual([])
    for (const [digest, bytes] of release.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
  },

  'and if its pages have not come yet, nothing that none names goes': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const [others, early] = [makeRelease(2, [{ path: 'b.yaml', content: 'b: 2\n' }]), block('of what comes')]
    await store.commit([...others.writes, early], true)
    const collected = store.collect([others.id], to(0))
    await store.commit(
      release.writes.filter(({ kind }) => kind === 'envelope'),
      true,
    )
    expect(await collected).toEqual([])
    expect(await store.collect([others.id, release.id], to(0))).toEqual([early.digest])
  },

  'a release that is coming and not even noted yet may own what no page names': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const early = block('of a release whose envelope waits for room')
    await store.commit([early], true)
    const bound = to(0, { awaited: [release.id] })
    expect(await store.collect([release.id], bound)).toEqual([])
  },

  'of a release whose envelope stays only the content is collected': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    await store.commit(release.writes, true)
    const bound = to(0, { envelopes: [release.id] })
    expect([...(await store.collect([], bound))].sort()).toEqual([...release.blocks.keys()].sort())
    await store.close()
    const { store: again, snapshot } = await loaded(on)
    expect(snapshot.whole).toEqual([])
    expect(await again.readEnvelope(release.id)).toBeDefined()
  },

  'a release that this build cannot read any longer goes like the others, and keeps none of them': async ({
    bench,
    loaded,
  }) => {
    const { store } = await loaded(await bench())
    const cached = makeRelease(2, [{ path: 'b.yaml', content: 'b: 2\n' }])
    const unread = makeRelease(1, [])
    await store.commit([{ kind: 'envelope', ...unread, release: unread.id, bytes: Uint8Array.of(1) }], true)
    await store.commit([...cached.writes, ...release.writes], true)
    expect([...(await store.collect([release.id], to(0)))].sort()).toEqual([...cached.blocks.keys()].sort())
    for (const { id } of [unread, cached]) expect(await store.readEnvelope(id)).toBeUndefined()
    expect(await store.readEnvelope(release.id)).toBeDefined()
  },

  'blocks of an upload under way are not collected': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    const [staged, orphan] = [block('staged by an upload'), block('of an upload that was given up')]
    await store.commit([staged, orphan], false)
    // However long the upload goes on, what it does not name is cache.
    expect(await store.collect([], to(0, { uploads: [staged.digest] }))).toEqual([orphan.digest])
    expect(await store.collect([], to(0, { uploads: [staged.digest] }))).toEqual([])
    expect(await store.readBlock(staged.digest)).toEqual(staged.bytes)
  },

  'blocks of an upload that was given up stay where it is made anew: they are not asked for again': async ({
    bench,
    loaded,
  }) => {
    const { store } = await loaded(await bench())
    const given = block('of an upload that was given up')
    await store.commit([given], false)
    expect(await store.collect([], to(1_000_000))).toEqual([])
    expect(await store.collect([], to(0, { uploads: [given.digest] }))).toEqual([])
    expect(await store.readBlock(given.digest)).toEqual(given.bytes)
    expect(await store.collect([], to(0))).toEqual([given.digest])
  },

  'what an upload under way names stays where a release that named it goes': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    await store.commit(release.writes, true)
    const [named, ...others] = [...release.blocks.keys()].sort() as [Digest, ...Digest[]]
    expect([...(await store.collect([], to(0, { uploads: [named] })))].sort()).toEqual(others)
    expect(await store.readBlock(named)).toEqual(release.blocks.get(named))
  },

  'blocks of an upload that was given up are cache, those that come meanwhile are not': async ({
    bench,
    loaded,
  }) => {
    const { store } = await loaded(await bench())
    const [given, coming] = [block('of an upload that was given up'), block('of one that begins now')]
    await store.commit([given], false)
    const collected = store.collect([], to(0))
    const committed = store.commit([coming], false)
    expect(await collected).toEqual([given.digest])
    await committed
    expect(await store.collect([], to(0, { uploads: [coming.digest] }))).toEqual([])
    expect(store.hasBlock(coming.digest)).toBe(true)
  },

  'one that is told to end before it removes anything removes nothing': async ({ bench, loaded }) => {
    const { store } = await loaded(await bench())
    await store.commit([...release.writes, block('named by nothing')], true)
    const ending = new AbortController()
    const collected = store.collect([], to(0), ending.signal)
    ending.abort()
    expect(await collected).toEqual([])
    for (const [digest, bytes] of release.blocks) expect(await store.readBlock(digest)).toEqual(bytes)
    expect(await store.readEnvelope(release.id)).toBeDefined()
    expect(await store.collect([], to(0))).toHaveLength(release.blocks.size + 1)
  },

  'a page that two releases share goes with the second, and so do the blocks that it names': async ({
    bench,
    loaded,
  }) => {
    const { store } = await loaded(await bench())
    const [one, two] = [1, 2].map((counter) =>
      makeRelease(counter, [{ path: 'same.yaml', content: 'same: 1\n' }]),
    ) as [ReturnType<typeof makeRelease>, ReturnType<typeof makeRelease>]
    expect([one.pages, one.id]).toEqual([two.pages, expect.not.stringMatching(two.id)])
    for (const { writes } of [one, two]) await store.commit(writes, true)
    expect(await store.collect([two.id], to(0))).toEqual([])
    expect(await store.readEnvelope(one.id)).toBeDefined()
    expect([...(await store.collect([], to(0)))].sort()).toEqual([...one.blocks.keys()].sort())
    for (const { id } of [one, two]) expect(await store.readEnvelope(id)).toBeUndefined()
  },

  'however small cached blocks are, their number is bounded: what is kept of each is counted, too': async ({
    bench,
    loaded,
  }) => {
    const { store } = await loaded(await bench())
    const small = Array.from({ length: 10_000 }, (_, at) => block(`${at}`.padStart(10, '0')))
    await store.commit([...small, ...release.writes], true)
    const bound = 1024 * 1024
    const gone = new Set(await store.collect([release.id], to(bound)))
    const left = small.filter(({ digest }) => store.hasBlock(digest))
    expect(left).toEqual(small.filter(({ digest }) => !gone.has(digest)))
    expect(left.length).toBeLessThanOrEqual(bound / CACHED_BLOCK_BYTES)
    expect(left.length).toBeGreaterThan(0.9 * (bound / CACHED_BLOCK_BYTES))
    for (const digest of release.blocks.keys()) expect(store.hasBlock(digest)).toBe(true)
  },

  'a block nobody names is dropped after the next start': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const staged = block('left by an upload that never ended')
    await store.commit([staged], true)
    await store.close()
    const { store: again } = await loaded(on)
    expect(await again.collect([], to(0))).toEqual([staged.digest])
    expect(again.hasBlock(staged.digest)).toBe(false)
  },
}
