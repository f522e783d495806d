/** A full disk has room again, or one that hung answers: all that is in memory only is written, never much of it at once. */
import { expect, it } from 'vitest'
import type { EffectOf } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { Housekeeping, type HousekeepingHooks } from '../../../src/core/housekeeping.ts'
import { createLedger } from '../../../src/core/ledger.ts'
import { OpenStep, StepCounter } from '../../../src/core/open-step.ts'
import { createRoots } from '../../../src/core/roots.ts'
import { createState, isDurable, keepCell, newCell } from '../../../src/core/state.ts'
import { MOST_CHANNELS } from '../../../src/core/unsaved.ts'
import { bytesOf, type Write } from '../../../src/core/writes.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Floor } from '../../../src/model/floor.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { activated, BenchNode, ofKind } from './bench-node.ts'
import {
  CHANNEL,
  coreConfig,
  floorOf,
  gossip,
  type Made,
  make,
  PEER,
  ROOT,
  raised,
  rootBytes,
} from './fleet.ts'

const [CHANNELS, EACH] = [600, 200]
const envelope = new Uint8Array(1_500)
const channelOf = (write: Write): Channel | undefined =>
  write.kind === 'envelope'
    ? write.channel
    : write.kind === 'floor'
      ? write.floor.channel
      : write.kind === 'channel'
        ? write.record.channel
        : undefined
const kindsOf = (writes: readonly Write[]) => writes.map(({ kind }) => kind)

/** A seed of many channels of which nothing could be written for a while, the newest root neither. */
function unwritten(each = EACH) {
  const config = coreConfig()
  const node = createState(config, createRoots(config.root, config.limits, false))
  node.roots.restore([{ version: 1, envelope: rootBytes(ROOT) }])
  node.unsavedRoots.set(1, 'STORE_FULL')
  for (let at = 0; at < CHANNELS; at += 1) {
    const channel = `app/c${at}` as Channel
    const cell = newCell(node, channel)
    for (let one = 0; one < each; one += 1) {
      const id = `${at}.${one}` as ReleaseId
      cell.envelopes.add(id)
      node.kept.set(id, { release: {} as Release, channel, envelope })
    }
    cell.unsaved = true
    keepCell(node, cell)
  }
  const [ledger, counter] = [createLedger(node), new StepCounter()]
  const housekeeping = new Housekeeping(node, {} as HousekeepingHooks)
  /** What one step persists. */
  const within = (monoMs: number, act: (step: OpenStep) => void) => {
    const seen = (effect: { readonly kind: string }) => {
      if (effect.kind === 'persist') ledger.open(effect as EffectOf<'persist'>)
    }
    const step = new OpenStep({ monoMs, wallMs: 0 }, config, counter, seen)
    act(step)
    return ofKind(step.effects, 'persist')
  }
  const ends = ({ ticket }: EffectOf<'persist'>, monoMs: number) => {
    const event = { kind: 'persisted', ticket } as const
    return within(monoMs, (step) => housekeeping.onWritten(step, event, ledger.close(event)))
  }
  const fails = ({ ticket }: EffectOf<'persist'>, monoMs: number) => {
    const event = { kind: 'persistFailed', ticket, code: 'STORE_FAILED' } as const
    return within(monoMs, (step) => housekeeping.onWriteFailed(step, event, ledger.fail(event)))
  }
  const save = (monoMs: number) => within(monoMs, (step) => housekeeping.saveNow(step))
  return { node, save, ends, fails }
}

it('in slices of whole channels, one on its way at a time, the root in the first, until all is durable', () => {
  const { node, save, ends } = unwritten()
  const slices: (readonly Write[])[] = []
  for (let next = save(0); next.length > 0; ) {
    const [slice, ...more] = next
    expect(more).toEqual([])
    // Whatever asks for it meanwhile.
    expect(save(0)).toEqual([])
    slices.push(slice?.writes ?? [])
    next = ends(slice as EffectOf<'persist'>, 0)
  }
  const sizes = slices.map(bytesOf)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.maxStoreBatchBytes)
  expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(0.9 * LIMITS.maxStoreBatchBytes)
  expect(slices.flat().filter(({ kind }) => kind === 'root')).toEqual([slices[0]?.[0]])
  for (const slice of slices) {
    const channels = new Set(slice.flatMap((write) => channelOf(write) ?? []))
    expect(kindsOf(slice).filter((kind) => kind === 'floor')).toHaveLength(channels.size)
    expect(kindsOf(slice).filter((kind) => kind === 'channel')).toHaveLength(channels.size)
    expect(kindsOf(slice).filter((kind) => kind === 'envelope')).toHaveLength(EACH * channels.size)
  }
  expect(slices.flat().filter(({ kind }) => kind === 'floor')).toHaveLength(CHANNELS)
  expect([...node.cells.values()].every(isDurable)).toBe(true)
  expect(node.unsavedRoots.size).toBe(0)
})

it('with few floors at a time, each a file of its own that is synced, however small they are', () => {
  const { save, ends } = unwritten(1)
  const counts: number[] = []
  for (let [next] = save(0); next !== undefined; [next] = ends(next, 0))
    counts.push(kindsOf(next.writes).filter((kind) => kind === 'floor').length)
  expect(Math.max(...counts)).toBeLessThanOrEqual(MOST_CHANNELS)
  expect(counts.reduce((sum, count) => sum + count)).toBe(CHANNELS)
})

it('and what is refused of it comes again, with what has not been tried', () => {
  const { node, save, ends, fails } = unwritten()
  const [first] = save(0) as [EffectOf<'persist'>]
  expect(fails(first, 0)).toEqual([])
  const [again] = save(5_000) as [EffectOf<'persist'>]
  expect(again.writes).toEqual(first.writes)
  const [second] = ends(again, 5_000) as [EffectOf<'persist'>]
  expect(fails(second, 5_000)).toEqual([])
  expect([...node.cells.values()].filter(isDurable)).toHaveLength(
    kindsOf(again.writes).filter((kind) => kind === 'floor').length,
  )
  for (let [next] = save(10_000); next !== undefined; ) [next] = ends(next, 10_000)
  expect([...node.cells.values()].every(isDurable)).toBe(true)
})

it('the node sends the next one off when the one before is on disk, and not before', () => {
  const limits = { ...LIMITS, maxStoreBatchBytes: 1_000 }
  const node = new BenchNode({ limits })
  node.start()
  const other = 'app/other' as Channel
  const made = [
    make({ clock: { alice: 1 } }),
    make({ clock: { alice: 1 }, header: { channel: other } }),
  ] as const
  const fail: Event[] = made
    .flatMap((one) => ofKind(node.run(gossip(one)), 'persist'))
    .map(({ ticket }) => ({ kind: 'persistFailed', ticket, code: 'STORE_FAILED' }))
  for (const event of fail) node.run(event)
  const floors = (effects: readonly EffectOf<'persist'>[]) =>
    effects.map(({ writes }) => writes.flatMap((one) => (one.kind === 'floor' ? one.floor.channel : [])))
  const first = ofKind(node.run({ kind: 'storeMode', readOnly: false }), 'persist')
  expect(floors(first)).toEqual([[CHANNEL]])
  node.monoMs = 5_000
  expect(ofKind(node.run({ kind: 'tick' }), 'persist')).toEqual([])
  const second = ofKind(node.persist(first), 'persist')
  expect(floors(second)).toEqual([[other]])
  expect(node.heard.filter((line) => line.startsWith('durable'))).toEqual([`durable ${CHANNEL}`])
  expect(ofKind(node.persist(second), 'persist')).toEqual([])
  expect(node.heard.filter((line) => line.startsWith('durable'))).toContain(`durable ${other}`)
})

/** A release in each of 200 channels, as the store has them. */
const many = () =>
  Array.from({ length: 200 }, (_, at) => {
    const made = make({ clock: { alice: 1 }, header: { channel: `app/c${at}` as Channel } })
    const { id: release, envelope: bytes } = made
    const { channel } = made.release.header
    return { floor: { ...floorOf(made), channel }, kept: { release, channel, bytes } }
  })

it.each([
  ['one set of copies', 1],
  ['both', 0],
])('a start that has lost %s of its floors writes them in slices, too', (_, copies) => {
  const all = many()
  const node = new BenchNode()
  const started = node.start({
    roots: [{ version: ROOT.version, envelope: rootBytes(ROOT) }],
    floors: all.flatMap(({ floor }) => (copies > 0 ? [floor] : [])),
    envelopes: all.map(({ kept }) => kept),
    floorLost: copies === 0,
  })
  const written: Floor[] = []
  for (let next = ofKind(started, 'persist'); next.length > 0; next = ofKind(node.persist(next), 'persist')) {
    const writes = next.flatMap((batch) => batch.writes)
    const floors = writes.flatMap((write) => (write.kind === 'floor' ? [write.floor] : []))
    expect(floors.length).toBeLessThanOrEqual(MOST_CHANNELS)
    written.push(...floors)
  }
  expect(new Set(written)).toEqual(new Set(all.map(({ floor }) => floor)))
})

it('a start between a root and the floors that it raises writes them in slices, too, and drops what they end behind them', () => {
  const all = many()
  const two = raised(ROOT)
  const node = new BenchNode({ root: rootBytes(two) })
  const started = node.start({
    roots: [ROOT, two].map((root) => ({ version: root.version, envelope: rootBytes(root) })),
    floors: all.flatMap(({ floor }) => [floor, floor]),
    envelopes: all.map(({ kept }) => kept),
  })
  const [left, epochs] = [
    new Map(all.map(({ kept }) => [kept.release, kept.channel])),
    new Map<Channel, number>(),
  ]
  for (let next = ofKind(started, 'persist'); next.length > 0; next = ofKind(node.persist(next), 'persist')) {
    const writes = next.flatMap((batch) => batch.writes)
    const floors = writes.flatMap((write) => (write.kind === 'floor' ? [write.floor] : []))
    expect(floors.length).toBeLessThanOrEqual(MOST_CHANNELS)
    for (const write of writes)
      if (write.kind === 'dropEnvelope') {
        expect(epochs.get(left.get(write.release) as Channel)).toBe(2)
        left.delete(write.release)
      }
    for (const { channel, top } of floors) epochs.set(channel, top.epoch)
  }
  expect(epochs.size).toBe(200)
  expect(left.size).toBe(0)
})

it('a release under a new root brings the floor that the root raises, and waits for that of no other channel', () => {
  const node = new BenchNode()
  node.start()
  const [before, under] = [make({ clock: { alice: 5 } }), make({ clock: { alice: 1 }, header: { root: 2 } })]
  const submitted = (made: Made) =>
    node.inside((step, journey) =>
      journey.ingestWhole(step, made.envelope, made.content, { via: 'submit', peer: PEER }),
    )
  node.persist(submitted(before))
  node.persist(node.run(activated(before, 'healthy')))
  const adopted = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(raised(ROOT)), PEER))
  const came = submitted(under)
  expect(ofKind(node.persist(adopted), 'persist')).toEqual([])
  expect(ofKind(node.persist(came), 'activate')).toMatchObject([{ release: under.id }])
})
