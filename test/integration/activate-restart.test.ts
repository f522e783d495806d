/** Core, driver and files together, after a crash between a verdict on a tree and the record of it. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Activator, createActivator } from '../../src/activate/activator.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Pattern, ReleaseId } from '../../src/model/ids.ts'
import { createDriver } from '../../src/runtime/driver.ts'
import type { LogPort, Ports, Write } from '../../src/runtime/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { BenchNode } from '../unit/core/bench-node.ts'
import { CHANNEL, floorOf, type Made, make, ROOT, record, rootBytes, WALL_MS } from '../unit/core/fleet.ts'

const old = make({ clock: { alice: 1 }, text: 'good\n' })
const made = make({ clock: { alice: 2 }, text: 'bad\n' })
const newest = make({ clock: { alice: 3 }, text: 'better\n' })

const wholeOf = ({ id, envelope, content }: Made): readonly Write[] => [
  { kind: 'envelope', release: id, channel: CHANNEL, bytes: envelope },
  ...[...content].map(([digest, bytes]): Write => ({ kind: 'block', digest, bytes })),
  { kind: 'whole', release: id },
]

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

interface Place {
  readonly dir: string
  readonly store: MemoryStore
  readonly activator: () => Activator
}

const NO_BAD = '! grep -q bad "$CONFMESH_DIR/a.conf"'

/** The record says that `old` is active, and the floor names `top`. */
async function placed(top: Made, failed: readonly ReleaseId[] = []) {
  const dir = await mkdtemp(join(tmpdir(), 'confmesh-restart-'))
  ends.push(() => rm(dir, { recursive: true, force: true }))
  await chmod(dir, 0o755)
  const store = new MemoryStore({ limits: LIMITS })
  await store.open()
  const active = { release: old.id, epoch: 1, activatedAt: 5, soaked: failed.length === 0 }
  const writes: Write[] = [
    { kind: 'root', version: 1, envelope: rootBytes(ROOT) },
    { kind: 'floor', floor: floorOf(top) },
    { kind: 'channel', record: record([top.id], { active, failed }) as never },
    ...wholeOf(old),
  ]
  await store.commit(writes)
  const activator = (check: string) => {
    const health = { command: ['/bin/sh', '-c', check], timeoutMs: 20_000 }
    return createActivator({ dir, hooks: [], health, store, limits: LIMITS })
  }
  return { dir, store, activator }
}

const order = (of: Made): EffectOf<'activate'> =>
  ({ channel: CHANNEL, release: of.id, pages: of.release.header.pages, fallback: false }) as never

/** Files show `made`, which failed its check. */
async function crashed(top: Made): Promise<Place> {
  const { dir, store, activator } = await placed(top)
  await store.commit(wholeOf(made))
  expect(await activator(NO_BAD).activate(order(old))).toMatchObject({ kind: 'healthy' })
  expect(await activator(NO_BAD).activate(order(made))).toMatchObject({ kind: 'unhealthy' })
  return { dir, store, activator: () => activator(NO_BAD) }
}

const nothing = (): void => {}
const portsOf = (real: Pick<Ports, 'store' | 'activator'>, note: LogPort['note'] = nothing): Ports =>
  ({
    ...real,
    clock: { now: () => ({ monoMs: 0, wallMs: WALL_MS }), wakeAt: nothing, stop: nothing },
    transport: { start: async () => {}, perform: nothing, stop: async () => {} },
    metrics: { count: nothing, observe: nothing },
    log: { note },
  }) as unknown as Ports

/** What is told to be active, at each step until no activation is under way. */
async function restarted({ store, activator }: Place): Promise<readonly unknown[]> {
  const node = new BenchNode()
  const told: unknown[] = []
  let [begun, ended] = [0, 0]
  let settled = () => {}
  const end = new Promise<void>((resolve) => {
    settled = resolve
  })
  const core = {
    handle: (...[event]: Parameters<BenchNode['handle']>) => {
      const effects = node.handle(event)
      told.push(node.view().channels[0]?.active?.id)
      begun += effects.filter(({ kind }) => kind === 'activate').length
      if (event.kind === 'activated') ended += 1
      if (begun > 0 && begun === ended) settled()
      return effects
    },
  }
  const ports = portsOf({ store, activator: activator() })
  const driver = createDriver(core, ports, { maxCacheBytes: 1_000_000 })
  ends.push(() => driver.stop())
  await driver.start()
  await end
  return told
}

test.each([
  ['is the target: it is judged again and left', made],
  ['is no target any longer, and that is not here yet', newest],
])(
  'what failed its check and %s: last-known-good is told throughout, and shown in the end',
  async (_, top) => {
    const place = await crashed(top)
    expect(new Set(await restarted(place))).toEqual(new Set([old.id]))
    expect(await readFile(join(place.dir, CHANNEL, 'current', 'a.conf'), 'utf8')).toBe('good\n')
  },
)

test('what files show expired while its hooks were cut short: they run after the restart, and it is active', async () => {
  const late = make({ clock: { alice: 2 }, text: 'late\n', header: { expires: WALL_MS - 1 } })
  const { dir, store, activator } = await placed(late)
  await store.commit(wholeOf(late))
  expect(await activator('true').activate(order(old))).toMatchObject({ kind: 'healthy' })
  const cut = activator('sleep 100')
  const outcome = cut.activate(order(late))
  const current = join(dir, CHANNEL, 'current', 'a.conf')
  await expect.poll(() => readFile(current, 'utf8'), { timeout: 10_000 }).toBe('late\n')
  await cut.stop()
  expect(await outcome).toMatchObject({ kind: 'failed' })
  const out = join(dir, 'out')
  const told = await restarted({ dir, store, activator: () => activator(`echo $CONFMESH_RELEASE >> ${out}`) })
  expect(new Set(told)).toEqual(new Set([late.id]))
  expect([await readFile(out, 'utf8'), await readFile(current, 'utf8')]).toEqual([`${late.id}\n`, 'late\n'])
  await expect.poll(() => store.disk.latest.channels.get(CHANNEL)?.active?.release).toBe(late.id)
})

test.each([
  ['has passed it where that was corrected', 'true', []],
  ['has failed it still where that was not', 'false', [old.id]],
])('a first release that failed its check by the record %s, after a restart', async (_, check, failed) => {
  const place = await placed(old, [old.id])
  expect(await place.activator('false').activate(order(old))).toMatchObject({ kind: 'unhealthy' })
  await restarted({ ...place, activator: () => place.activator(check) })
  await expect.poll(() => place.store.disk.latest.channels.get(CHANNEL)?.failed).toEqual(failed)
})

test('files of a channel that is not stored any longer are told of at each start, as long as they are there, and stay', async () => {
  const { dir, store, activator } = await placed(old)
  expect(await activator('true').activate(order(old))).toMatchObject({ kind: 'healthy' })
  const patterns = ['other/**' as Pattern]
  const told = async () => {
    const notes: string[] = []
    const ports = portsOf({ store, activator: activator('true') }, ({ code, channel, text }) => {
      if (code === 'ACTIVATE_LEFTOVER') notes.push(`${channel}: ${text}`)
    })
    const driver = createDriver(new BenchNode({ patterns }), ports, { maxCacheBytes: 1_000_000, patterns })
    ends.push(() => driver.stop())
    await driver.start()
    return notes
  }
  const leftover = [expect.stringMatching(/^app\/web: 1 channels .*first app\/web: they stay as they are/)]
  expect(await told()).toEqual(leftover)
  expect(await told()).toEqual(leftover)
  expect(await readFile(join(dir, CHANNEL, 'current', 'a.conf'), 'utf8')).toBe('good\n')
  for (const name of ['current', '.releases']) await rm(join(dir, CHANNEL, name), { recursive: true })
  expect(await told()).toEqual([])
})
