/** Peers that are linked to a seed, and for whose records its full book has no place. */
import { beforeEach, expect, it } from 'vitest'
import { addressOf, limitsOf, replies, rootOf } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  judge,
  lose,
  pass,
  peers,
  remembered,
  type Someone,
  someone,
  start,
} from './linking.ts'

const [gone, one, other, asker] = [someone(), someone(), someone(), someone()]
const comes = (peer: Someone) => {
  admit(peer.id, { direction: 'inbound' })
  return asksPeers(peer.id, [peer.record()])
}
const given = (to: Someone) =>
  replies(asksPeers(to.id, [to.record()])).flatMap((said) => (said.type === 'peers' ? said.records : []))

/** Whoever was here first is gone, and keeps the only place for a day. */
beforeEach(() => {
  start({ seeds: [], submit: true, limits: limitsOf({ maxKnownPeers: 1 }) })
  comes(gone)
  lose(gone.id)
  pass(1_000)
})

it('are told to others, and found where somebody is sent to them, for as long as they are linked', () => {
  expect(remembered(comes(one))).toEqual([])
  comes(asker)
  expect(given(asker)).toEqual(expect.arrayContaining([gone.record(), one.record()]))
  expect(given(asker)).toHaveLength(2)
  expect([peers.address(one.id), peers.patterns(one.id)]).toEqual([addressOf(one.id), ['**']])
  pass(20_000)
  expect(given(asker)).toHaveLength(2)
  lose(one.id)
  pass(1_000)
  expect(given(asker)).toEqual([gone.record()])
  expect(peers.address(one.id)).toBeUndefined()
})

it('are told by their latest record, and by none that they do not have a right to under a new root', () => {
  comes(one)
  const later = one.record({ at: 2 })
  asksPeers(one.id, [later])
  asksPeers(one.id, [one.record()])
  comes(asker)
  expect(given(asker)).toContainEqual(later)
  judge.refused.set(one.id, 'ADMIT_REFUSED')
  const removed = { peers: [{ id: one.id }], pools: [] }
  bench.run((step, journey) => peers.onRoot(step, journey, rootOf(2, { removed })))
  expect(given(asker)).toEqual([gone.record()])
})

/** Four records at a time, ten times: forty peers came and went, two are there beside the one that asks. */
function givenBy(submit: boolean, maxKnownPeers: number): Uint8Array[][] {
  const limits = limitsOf({ maxKnownPeers, maxExchanged: 4 })
  start({ seeds: [], submit, limits })
  for (let count = 0; count < 40; count += 1) {
    const passing = someone()
    comes(passing)
    lose(passing.id)
  }
  for (const peer of [one, other, asker]) comes(peer)
  return Array.from({ length: 10 }, () => {
    pass(10_000)
    return given(asker)
  })
}
const there = expect.arrayContaining([one.record(), other.record()])

it('have half of what others are told, however many that are gone are known', () => {
  expect(givenBy(true, 40)).toEqual(Array(10).fill(there))
  expect(givenBy(true, 43)).toEqual(Array(10).fill(there))
})

it('of another node than a seed are told of as all others are', () => {
  expect(givenBy(false, 43)).not.toEqual(Array(10).fill(there))
})
