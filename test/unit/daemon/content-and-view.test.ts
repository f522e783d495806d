import { describe, expect, test, vi } from 'vitest'
import type { ReleaseChange } from '../../../src/api/node-view.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { createContent, lacking } from '../../../src/daemon/content.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, ReleaseId } from '../../../src/model/ids.ts'
import type { ManifestEntry } from '../../../src/model/manifest.ts'
import { bytes, CHANNEL, cpuMs, release, storeOf, textOf, viewOf } from './view-of.ts'

describe('content', () => {
  /** One file "0123456789" in blocks of 4, 4 and 2 bytes, split over two pages. */
  function split() {
    const { blocks, indexed, put, store } = storeOf()
    const refs = ['0123', '4567', '89'].map((part) => ({ digest: put(bytes(part)), size: part.length }))
    const whole = { path: 'f', mode: 0o444 as const, size: 10, digest: sha256(bytes('0123456789')) }
    const page = (from: number, to: number) =>
      put(encodePage([{ ...whole, blocks: refs.slice(from, to) } as ManifestEntry]))
    return {
      blocks,
      indexed,
      refs,
      store,
      content: createContent(store, LIMITS, (of) => new MeshError('STORE_CORRUPT', of.id)),
      made: release('r', 1, [page(0, 2), page(2, 3)]),
    }
  }

  test('a file that goes on in the next page is one file', async () => {
    const { content, made } = split()
    expect((await content.files(made)).map(({ path, size }) => [path, size])).toEqual([['f', 10]])
    expect(await textOf(await content.bytes(made, 'f'))).toBe('0123456789')
  })

  test('a manifest is read and decoded once, however many ask for it at once', async () => {
    const { blocks, content, made } = split()
    const get = vi.spyOn(blocks, 'get')
    const listings = await Promise.all(Array.from({ length: 50 }, () => content.files(made)))
    expect(get).toHaveBeenCalledTimes(made.header.pages.length)
    expect(new Set(listings).size).toBe(1)
  })

  test('a manifest that could not be read is read again', async () => {
    const { blocks, content, made } = split()
    const [page = ''] = made.header.pages
    const bytes = blocks.get(page) as Uint8Array
    blocks.delete(page)
    await expect(content.files(made)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    blocks.set(page, bytes)
    expect(await content.files(made)).toHaveLength(1)
  })

  test.each([['maxPageBytes'], ['maxBlockBytes'], ['maxReleaseBytes']] as const)(
    'what was stored under a higher %s is not there for now, and no fault of whoever asks',
    async (limit) => {
      const { made, store } = split()
      const content = createContent(
        store,
        { ...LIMITS, [limit]: 3 },
        (of) => new MeshError('STORE_CORRUPT', of.id),
      )
      const refused = {
        code: 'API_UNAVAILABLE',
        message: expect.stringMatching(/cannot be read here any longer: /),
      }
      await expect(content.files(made)).rejects.toMatchObject(refused)
    },
  )

  test('one file of many is found without a look at the others', async () => {
    async function lookups(files: number): Promise<() => Promise<number>> {
      const { put, store } = storeOf()
      const entries = Array.from({ length: files }, (_, at): ManifestEntry => {
        const path = `conf.d/${String(at).padStart(6, '0')}`
        return { path, mode: 0o444, size: 0, digest: sha256(''), blocks: [] }
      })
      const pages: Digest[] = []
      for (let at = 0; at < files; at += 2_000) pages.push(put(encodePage(entries.slice(at, at + 2_000))))
      const content = createContent(store, LIMITS, (of) => new MeshError('STORE_CORRUPT', of.id))
      const made = release('many', 1, pages)
      const last = entries.at(-1)?.path ?? ''
      expect(await content.file(made, last)).toMatchObject({ path: last })
      expect(await content.file(made, 'conf.d/other')).toBeUndefined()
      return async () => {
        const begun = cpuMs()
        for (let at = 0; at < 2_000; at++) await content.file(made, last)
        for (let at = 0; at < 2_000; at++) await content.bytes(made, last)
        return cpuMs() - begun
      }
    }
    const [few, many] = [await lookups(200), await lookups(20_000)]
    // The shortest of some, which no collection fell into: by a walk a hundred times as many take thirty times as long.
    const times: [number, number][] = []
    for (let round = 0; round < 7; round++) times.push([await few(), await many()])
    const shortest = (which: 0 | 1) => Math.min(...times.map((time) => time[which]))
    expect(shortest(1)).toBeLessThan(8 * shortest(0))
  })

  test('every range gives its bytes and no more', async () => {
    const { content, made } = split()
    for (let start = 0; start < 10; start++)
      for (let end = start; end < 10; end++)
        expect(await textOf(await content.bytes(made, 'f', { start, end }))).toBe(
          '0123456789'.slice(start, end + 1),
        )
  })

  test('a release is its pages, then its blocks, each once', async () => {
    const { content, made, refs } = split()
    const { sizes, blocks } = await content.blocks(made)
    const each: [Digest, number][] = []
    for await (const { digest, bytes } of blocks) each.push([digest, bytes.length])
    expect(each.map(([digest]) => digest)).toEqual([
      ...made.header.pages,
      ...refs.map(({ digest }) => digest),
    ])
    expect([...sizes]).toEqual(each.map(([, size]) => size))
  })

  test('a block of a release that is longer than its manifest says is not given out', async () => {
    const { blocks, content, made, refs } = split()
    blocks.set(refs[1]?.digest ?? '', bytes('45678'))
    const all = async () => {
      for await (const one of (await content.blocks(made)).blocks) void one
    }
    await expect(all()).rejects.toMatchObject({
      code: 'LIMIT_CONTENT',
      message: expect.stringContaining('has 5 bytes, the manifest says 4'),
    })
  })

  test('an unknown path is API_NOT_FOUND; a page or block that is not here is what it is said to mean', async () => {
    const { blocks, content, made, refs } = split()
    const lost = { code: 'STORE_CORRUPT', message: made.id }
    await expect(content.bytes(made, 'g')).rejects.toMatchObject({ code: 'API_NOT_FOUND' })
    blocks.delete(refs[1]?.digest ?? '')
    await expect(content.bytes(made, 'f')).rejects.toMatchObject(lost)
    await expect(content.blocks(made)).rejects.toMatchObject(lost)
    // Of what is there nothing is refused.
    expect(await textOf(await content.bytes(made, 'f', { start: 0, end: 3 }))).toBe('0123')
    const other = split()
    other.blocks.delete(other.made.header.pages[1] ?? '')
    await expect(other.content.files(other.made)).rejects.toMatchObject(lost)
  })

  test('a block that is not here is read all the same, so that it is fetched again', async () => {
    const { blocks, content, made, refs } = split()
    await content.files(made)
    const digest = refs[2]?.digest ?? ''
    blocks.delete(digest)
    const get = vi.spyOn(blocks, 'get')
    await expect(content.bytes(made, 'f')).rejects.toThrow()
    expect(get.mock.calls).toEqual([[digest]])
  })

  test('a block that proves damaged as it is read ends what was begun with the same', async () => {
    const { blocks, indexed, content, made, refs } = split()
    const digest = refs[1]?.digest ?? ''
    indexed.add(digest)
    blocks.delete(digest)
    const lost = { code: 'STORE_CORRUPT', message: made.id }
    const parts = (await content.bytes(made, 'f'))[Symbol.asyncIterator]()
    expect((await parts.next()).value).toEqual(bytes('0123'))
    await expect(parts.next()).rejects.toMatchObject(lost)
  })

  test('what is lacking of the active release, or of the last good one, is damage; of the target on its way; else gone; what is active and cannot be read is none of that', () => {
    const [active, good, target, old] = ['active', 'good', 'target', 'old'].map(
      (name) => release(name, 1, []).id,
    ) as [ReleaseId, ReleaseId, ReleaseId, ReleaseId]
    const entry = {
      active: { id: active, release: undefined, activatedAt: 0, soaked: true },
      lastGood: good,
      target,
    }
    const codes = [active, good, target, old].map((id) => lacking(entry, id, true).code)
    expect(codes).toEqual(['STORE_CORRUPT', 'STORE_CORRUPT', 'API_UNAVAILABLE', 'CONTENT_GONE'])
    expect(lacking({ ...entry, target: active }, active, true).code).toBe('STORE_CORRUPT')
    const none = { active: undefined, lastGood: undefined, target: undefined }
    expect(lacking(none, old, true).code).toBe('CONTENT_GONE')
    expect(lacking(undefined, active, true).code).toBe('CONTENT_GONE')
    const unread = [active, good, target, old].map((id) => lacking({ ...entry, target }, id, false))
    const refused = ['API_UNAVAILABLE', 'CONTENT_GONE', 'API_UNAVAILABLE', 'CONTENT_GONE']
    expect(unread.map(({ code }) => code)).toEqual(refused)
    const said = expect.stringContaining('cannot be read here any longer')
    expect([unread[0], lacking({ ...entry, target: active }, active, false)]).toMatchObject([
      { message: said },
      { message: said },
    ])
  })
})

describe('view', () => {
  test('who watches is told of each activation, with the paths that differ, until it leaves', async () => {
    const { view, activate } = viewOf()
    const seen: ReleaseChange[] = []
    const leave = view.subscribe(CHANNEL, (change) => seen.push(change))
    const second = release('two', 2, [])
    activate(second)
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    expect(seen[0]).toEqual({
      channel: CHANNEL,
      release: second.id,
      clock: { ops: 2 },
      changed: ['f1', 'f2'],
    })
    leave()
    activate(release('three', 3, []))
    await new Promise(setImmediate)
    expect(seen).toHaveLength(1)
  })

  test('where it cannot be read what an activation changed, who watches is told that much', async () => {
    const { view, waits, activate } = viewOf()
    const seen: ReleaseChange[] = []
    const missed = vi.fn()
    view.subscribe(CHANNEL, (change) => seen.push(change), missed)
    const second = release('two', 2, [])
    waits.set(second.id, Promise.reject(new Error('EIO')))
    activate(second)
    await vi.waitFor(() => expect(missed).toHaveBeenCalledOnce())
    const third = release('three', 3, [])
    activate(third)
    await vi.waitFor(() => expect(seen.map((change) => change.release)).toEqual([third.id]))
    expect(missed).toHaveBeenCalledOnce()
  })

  test('what asks for one channel or release costs one: all channels are gone through for the status alone', async () => {
    const { view, activate, whole } = viewOf()
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    const { id } = release('two', 2, [])
    activate(release('two', 2, []))
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    expect(view.ready()).toEqual({ ready: true, waitingFor: [] })
    expect(view.channel(CHANNEL)?.active?.release).toBe(id)
    expect((await view.files(CHANNEL))?.release).toBe(id)
    await view.read(CHANNEL, 'f2', id)
    await view.car(CHANNEL)
    expect(whole).not.toHaveBeenCalled()
    expect(view.status().channels[0]?.channel).toBe(CHANNEL)
    expect(whole).toHaveBeenCalledOnce()
  })

  test('a release is asked for under its own channel: under another it is not found, and that is told', async () => {
    const { view, activate } = viewOf()
    const { id } = release('two', 2, [])
    activate(release('two', 2, []))
    const unknown = release('nobody has it', 3, []).id
    for (const [channel, wanted, code, message] of [
      ['payments/prdo', id, 'API_NOT_FOUND', `release ${id.slice(0, 12)} is of ${CHANNEL}; ask for it there`],
      ['web/prod', id, 'API_NOT_FOUND', `release ${id.slice(0, 12)} is of ${CHANNEL}; ask for it there`],
      ['payments/prdo', unknown, 'API_NOT_FOUND', 'no channel payments/prdo known here'],
      // It may have been active a moment ago, before the store was lost: who watches goes on.
      ['pay/prod', unknown, 'CONTENT_GONE', 'not, or no longer, whole here'],
      [CHANNEL, unknown, 'CONTENT_GONE', 'not, or no longer, whole here'],
    ] as const) {
      const error = { code, message: expect.stringContaining(message) }
      const of = channel as Channel
      await expect(view.files(of, wanted)).rejects.toMatchObject(error)
      await expect(view.file(of, 'f2', wanted)).rejects.toMatchObject(error)
      await expect(view.read(of, 'f2', wanted)).rejects.toMatchObject(error)
      await expect(view.car(of, wanted)).rejects.toMatchObject(error)
    }
  })

  test('an attempt that activates nothing is no activation', async () => {
    const { view, activate } = viewOf()
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    // Restored after a start, failed, or unhealthy: what is active is what it was.
    view.activated(CHANNEL)
    await new Promise(setImmediate)
    expect(seen).toEqual([])
    const second = release('two', 2, [])
    activate(second)
    // Told of twice while its listing is read.
    view.activated(CHANNEL)
    await vi.waitFor(() => expect(seen).toHaveLength(1))
    view.activated(CHANNEL)
    await new Promise(setImmediate)
    expect(seen.map((change) => change.release)).toEqual([second.id])
  })

  test('a fetch under way is shown in blocks, and null where there is none', () => {
    const { view } = viewOf({ have: 120, blocks: 400, sinceMonoMs: 5 })
    expect(view.channel(CHANNEL)?.fetch).toEqual({ have: 120, blocks: 400 })
    expect(viewOf().view.channel(CHANNEL)?.fetch).toBeNull()
  })

  test.each([
    ['STORE_FULL', 'the store takes no writes; free space, or see the log'],
    ['STORE_FAILED', 'the store takes no writes; the log says which folder and why'],
    ['STORE_CORRUPT', 'the store takes no writes; restart the node: it sets the damaged one aside'],
  ] as const)(
    'a store that takes no writes is a problem, told by what the disk said: %s',
    (code, message) => {
      const { store, problems } = viewOf(undefined, code).view.status()
      expect([store.readOnly, problems]).toEqual([true, [{ code, message }]])
      const sound = viewOf().view.status()
      expect([sound.store.readOnly, sound.problems]).toEqual([false, []])
    },
  )

  test('so is a disk with too little room for content, unless it takes nothing at all', () => {
    const problems = (readOnly?: 'STORE_FAILED') => viewOf(undefined, readOnly, true).view.status().problems
    const message =
      'too little room on its disk: content is neither fetched nor taken; free space, or see the log'
    expect(problems()).toEqual([{ code: 'STORE_FULL', message }])
    expect(problems('STORE_FAILED')).toMatchObject([{ code: 'STORE_FAILED' }])
  })

  test('a listing that is slow to read never makes older news come last', async () => {
    const { view, waits, activate } = viewOf()
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    const [second, third] = [release('two', 2, []), release('three', 3, [])]
    const slow = Promise.withResolvers<void>()
    waits.set(second.id, slow.promise)
    activate(second)
    activate(third)
    await vi.waitFor(() => expect(seen.map((change) => change.release)).toEqual([third.id]))
    slow.resolve()
    await new Promise(setImmediate)
    expect(seen.map((change) => change.release)).toEqual([third.id])
    expect(seen[0]?.changed).toEqual(['f1', 'f3'])
  })

  test('who came while the node stood on a release that was never told is told of the one it stepped back to', async () => {
    const first = release('one', 1, [])
    const { view, waits, activate } = viewOf()
    const missed = vi.fn()
    view.subscribe(CHANNEL, () => undefined, missed)
    const second = release('two', 2, [])
    waits.set(second.id, Promise.reject(new Error('EMFILE')))
    activate(second)
    await vi.waitFor(() => expect(missed).toHaveBeenCalledOnce())
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    activate(first)
    await vi.waitFor(() => expect(seen.map((change) => change.release)).toEqual([first.id]))
  })

  test('and who came while its listing was read', async () => {
    const first = release('one', 1, [])
    const { view, waits, activate } = viewOf()
    view.subscribe(CHANNEL, () => undefined)
    const second = release('two', 2, [])
    const slow = Promise.withResolvers<void>()
    waits.set(second.id, slow.promise)
    activate(second)
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    activate(first)
    slow.resolve()
    await vi.waitFor(() => expect(seen.map((change) => change.release)).toEqual([first.id]))
    expect(seen[0]).toEqual({ channel: CHANNEL, release: first.id, clock: { ops: 1 }, changed: ['f1', 'f2'] })
  })

  test('who waits for a first release hears it, though another comes while its listing is read', async () => {
    const first = release('one', 1, [])
    const { view, waits, activate, lose } = viewOf()
    lose()
    const seen: ReleaseChange[] = []
    view.subscribe(CHANNEL, (change) => seen.push(change))
    const slow = Promise.withResolvers<void>()
    waits.set(first.id, slow.promise)
    activate(first)
    view.subscribe(CHANNEL, () => undefined)
    slow.resolve()
    await vi.waitFor(() => expect(seen.map((change) => change.release)).toEqual([first.id]))
  })

  test('a channel that the configuration names is shown before anything of it is here', () => {
    const { view } = viewOf()
    const channels = view.status().channels.map(({ channel, state }) => [channel, state])
    expect(channels).toEqual([
      [CHANNEL, 'active'],
      ['web/prod', 'empty'],
    ])
    expect(view.channel('web/prod' as Channel)).toEqual({
      channel: 'web/prod',
      active: null,
      heads: [],
      state: 'empty',
      gate: null,
      lastError: null,
      fetch: null,
      history: [],
    })
    expect(view.channel('pay/prod' as Channel)).toBeUndefined()
  })

  test('it stores what a pattern covers', () => {
    const { view } = viewOf()
    const asked = ['pay/prod', 'web/prod', 'web/test', 'pay/eu/prod'] as Channel[]
    expect(asked.filter((channel) => view.stores(channel))).toEqual(['pay/prod', 'web/prod'])
  })
})
