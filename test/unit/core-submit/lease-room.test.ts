/** How many leases a seed lends, to whom, and when they end before their time. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import { raiseEpoch } from '../../../src/trust/edit.ts'
import { CHANNEL, make, OTHER, PEER, ROOT, rootBytes } from '../core/fleet.ts'
import { refusal, requests, SubmitNode, writes } from './submit-node.ts'

const mine = make({ clock: { alice: 1 }, text: 'mine' })
const of = (name: string) => make({ clock: { alice: 1 }, header: { channel: `app/${name}` as Channel } })
const address = (peer: PeerId) => `/ip4/10.0.0.2/tcp/7400/p2p/${peer}` as Address

function lender(maxLeases: number, seeds: readonly PeerId[] = []) {
  const node = new SubmitNode({ limits: { ...LIMITS, maxLeases }, seeds: seeds.map(address) })
  let count = 0
  const lend = (peer: PeerId, made = of(`${++count}`)) =>
    refusal(node.settled(node.ask({ type: 'lease', envelope: made.envelope }, peer)))
  return { node, lend }
}

test('A seed lends so many leases and refuses what is more; what is submitted to itself needs none of that room', () => {
  const { node, lend } = lender(1)
  node.connect(PEER, { seed: true })
  const submit = ({ envelope }: typeof mine) => {
    const asked = node.ask({ type: 'submit', envelope })
    return writes(node.settled(node.answer(asked[0], { type: 'noted' })))
  }
  expect(submit(of('own'))).toEqual(['lease!'])
  expect(lend(PEER)).toBe('noted')
  expect(lend(PEER)).toBe('LIMIT_RATE')
  expect(submit(mine)).toEqual(['lease!'])
  expect(lend(PEER, make({ clock: { alice: 1 }, text: 'theirs' }))).toBe('ORDER_PLACE_TAKEN')
})

test('One peer is lent an eighth of them, and may renew and give them back', () => {
  const { node, lend } = lender(16)
  node.connect(PEER, { seed: true })
  node.connect(OTHER, { seed: true })
  const first = of('first')
  expect([lend(PEER, first), lend(PEER), lend(PEER)]).toEqual(['noted', 'noted', 'LIMIT_RATE'])
  expect(lend(OTHER)).toBe('noted')
  expect(lend(PEER, first)).toBe('noted')
  node.ask({ type: 'free', release: first.id }, PEER)
  expect(lend(PEER)).toBe('noted')
})

test('Half of them are for those that the configuration names, however many others there are', () => {
  const { node, lend } = lender(16, [PEER])
  node.connect(PEER, { seed: true })
  const others = Array.from({ length: 9 }, (_, n) => `${OTHER}${n}` as PeerId)
  for (const other of others) node.connect(other, { seed: true })
  expect(others.map((other) => lend(other))).toEqual([...Array(8).fill('noted'), 'LIMIT_RATE'])
  expect([lend(PEER), lend(PEER), lend(PEER)]).toEqual(['noted', 'noted', 'LIMIT_RATE'])
})

test('A root that raises the epoch ends the leases below it, those of an earlier life, too', () => {
  const { node, lend } = lender(16)
  node.connect(PEER, { seed: true })
  expect([lend(PEER, mine), lend(PEER, of('api'))]).toEqual(['noted', 'noted'])
  const root = rootBytes(raiseEpoch(ROOT, CHANNEL as string as Pattern))
  const after = node.ask({ type: 'root', root })
  expect(writes(after).filter((each) => each === 'dropLease')).toHaveLength(1)
  expect(lend(PEER)).toBe('noted')

  const place = { epoch: 1, counter: 1, publisher: 'alice' as never }
  const lease = { channel: CHANNEL, place, release: mine.id, envelope: mine.envelope, holder: PEER }
  const roots = [rootBytes(ROOT), root].map((envelope, at) => ({ version: at + 1, envelope }))
  const restarted = new SubmitNode({ limits: { ...LIMITS, maxLeases: 1 } }, { roots, leases: [lease] })
  restarted.connect(PEER, { seed: true })
  const next = make({ clock: { alice: 1 }, header: { root: 2 } })
  expect(refusal(restarted.settled(restarted.ask({ type: 'lease', envelope: next.envelope }, PEER)))).toBe(
    'noted',
  )
  expect(requests(after)).toEqual([])
})
