/** Roots that a peer gives within a comparison: newer ones, those that damage took, the first. */
import { expect, it } from 'vitest'
import type { AdmitReply, ShortDigest } from '../../../src/model/messages.ts'
import { ToyNode } from './dialogue.ts'
import { asked, rootBytes } from './fakes.ts'

it('asks a peer with a newer root for it, before it compares', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  b.bench.journey.current = { ...b.bench.journey.current, version: 2 }
  a.bench.link(b.id)
  b.bench.link(a.id, { direction: 'inbound' })
  b.bench.run((step, journey) => b.sync.onAdmitted(step, journey, a.id))
  const [first] = asked(a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, b.id)))
  const differ = { type: 'differ', root: 2, beacons: [], subs: 1, buckets: [], digests: [] } as const
  const answer = (id: number, reply: Parameters<typeof a.sync.onReply>[3]) =>
    a.bench.run((step, journey) => {
      a.sync.onReply(step, journey, id, reply)
    })
  const [second] = asked(answer(first?.id ?? 0, { protocol: 'sync', message: differ }))
  expect(second?.request).toEqual({ protocol: 'admit', message: { type: 'root', since: 1 } })
  const root = new TextEncoder().encode('root 2')
  const [third] = asked(answer(second?.id ?? 0, { protocol: 'admit', message: { type: 'root', root } }))
  expect(third?.request.message).toMatchObject({ type: 'root', since: 2 })
  const [fourth] = asked(answer(third?.id ?? 0, { protocol: 'admit', message: { type: 'root' } }))
  expect(fourth?.request.message).toMatchObject({ type: 'digests', root: 2 })
})

it.each([
  [5, 2],
  [6, 5],
])(
  'asks a peer at root %i for what damage took only where it has no newer one: after root %i',
  (theirs, since) => {
    const [node, from] = [new ToyNode('a'), new ToyNode('b')]
    const { journey } = node.bench
    Object.assign(journey, { current: { ...journey.current, version: 5 }, hole: 2, judge: () => 'old' })
    node.bench.link(from.id)
    const answer = (id: number | undefined, reply: Parameters<typeof node.sync.onReply>[3]) =>
      asked(node.bench.run((step) => void node.sync.onReply(step, journey, id ?? 0, reply)))
    const [first] = asked(node.bench.run((step) => node.sync.onAdmitted(step, journey, from.id)))
    const differ = { type: 'differ', root: theirs, beacons: [], subs: 1, buckets: [], digests: [] } as const
    const [second] = answer(first?.id, { protocol: 'sync', message: differ })
    expect(second?.request.message).toEqual({ type: 'root', since })
    const root = rootBytes(since + 1)
    // It closed nothing: not asked for again in this round, and what was compared is right as it is.
    expect(answer(second?.id, { protocol: 'admit', message: { type: 'root', root } })).toEqual([])
    expect(node.sync.comparedPeers()).toBe(1)
  },
)

it.each<[string, AdmitReply]>([
  ['has it', { type: 'root', root: rootBytes(1) }],
  ['has none', { type: 'root' }],
  ['does not know the question', { type: 'refused', code: 'CODEC_UNSUPPORTED', text: 'type not known' }],
])('asks for the first root by its name; a peer that %s is compared with once', (_, message) => {
  const [node, from] = [new ToyNode('a'), new ToyNode('b')]
  const { journey } = node.bench
  Object.assign(journey, { current: { ...journey.current, version: 5 }, hole: 0, judge: () => 'old' })
  node.bench.link(from.id)
  const answer = (id: number | undefined, reply: Parameters<typeof node.sync.onReply>[3]) =>
    node.bench.run((step) => void node.sync.onReply(step, journey, id ?? 0, reply))
  const [first] = asked(node.bench.run((step) => node.sync.onAdmitted(step, journey, from.id)))
  const differ = {
    type: 'differ',
    root: 5,
    beacons: [],
    subs: 1,
    buckets: [3],
    digests: ['f'.repeat(16) as ShortDigest],
  } as const
  const [second] = asked(answer(first?.id, { protocol: 'sync', message: differ }))
  expect(second?.request).toEqual({ protocol: 'admit', message: { type: 'firstRoot' } })
  const effects = answer(second?.id, { protocol: 'admit', message })
  expect(asked(effects).map(({ request }) => request.message.type)).toEqual(['entries'])
  expect(effects.filter(({ kind }) => kind === 'hangUp')).toEqual([])
})
