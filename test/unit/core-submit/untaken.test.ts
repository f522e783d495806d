/** Submissions of channels that this node does not store, or has no room for: refused, not left to wait. */
import { expect, test } from 'vitest'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { floorOf, make, OTHER, withLimits } from '../core/fleet.ts'
import { replies, SubmitNode, TOOL, writes } from './submit-node.ts'

const made = make({ clock: { alice: 1 } })
const beside = (name: string) => make({ clock: { alice: 1 }, header: { channel: name as Channel } })

test.each([
  ['a seed does', true, TOOL],
  ['a node asked by its own host does', false, OTHER],
])('A channel that %s not store is refused before anything is asked for or written', (_, submit, peer) => {
  const node = new SubmitNode({ submit, patterns: ['app/other/**' as Pattern] })
  node.connect(OTHER, { ownHost: true })
  const effects = node.ask({ type: 'submit', envelope: made.envelope }, peer)
  expect(effects.map(({ kind }) => kind)).toEqual(['reply', 'persist'])
  const text =
    'this node does not store app/web: its channels do not match; name a seed that stores it, or add it to channels here'
  expect(replies(effects)).toEqual([{ type: 'refused', code: 'ORDER_MISPLACED', text }])
  expect(writes(effects)).toEqual(['audit'])
  expect(node.counted).toEqual(['ORDER_MISPLACED'])
  expect(replies(node.ask({ type: 'block', release: made.id, bytes: made.block }, peer))).toMatchObject([
    { code: 'BLOCK_UNWANTED' },
  ])
})

test('A channel of which only the floor is kept is refused: its content would be given up again', () => {
  const [before, next] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 } })]
  const stored = { floors: [floorOf(before), floorOf(before)] as const }
  const [other, same] = ['app/other/**', 'app/**'].map(
    (pattern) => new SubmitNode({ patterns: [pattern as Pattern] }, stored),
  )
  const answers = (node?: SubmitNode) => node?.ask({ type: 'submit', envelope: next.envelope }) ?? []
  expect(replies(answers(other))).toMatchObject([{ type: 'refused', code: 'ORDER_MISPLACED' }])
  expect(writes(answers(same))).toEqual(['lease!'])
})

test('Of two new channels with room for one, the one whose content comes last is told that there is none', () => {
  const node = new SubmitNode({ limits: withLimits({ maxChannels: 1 }) })
  const late = beside('app/late')
  const text =
    'this node has no room for app/late (limits.maxChannels: 1); name another seed, or raise that limit here'
  const full = { type: 'refused', code: 'LIMIT_CHANNELS', text }
  for (const one of [late, made]) node.settled(node.ask({ type: 'submit', envelope: one.envelope }))
  for (const one of [made, late]) node.ask({ type: 'page', release: one.id, bytes: one.page })
  node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  const last = node.ask({ type: 'block', release: late.id, bytes: late.block })
  expect(last.map(({ kind }) => kind)).toEqual(['reply', 'persist', 'persist'])
  expect(replies(last)).toEqual([full])
  expect(writes(last)).toEqual(['dropLease', 'audit'])
  expect(replies(node.ask({ type: 'submit', envelope: late.envelope }))).toEqual([full])
  // What has its place there goes on.
  const next = make({ clock: { alice: 2 } })
  expect(writes(node.ask({ type: 'submit', envelope: next.envelope }))).toEqual(['lease!'])
})

test('A channel kept out by floors of former ones is refused with the bound that can be raised', () => {
  const limits = withLimits({ maxFormerChannels: 1 })
  const floor = { ...floorOf(made), channel: 'app/then' as Channel }
  const node = new SubmitNode({ limits, patterns: ['app/web' as Pattern] }, { floors: [floor] })
  const text =
    'this node has no room for app/web (limits.maxFormerChannels: 1); name another seed, or raise that limit here'
  expect(replies(node.ask({ type: 'submit', envelope: made.envelope }))).toEqual([
    { type: 'refused', code: 'LIMIT_CHANNELS', text },
  ])
})
