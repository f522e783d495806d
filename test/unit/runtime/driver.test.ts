import { expect, test, vi } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import type { Channel, Digest, ReleaseId } from '../../../src/model/ids.ts'
import { createDriver } from '../../../src/runtime/driver.ts'
import type { CacheBound, Effect, EffectOf, Event, Ports } from '../../../src/runtime/ports.ts'

const keep = ['a'.repeat(64) as ReleaseId]
const envelopes = ['b'.repeat(64) as ReleaseId]
const BLOCK = { kind: 'block', digest: '1'.repeat(64), bytes: Uint8Array.of(1) } as const
const collect: EffectOf<'collect'> = { kind: 'collect', keep, envelopes, awaited: keep, uploads: [] }

/** Collects once, from a store that gives up these blocks. */
async function collected(gone: readonly Digest[], effect = collect) {
  const events: Event[] = []
  const asked: [readonly ReleaseId[], CacheBound, AbortSignal?][] = []
  const store = {
    collect: async (...of: [readonly ReleaseId[], CacheBound, AbortSignal?]) => {
      asked.push(of)
      return gone
    },
  }
  const core = {
    handle: (event: Event): readonly Effect[] => {
      events.push(event)
      return event.kind === 'tick' ? [effect] : []
    },
  }
  const ports = { store, clock: { now: () => ({ monoMs: 0, wallMs: 0 }) } } as unknown as Ports
  createDriver(core, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  await new Promise((resolve) => setImmediate(resolve))
  return { events, asked }
}

test('what a collection removed is told at once, as no damage', async () => {
  const digests = ['1', '2'].map((digit) => digit.repeat(64) as Digest)
  const { events, asked } = await collected(digests)
  const bound = { maxCacheBytes: 7, envelopes, awaited: keep, uploads: [] }
  expect(asked).toEqual([[keep, bound, expect.objectContaining({ aborted: false })]])
  expect(events).toEqual([{ kind: 'tick' }, { kind: 'collected', digests }])
})

test('and where it removed nothing, that it is over: until then there is no other', async () => {
  expect((await collected([])).events).toEqual([{ kind: 'tick' }, { kind: 'collected', digests: [] }])
})

test('of a disk that is short of room nothing stays that is cache', async () => {
  const { asked } = await collected([], { ...collect, short: true })
  expect(asked).toMatchObject([[keep, { maxCacheBytes: 0 }, {}]])
})

test.each([
  ['a block alone, for want of room, the store has said', 'STORE_FULL', [BLOCK], 'debug'],
  ['a block alone, for another reason', 'STORE_FAILED', [BLOCK], 'error'],
  ['an order', 'STORE_FULL', [BLOCK, { kind: 'unwhole', release: keep[0] }], 'error'],
] as const)('a write that fails is told, and noted: %s', async (_, code, writes, level) => {
  const events: Event[] = []
  const note = vi.fn()
  const persist = { kind: 'persist', writes, sync: false, ticket: 1 } as unknown as Effect
  const core = { handle: (event: Event) => (events.push(event) === 1 ? [persist] : []) }
  const ports = {
    store: { commit: () => Promise.reject(new MeshError(code, 'no')) },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
    log: { note },
  } as unknown as Ports
  createDriver(core, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  await vi.waitFor(() => expect(events.at(-1)).toEqual({ kind: 'persistFailed', ticket: 1, code }))
  expect(note.mock.calls).toEqual([[{ kind: 'note', level, code, text: 'no' }]])
})

test('what the store says while it is read, the core hears once it knows what is stored', async () => {
  const heard: string[] = []
  const core = {
    handle: ({ kind }: Event): readonly Effect[] => {
      heard.push(kind)
      return []
    },
  }
  const snapshot = { floors: [], envelopes: [], channels: [], peers: [] }
  const ports = {
    store: {
      open: async () => driver.dispatch({ kind: 'storeMode', readOnly: true }),
      load: async () => {
        driver.dispatch({ kind: 'storeMode', readOnly: false })
        return snapshot
      },
    },
    transport: { start: async (sink: (event: Event) => void) => sink({ kind: 'tick' }) },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
  } as unknown as Ports
  const driver = createDriver(core, ports, { maxCacheBytes: 7 })
  await driver.start()
  expect(heard).toEqual(['started', 'storeMode', 'storeMode', 'tick'])
})

test('also where it failed, which is noted', async () => {
  const events: Event[] = []
  const note = vi.fn()
  const core = { handle: (event: Event) => (events.push(event) === 1 ? [collect] : []) }
  const ports = {
    store: { collect: () => Promise.reject(new MeshError('STORE_FULL', 'no room')) },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
    log: { note },
  } as unknown as Ports
  createDriver(core, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tick' }, { kind: 'collected', digests: [] }]))
  const text = 'cache not collected: no room'
  expect(note.mock.calls).toEqual([[{ kind: 'note', level: 'warn', code: 'STORE_FULL', text }]])
})

test('a stop does not wait for a collection to read all that is stored', async () => {
  const close = vi.fn(async () => {})
  let told: AbortSignal | undefined
  const store = {
    collect: (_keep: unknown, _bound: unknown, stop?: AbortSignal) => {
      told = stop
      return new Promise((resolve) => stop?.addEventListener('abort', () => resolve([])))
    },
    close,
  }
  const ends = { stop: async () => {} }
  const clock = { now: () => ({ monoMs: 0, wallMs: 0 }), stop: () => {} }
  const ports = { store, clock, transport: ends, activator: ends } as unknown as Ports
  const driver = createDriver({ handle: () => [collect] }, ports, { maxCacheBytes: 7 })
  driver.dispatch({ kind: 'tick' })
  expect(told?.aborted).toBe(false)
  await driver.stop()
  expect(close).toHaveBeenCalledOnce()
})

test('an activation that is taken back is told in the order of the effects', () => {
  const log: string[] = []
  const place = { channel: 'app/web' as Channel, release: keep[0] as ReleaseId }
  const activator = {
    activate: ({ release }: { release: ReleaseId }) => {
      log.push(`activate ${release.slice(0, 2)}`)
      return new Promise(() => {})
    },
    withdraw: (channel: Channel, release: ReleaseId) =>
      void log.push(`withdraw ${channel} ${release.slice(0, 2)}`),
  }
  const effects = [
    { kind: 'activate', ...place },
    { kind: 'withdraw', ...place },
  ] as unknown as readonly Effect[]
  const ports = { activator, clock: { now: () => ({ monoMs: 0, wallMs: 0 }) } } as unknown as Ports
  createDriver({ handle: () => effects }, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  expect(log).toEqual(['activate aa', 'withdraw app/web aa'])
})

test('a port that cannot stop keeps no other from its end, and is told in the end', async () => {
  const log: string[] = []
  const written = Promise.withResolvers<void>()
  const ends = (what: string, failure?: string) => async () => {
    log.push(what)
    if (failure !== undefined) throw new Error(failure)
  }
  const ports = {
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }), stop: () => {} },
    transport: { stop: ends('transport', 'the first') },
    activator: { stop: ends('activator', 'the second') },
    store: {
      close: ends('store'),
      commit: () => written.promise.then(() => void log.push('written')),
    },
  } as unknown as Ports
  const persist = { kind: 'persist', writes: [], sync: true, ticket: 1 } as unknown as Effect
  const driver = createDriver({ handle: () => [persist] }, ports, { maxCacheBytes: 7 })
  driver.dispatch({ kind: 'tick' })
  const stopped = driver.stop((what) => what === 'writes under way' && written.resolve())
  await expect(stopped).rejects.toThrow('the first')
  expect(log).toEqual(['transport', 'activator', 'written', 'store'])
})

/** A core that is asked for a block at a tick, and what it hears. */
function serving() {
  const events: Event[] = []
  const digest = '1'.repeat(64) as Digest
  const core = {
    handle: (event: Event): readonly Effect[] => {
      events.push(event)
      return event.kind === 'tick' ? [{ kind: 'serveBlock', id: 1, digest }] : []
    },
  }
  return { core, events }
}

test.each([
  ['has it', Uint8Array.of(1, 2, 3), Promise.resolve(true), 3],
  ['has it at once', Uint8Array.of(1, 2, 3), undefined, 3],
  ['has gone', Uint8Array.of(1, 2, 3), Promise.resolve(false), 0],
  ['asks for what cannot be read', undefined, Promise.resolve(true), 0],
])('of a block as much has left as its asker took: one that %s', async (_, read, sent, bytes) => {
  const { core, events } = serving()
  const ports = {
    store: { readBlock: async () => read },
    transport: { replyBlock: () => sent },
    metrics: { count: () => {} },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
  } as unknown as Ports
  createDriver(core, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  await new Promise((resolve) => setImmediate(resolve))
  // That one is lost the store says itself.
  const begins = read === undefined ? [] : [{ kind: 'serving', id: 1 }]
  expect(events).toEqual([{ kind: 'tick' }, ...begins, { kind: 'served', id: 1, bytes }])
})

test('a block begins to leave once it is read, however long that takes', async () => {
  const { core, events } = serving()
  const read = Promise.withResolvers<Uint8Array>()
  const taken = Promise.withResolvers<boolean>()
  const replyBlock = vi.fn(() => taken.promise)
  const ports = {
    store: { readBlock: () => read.promise },
    transport: { replyBlock },
    metrics: { count: () => {} },
    clock: { now: () => ({ monoMs: 0, wallMs: 0 }) },
  } as unknown as Ports
  createDriver(core, ports, { maxCacheBytes: 7 }).dispatch({ kind: 'tick' })
  await new Promise((resolve) => setImmediate(resolve))
  expect([events, replyBlock.mock.calls]).toEqual([[{ kind: 'tick' }], []])
  read.resolve(Uint8Array.of(1, 2, 3))
  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tick' }, { kind: 'serving', id: 1 }]))
  expect(replyBlock).toHaveBeenCalledOnce()
  taken.resolve(true)
  await vi.waitFor(() => expect(events.at(-1)).toEqual({ kind: 'served', id: 1, bytes: 3 }))
})

/** Reads a block for `effect`, of a disk that refuses it so many times; once more with each tick. */
function reading(kind: 'serveBlock' | 'read', failures: number) {
  let monoMs = 0
  const digest = '1'.repeat(64) as Digest
  const events: Event[] = []
  const [note, perform, replyBlock] = [vi.fn(), vi.fn(), vi.fn(() => undefined)]
  let reads = 0
  const readBlock = async () => {
    reads += 1
    if (reads <= failures) throw new MeshError('STORE_FAILED', 'store: EMFILE')
    return Uint8Array.of(1, 2, 3)
  }
  const core = {
    handle: (event: Event) => {
      events.push(event)
      return event.kind === 'tick' ? ([{ kind, id: 1, digest }] as readonly Effect[]) : []
    },
  }
  const ends = { stop: async () => {} }
  const ports = {
    store: { readBlock, close: async () => {} },
    transport: { perform, replyBlock, ...ends },
    activator: ends,
    metrics: { count: () => {} },
    clock: { now: () => ({ monoMs, wallMs: 0 }), stop: () => {} },
    log: { note },
  } as unknown as Ports
  const driver = createDriver(core, ports, { maxCacheBytes: 7 })
  const ask = (atMonoMs = 0) => {
    monoMs = atMonoMs
    driver.dispatch({ kind: 'tick' })
  }
  ask()
  const told = { events, note, perform, replyBlock, reads: () => reads }
  return { ...told, driver, ask, digest }
}
const unread = (text = 'block 111111111111 not read: store: EMFILE') => [
  [{ kind: 'note', level: 'error', code: 'STORE_FAILED', text }],
]

test('a block that the disk refuses now is not lost: its asker comes again, and gets it', async () => {
  const { events, note, perform, replyBlock, ask } = reading('serveBlock', 2)
  const served = (bytes: number) => ({ kind: 'served', id: 1, bytes })
  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tick' }, served(0)]))
  const message = { type: 'busy', retryAfterMs: 1_000 }
  const busy = [{ kind: 'reply', id: 1, reply: { protocol: 'blocks', message } }]
  ask()
  await vi.waitFor(() => expect(events).toHaveLength(4))
  expect(perform.mock.calls).toEqual([busy, busy])
  expect(replyBlock).not.toHaveBeenCalled()
  ask()
  await vi.waitFor(() => expect(events.at(-1)).toEqual(served(3)))
  expect(events.filter(({ kind }) => kind === 'blockLost')).toEqual([])
  // A disk that fails for good does not fill the log as well.
  expect(note.mock.calls).toEqual(unread())
})

test('one that it refuses for a minute is lost, so that another copy of it is fetched', async () => {
  const { events, note, ask } = reading('serveBlock', Number.POSITIVE_INFINITY)
  const lost = () => events.filter(({ kind }) => kind === 'blockLost').length
  await vi.waitFor(() => expect(events).toHaveLength(2))
  ask(59_999)
  await vi.waitFor(() => expect(events).toHaveLength(4))
  expect([lost(), note.mock.calls.length]).toEqual([0, 1])
  ask(60_000)
  await vi.waitFor(() => expect(events).toHaveLength(7))
  ask(60_001)
  await vi.waitFor(() => expect(events).toHaveLength(9))
  expect([lost(), note.mock.calls.length]).toEqual([1, 2])
})

test('refused once more hours later it is not lost: nobody has read it between', async () => {
  const { events, note, ask } = reading('serveBlock', 2)
  await vi.waitFor(() => expect(events).toHaveLength(2))
  ask(7_200_000)
  await vi.waitFor(() => expect(events).toHaveLength(4))
  expect(events.filter(({ kind }) => kind === 'blockLost')).toEqual([])
  expect(note.mock.calls).toEqual([...unread(), ...unread()])
})

test('one that is read for a fetch is tried again before it counts as not here', async () => {
  const { events, digest } = reading('read', 3)
  const read = { kind: 'blockRead', digest, bytes: Uint8Array.of(1, 2, 3) }
  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tick' }, read]), { timeout: 10_000 })
})

test('not for ever: it is noted, and the node goes on without', async () => {
  const { events, digest, note, reads, ask } = reading('read', Number.POSITIVE_INFINITY)
  const read = { kind: 'blockRead', digest, bytes: undefined }
  await vi.waitFor(() => expect(events).toEqual([{ kind: 'tick' }, read]), { timeout: 10_000 })
  expect([note.mock.calls, reads()]).toEqual([unread(), 4])
  // It counts as not here: a copy that came meanwhile is another one.
  ask()
  await vi.waitFor(() => expect(events).toHaveLength(4), { timeout: 10_000 })
  expect(note.mock.calls).toEqual([...unread(), ...unread()])
})

test('a stop does not wait for the next try', async () => {
  const { driver, reads } = reading('read', Number.POSITIVE_INFINITY)
  await driver.stop()
  expect(reads()).toBe(1)
})
