/** A disk that answers no write, without an error, while a fleet publishes on: the node serves on, and stores all in the end. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import { createDriver } from '../../src/runtime/driver.ts'
import type { Ports } from '../../src/runtime/ports.ts'
import { MAX_WAITING_BYTES } from '../../src/store/commit-bytes.ts'
import { SLOW_MS } from '../../src/store/commit-times.ts'
import { levelDatabase } from '../../src/store/database.ts'
import { LevelStore } from '../../src/store/level.ts'
import { BenchNode } from '../unit/core/bench-node.ts'
import { CHANNEL, gossip, make, PEER, ROOT } from '../unit/core/fleet.ts'

const [waits, older, newer] = [1, 2, 3].map((alice) => make({ clock: { alice } })) as [
  ReturnType<typeof make>,
  ReturnType<typeof make>,
  ReturnType<typeof make>,
]
const EACH = 1024 * 1024

let base: string
let store: LevelStore
let notes: EffectOf<'note'>[]
let opened: number
/** What the disk waits for before each write. */
let gate: Promise<void>

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'confmesh-hangs-'))
  ;[notes, opened, gate] = [[], 0, Promise.resolve()]
  store = new LevelStore({
    dir: join(base, 'store'),
    floorDir: join(base, 'floor'),
    fleetId: ROOT.fleetId,
    limits: LIMITS,
    log: { note: (note) => void notes.push(note) },
    database: (dir) => {
      const raw = levelDatabase(dir)
      const open = async () => {
        opened += 1
        await raw.open()
      }
      const batch: typeof raw.batch = async (...of) => {
        await gate
        await raw.batch(...of)
      }
      return { ...raw, open, batch }
    },
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  return rm(base, { recursive: true, force: true })
})

/** A node on that store, whose time stands still. */
function nodeOn() {
  const node = new BenchNode({ materialize: false })
  const heard: string[] = []
  const nothing = (): void => {}
  const ports = {
    store,
    activator: { stop: async () => {}, shown: async () => undefined },
    clock: { now: () => ({ monoMs: node.monoMs, wallMs: 0 }), wakeAt: nothing, stop: nothing },
    transport: { start: async () => {}, perform: nothing, stop: async () => {} },
    metrics: { count: nothing, observe: nothing },
    log: { note: (note: EffectOf<'note'>) => void notes.push(note) },
  } as unknown as Ports
  const core = {
    handle: (...[event]: Parameters<BenchNode['handle']>) => {
      heard.push(event.kind)
      return node.handle(event)
    },
  }
  const driver = createDriver(core, ports, { maxCacheBytes: 1_000_000 })
  return { node, driver, times: (kind: string) => heard.filter((one) => one === kind).length }
}

test('what is refused meanwhile is kept, said once, and stored once the disk answers, without a restart', async () => {
  const { node, driver, times } = nodeOn()
  await driver.start()
  node.peer(PEER)
  // The root of the configuration: nothing that a root raises goes to disk beside one that is on its way there.
  await expect.poll(() => times('persisted')).toBe(1)
  const hangs = Promise.withResolvers<void>()
  gate = hangs.promise
  const bytes = new Uint8Array(EACH)
  const filled = Array.from({ length: MAX_WAITING_BYTES / EACH }, () =>
    store.commit([{ kind: 'envelope', release: waits.id, channel: CHANNEL, bytes }], true),
  )
  // Nobody waits for as long.
  const nowMs = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs() + SLOW_MS)
  for (const made of [older, newer]) driver.dispatch(gossip(made))
  await expect.poll(() => times('persistFailed')).toBe(2)
  const told = notes.filter(({ level, code }) => level === 'error' && code === 'STORE_FAILED')
  expect(told).toHaveLength(1)
  // Nothing is tried again at once, and what is tried later is refused like the first.
  node.monoMs += 5_000
  driver.dispatch({ kind: 'tick' })
  await expect.poll(() => times('persistFailed')).toBe(3)
  hangs.resolve()
  await Promise.all(filled)
  node.monoMs += 5_000
  driver.dispatch({ kind: 'tick' })
  await expect
    .poll(() => store.readEnvelope(newer.id).then((bytes) => bytes?.length))
    .toBe(newer.envelope.length)
  expect(notes.filter(({ level, code }) => level === 'error' && code === 'STORE_FAILED')).toEqual(told)
  // No write failed: LevelDB was not opened anew, and nothing was taken back.
  expect(opened).toBe(1)
  await driver.stop()
})
