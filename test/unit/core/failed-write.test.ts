/** A disk that takes a write no more: what was not written counts for nothing, and what came behind it stays. */
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import { MemoryStore } from '../../../src/store/memory.ts'
import { MemoryDisk } from '../../../src/store/memory-disk.ts'
import { BenchNode, fetching, ofKind, refusedBlock } from './bench-node.ts'
import { CHANNEL, floorOf, given, gossip, type Made, make, PEER, record } from './fleet.ts'

describe('a release whose record `whole` cannot be written', () => {
  it('is not whole, and the record is written again once the disk may have room', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const [closing] = ofKind(node.persist(node.run(given(block?.id, made.block))), 'persist')
    node.run({ kind: 'persistFailed', ticket: closing?.ticket ?? 0, code: 'STORE_FULL' })
    expect(node.view().channels[0]).toMatchObject({ state: 'fetching' })
    node.monoMs = 10_000
    const again = ofKind(node.run({ kind: 'tick' }), 'persist')
    expect(again.flatMap(({ writes }) => writes)).toContainEqual({ kind: 'whole', release: made.id })
    expect(ofKind(node.persist(again), 'activate')).toMatchObject([{ release: made.id }])
  })

  it('and at once where the store says that it takes bytes again, but not while it takes none', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const [closing] = ofKind(node.persist(node.run(given(block?.id, made.block))), 'persist')
    node.run({ kind: 'storeMode', readOnly: true })
    node.run({ kind: 'persistFailed', ticket: closing?.ticket ?? 0, code: 'STORE_FULL' })
    const whole = (effects: readonly Effect[]) => ofKind(effects, 'persist').flatMap(({ writes }) => writes)
    node.monoMs = 6_000
    expect(whole(node.run({ kind: 'tick' }))).not.toContainEqual({ kind: 'whole', release: made.id })
    node.monoMs += 1
    expect(whole(node.run({ kind: 'storeMode', readOnly: false }))).toContainEqual({
      kind: 'whole',
      release: made.id,
    })
  })

  it('and not before, whatever ticks come', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const [closing] = ofKind(node.persist(node.run(given(block?.id, made.block))), 'persist')
    node.run({ kind: 'persistFailed', ticket: closing?.ticket ?? 0, code: 'STORE_FULL' })
    for (let turns = 0; turns < 4; turns += 1) {
      node.monoMs += 1_000
      expect(ofKind(node.run({ kind: 'tick' }), 'persist')).toEqual([])
    }
  })

  it('and no peer is said to lack what is all here, however long the disk takes nothing', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const open = ofKind(node.persist(node.run(given(block?.id, made.block))), 'persist')
    const codes: string[] = []
    for (let turns = 0; turns < 60; turns += 1) {
      for (const { ticket } of open.splice(0)) node.run({ kind: 'persistFailed', ticket, code: 'STORE_FULL' })
      node.monoMs += 1_000
      const effects = node.handle({ kind: 'tick' })
      open.push(...ofKind(effects, 'persist'))
      codes.push(...ofKind(effects, 'note').map(({ code }) => code))
    }
    expect(codes).not.toContain('FETCH_UNAVAILABLE')
    expect(node.view().channels[0]?.lastError?.code).not.toBe('FETCH_UNAVAILABLE')
  })
})

describe('a disk that takes nothing', () => {
  const made = make({ clock: { alice: 1 } })
  const wanted = (effects: readonly Effect[]) =>
    ofKind(effects, 'request').filter(({ request }) => request.message.type === 'want')
  const full = () => refusedBlock(made, { kind: 'storeMode', readOnly: true })

  it('has nothing asked for that could not be written; once there is room it is asked for', () => {
    const node = full()
    for (let turns = 0; turns < 60; turns += 1) {
      node.monoMs += 1_000
      expect(wanted(node.run({ kind: 'tick' }))).toEqual([])
    }
    const [again] = wanted(node.run({ kind: 'storeMode', readOnly: false }))
    expect(again?.request.message).toMatchObject({ digest: sha256(made.block) })
  })

  it('which one with room now and then has asked for every few seconds, and no more', () => {
    const node = full()
    expect(wanted(node.run({ kind: 'storeMode', readOnly: false }))).toEqual([])
    node.monoMs += 5_000
    expect(wanted(node.run({ kind: 'tick' }))).toHaveLength(1)
  })

  it('is no reason to say that no peer gives anything, then or as soon as there is room', () => {
    const node = full()
    const codes: string[] = []
    const noted = (effects: readonly Effect[]) => {
      codes.push(...ofKind(effects, 'note').map(({ code }) => code))
    }
    for (let turns = 0; turns < 60; turns += 1) {
      node.monoMs += 1_000
      noted(node.handle({ kind: 'tick' }))
    }
    noted(node.handle({ kind: 'storeMode', readOnly: false }))
    noted(node.handle({ kind: 'tick' }))
    expect(codes).not.toContain('FETCH_UNAVAILABLE')
    expect(node.view().channels[0]?.lastError?.code).not.toBe('FETCH_UNAVAILABLE')
  })
})

describe('a target that became whole while the record of the one before could not be written', () => {
  it('waits until the channel is on disk again', () => {
    const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=2\n' })]
    const node = new BenchNode()
    node.start()
    node.persist(node.run(gossip(one, [one.page, one.block])))
    node.persist(node.run(gossip(two, [two.page, two.block])))
    const outcome = { kind: 'healthy', changed: 1 } as const
    const active = node.run({ kind: 'activated', channel: CHANNEL, release: one.id, outcome })
    expect(ofKind(active, 'activate')).toEqual([])
    const [ticket] = ofKind(active, 'persist').map((effect) => effect.ticket)
    const failed = node.run({ kind: 'persistFailed', ticket: ticket ?? 0, code: 'STORE_FAILED' })
    expect([...failed, ...node.run({ kind: 'tick' })].filter(({ kind }) => kind === 'activate')).toEqual([])
    node.monoMs = 5_000
    const saved = node.run({ kind: 'tick' })
    expect(ofKind(saved, 'activate')).toEqual([])
    expect(ofKind(node.persist(saved), 'activate')).toMatchObject([{ release: two.id }])
  })

  it('does not keep what was active from its files after a start', () => {
    const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=2\n' })]
    const active = { release: one.id, epoch: 1, activatedAt: 5, soaked: true }
    const node = new BenchNode()
    const start = node.start({
      floors: [floorOf(one), floorOf(two)],
      channels: [record([two.id], { active })] as never,
      envelopes: [one, two].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
      whole: [one.id, two.id],
    })
    expect(ofKind(start, 'activate')).toEqual([])
    const [ticket] = ofKind(start, 'persist').map((effect) => effect.ticket)
    const failed = node.run({ kind: 'persistFailed', ticket: ticket ?? 0, code: 'STORE_FULL' })
    expect(ofKind(failed, 'activate')).toMatchObject([{ release: one.id, previous: one.id }])
  })
})

const submit = (node: BenchNode, { envelope, content }: Made) =>
  ofKind(
    node.inside((step, journey) =>
      journey.ingestWhole(step, envelope, content, { via: 'submit', peer: PEER }),
    ),
    'persist',
  )
const fails = (node: BenchNode, writes: readonly EffectOf<'persist'>[]) => {
  for (const { ticket } of writes) node.run({ kind: 'persistFailed', ticket, code: 'STORE_FULL' })
}
const [one, two, three] = [1, 2, 3].map((counter) =>
  make({ clock: { alice: counter }, text: `a=${counter}\n` }),
) as [Made, Made, Made]
/** What is written once there is room again. */
const savedBy = (node: BenchNode) =>
  ofKind(node.run({ kind: 'storeMode', readOnly: false }), 'persist').flatMap(({ writes }) => writes)

describe('two submissions one behind the other', () => {
  it('when the write of the first fails, the second stays what it is', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const first = submit(node, one)
    const second = submit(node, two)
    fails(node, first)
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
    node.persist(second)
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
  })

  it.each([['in their order', (writes: EffectOf<'persist'>[]) => writes]])(
    'when both fail, %s, neither has come',
    (_, order) => {
      const node = new BenchNode({ submit: true })
      node.start()
      const writes = [...submit(node, one), ...submit(node, two)]
      fails(node, order(writes))
      expect(node.view().channels[0]).toMatchObject({ top: { counter: 0 }, ids: [] })
      expect(savedBy(node).map(({ kind }) => kind)).toEqual(['floor', 'channel'])
    },
  )
})

describe('a submission that cannot be written', () => {
  it('has not come, also where the channel changed meanwhile', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    node.persist(node.run(gossip(one, [one.page, one.block])))
    const outcome = { kind: 'healthy', changed: 0 } as const
    node.persist(node.handle({ kind: 'activated', channel: CHANNEL, release: one.id, outcome }))
    node.monoMs = 29_999
    const writes = submit(node, two)
    node.monoMs = 30_001
    expect(ofKind(node.run({ kind: 'tick' }), 'persist')).toHaveLength(1)
    fails(node, writes)
    expect(node.view().channels[0]).toMatchObject({ target: one.id, active: { id: one.id, soaked: true } })
    const floors = savedBy(node).flatMap((write) => (write.kind === 'floor' ? write.floor.ids : []))
    expect(floors).toEqual([one.id])
  })

  it('leaves what it would have replaced as it was: its envelope, and whole', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    // a gate keeps it from being active, and needed as such
    const gated = make({ clock: { alice: 1 }, header: { critical: ['future'] } })
    node.persist(node.run(gossip(gated, [gated.page, gated.block])))
    const writes = submit(node, two)
    expect(writes[0]?.writes).not.toContainEqual({ kind: 'dropEnvelope', release: gated.id })
    fails(node, writes)
    expect(node.view().channels[0]).toMatchObject({ target: gated.id })
    node.inside((_, journey) => {
      expect(journey.envelope(gated.id)).toEqual(gated.envelope)
      expect(journey.isWhole(gated.id)).toBe(true)
    })
    node.persist(node.run({ kind: 'storeMode', readOnly: false }))
    const dropped = ofKind(node.persist(submit(node, three)), 'persist').flatMap(({ writes }) => writes)
    expect(dropped).toContainEqual({ kind: 'dropEnvelope', release: gated.id })
  })

  it('leaves the place to what came meanwhile below it, and above what was there before', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    node.peer(PEER, { submit: true })
    node.persist(node.run(gossip(one, [one.page, one.block])))
    const writes = submit(node, make({ clock: { bob: 6 }, publisher: 'bob', text: 'b=6\n' }))
    const below = make({ clock: { alice: 5 }, text: 'a=5\n' })
    const came = node.run(gossip(below))
    expect(node.view().channels[0]).toMatchObject({ top: { counter: 6 }, heads: { length: 2 } })
    fails(node, writes)
    node.persist(came)
    expect(node.view().channels[0]).toMatchObject({ top: { counter: 5 }, target: below.id })
    node.persist(node.run({ kind: 'storeMode', readOnly: false }))
    const ticks = Array.from({ length: 10 }, () => {
      node.monoMs += 1_000
      return ofKind(node.run({ kind: 'tick' }), 'request')
    })
    const wants = ticks.flat().filter(({ request: { message } }) => message.type === 'want')
    expect(wants).toMatchObject([{ peer: PEER, request: { message: { digest: sha256(below.page) } } }])
  })

  it('leaves its twin off the network alone in their place', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const twin = make({ clock: { alice: 1 }, text: 'b=1\n' })
    const writes = submit(node, one)
    node.persist(node.run(gossip(twin, [twin.page, twin.block])))
    expect(node.view().channels[0]).toMatchObject({ held: true })
    fails(node, writes)
    expect(node.view().channels[0]).toMatchObject({ held: false, target: twin.id })
  })

  it.each([
    ['alone in its place', [one.id], { held: false, target: one.id }],
    ['beside its twin', [one.id, two.id].sort(), { held: true }],
  ])('that is known already, %s, its envelope lost, stays known', (_, ids, known) => {
    const node = new BenchNode({ submit: true })
    const floor = { ...floorOf(one), ids }
    node.start({ floors: [floor, floor] })
    fails(node, submit(node, one))
    expect(node.view().channels[0]).toMatchObject(known)
  })
})

describe('a start behind a submission that was on its way to disk', () => {
  const other = make({ clock: { bob: 6 }, publisher: 'bob', text: 'b=6\n' })
  const below = make({ clock: { alice: 5 }, text: 'a=5\n' })
  const twin = make({ clock: { alice: 2 }, text: 'b=2\n' })

  /** A node that has `one` on disk; `write` puts what it persists there, `start` is its next life. */
  function begun() {
    const node = new BenchNode({ submit: true })
    const disk = new MemoryDisk()
    node.start()
    const write = (effects: readonly Effect[]) => {
      for (const { writes } of ofKind(effects, 'persist')) disk.write(writes)
      return node.persist(effects)
    }
    const start = async () => {
      const store = new MemoryStore({ limits: LIMITS, disk })
      await store.open()
      const { roots: _, ...snapshot } = await store.load()
      const next = new BenchNode({ submit: true })
      next.start(snapshot)
      return next.view().channels[0]
    }
    write(node.run(gossip(one, [one.page, one.block])))
    return { node, write, start }
  }

  it.each([
    ['below it', other, below],
    ['beside it', two, twin],
  ])('that failed has what came meanwhile %s', async (_, submitted, came) => {
    const { node, write, start } = begun()
    const own = submit(node, submitted)
    const meanwhile = node.run(gossip(came))
    fails(node, own)
    write(meanwhile)
    expect(await start()).toMatchObject({ held: false, target: came.id, heads: [{ id: came.id }] })
  })

  it.each([
    ['written first', (own: readonly Effect[], came: readonly Effect[]) => [own, came]],
    ['written last', (own: readonly Effect[], came: readonly Effect[]) => [came, own]],
  ])('that was %s has it, and what came meanwhile below, beside or above it', async (_, order) => {
    const [high, held, low] = [begun(), begun(), begun()]
    for (const each of order(submit(high.node, other), high.node.run(gossip(below)))) high.write(each)
    expect(await high.start()).toMatchObject({ target: other.id, heads: { length: 2 } })
    for (const each of order(submit(held.node, two), held.node.run(gossip(twin)))) held.write(each)
    expect(await held.start()).toMatchObject({ held: true })
    for (const each of order(submit(low.node, two), low.node.run(gossip(other)))) low.write(each)
    expect((await low.start())?.heads.map(({ id }) => id)).toEqual([two.id, other.id].sort())
  })

  it('that failed has nothing of it, also where all was saved meanwhile', async () => {
    const { node, write, start } = begun()
    fails(node, ofKind(node.run(gossip(below)), 'persist'))
    const own = submit(node, other)
    const saved = node.run({ kind: 'storeMode', readOnly: false })
    fails(node, own)
    write(saved)
    expect(await start()).toMatchObject({ target: below.id, heads: [{ id: below.id }] })
  })

  it('that failed, of what was known already, in memory alone, has what was saved meanwhile', async () => {
    const { node, write, start } = begun()
    fails(node, ofKind(node.run(gossip(two)), 'persist'))
    const own = submit(node, two)
    const saved = node.run({ kind: 'storeMode', readOnly: false })
    fails(node, own)
    write(saved)
    expect(await start()).toMatchObject({ target: two.id, heads: [{ id: two.id }] })
  })

  it.each([
    [[other, two], [1], { target: two.id, heads: [{ id: two.id }] }],
    [[other, two], [0], { target: other.id, heads: { length: 2 } }],
    [[other, two], [0, 1], { target: other.id, heads: { length: 2 } }],
    [[other, two], [1, 0], { target: other.id, heads: { length: 2 } }],
    [[other, two], [], { target: one.id, heads: [{ id: one.id }] }],
    [[two, other], [0], { target: two.id, heads: [{ id: two.id }] }],
    [[two, other], [1], { target: other.id, heads: { length: 2 } }],
    [[two, other], [0, 1], { target: other.id, heads: { length: 2 } }],
  ])(
    'with another in front of it has those that were written (%#)',
    async (pair, written: number[], expected) => {
      const { node, write, start } = begun()
      const own = pair.flatMap((each) => submit(node, each))
      fails(
        node,
        own.filter((_, at) => !written.includes(at)),
      )
      for (const at of written) write(own.slice(at, at + 1))
      expect(await start()).toMatchObject(expected)
    },
  )
})

describe('an envelope whose record turned out to be damaged', () => {
  const made = make({ clock: { alice: 1 } })
  const envelope = { kind: 'envelope', release: made.id, channel: CHANNEL, bytes: made.envelope }

  it('is written anew from memory, and once more where the disk did not take it', () => {
    const node = new BenchNode()
    node.start()
    node.persist(node.run(gossip(made)))
    const lost = { kind: 'envelopeLost', release: made.id } as const
    const again = node.run(lost)
    expect(again).toEqual([
      {
        kind: 'persist',
        ticket: 2,
        writes: [envelope, { kind: 'channel', record: record([made.id]) }],
        sync: true,
      },
    ])
    node.run({ kind: 'persistFailed', ticket: 2, code: 'STORE_FULL' })
    node.monoMs += 5_000
    const saved = ofKind(node.run({ kind: 'tick' }), 'persist')
    expect(saved.flatMap(({ writes }) => writes)).toContainEqual(envelope)
  })

  it('is nobody’s where the release was dropped meanwhile', () => {
    const node = new BenchNode()
    node.start()
    expect(node.run({ kind: 'envelopeLost', release: made.id })).toEqual([])
  })
})
