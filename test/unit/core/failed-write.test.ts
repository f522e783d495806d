/** A disk that takes a write no more: what was not written counts for nothing, and what came behind it stays. */
import { describe, expect, it } from 'vitest'
import { BenchNode, fetching, ofKind } from './bench-node.ts'
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

describe('two submissions one behind the other', () => {
  it('when the write of the first fails, the second stays what it is', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const submit = ({ envelope, content }: Made) =>
      node.inside((step, journey) =>
        journey.ingestWhole(step, envelope, content, { via: 'submit', peer: PEER }),
      )
    const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=2\n' })]
    const [first] = ofKind(submit(one), 'persist')
    const second = submit(two)
    node.run({ kind: 'persistFailed', ticket: first?.ticket ?? 0, code: 'STORE_FULL' })
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
    node.persist(second)
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
  })
})
