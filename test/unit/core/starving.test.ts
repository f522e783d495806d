/** A release that no neighbour has, and a full seed that said to come back in an hour: a whole node goes there all the same. */
import { expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LATE_DIALS } from '../../../src/core/peers/starving.ts'
import { createPeers } from '../../../src/core/peers.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { addressOf, FakeJudge, limitsOf } from '../core-peers/fakes.ts'
import { someone } from '../core-peers/linking.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, coreConfig, gossip, make, OTHER, PEER } from './fleet.ts'

const SEED = someone({ submit: true }).id

/** Linked to two that store its channels; who is asked for anything gives nothing. */
function begin(seeds = [SEED]) {
  const change = {
    seeds: seeds.map((seed) => addressOf(seed)),
    limits: limitsOf({ minDegree: 2, minOutbound: 0, outsideDegree: 0 }),
  }
  const late: Channel[] = []
  const peers = createPeers(coreConfig(change), new FakeJudge().judge, { late: () => late })
  const node = new BenchNode(change, { peers })
  for (const peer of [PEER, OTHER]) node.peer(peer)
  node.start()
  const seconds = (many: number): number => {
    let dialled = 0
    for (let turns = 0; turns < many; turns += 1) {
      node.monoMs += 1_000
      dialled += answered(node.handle({ kind: 'tick' }))
    }
    return dialled
  }
  const answered = (effects: readonly Effect[]): number => {
    for (const { id } of ofKind(effects, 'request'))
      node.run({ kind: 'reply', id, reply: { protocol: 'blocks', message: { type: 'gone' } } })
    return ofKind(effects, 'dial').length
  }
  seconds(20)
  node.inside((step) =>
    step.emit({ kind: 'hangUp', peer: SEED, code: 'ADMIT_REFUSED', retryAfterMs: LIMITS.linkSwapMs }),
  )
  expect(seconds(120)).toBe(0)
  return { node, seconds, late }
}

it('once nothing has come for ten seconds', () => {
  const { node, seconds } = begin()
  node.persist(node.run(gossip(make({ clock: { alice: 1 } }))))
  expect(seconds(9)).toBe(0)
  expect(seconds(20)).toBe(1)
})

it('nor does any tell of what beacons have named for longer than it may be on its way', () => {
  const { seconds, late } = begin()
  late.push(CHANNEL)
  expect(seconds(20)).toBeGreaterThan(0)
})

it('a few times an hour, whatever beacons name: their keys are on seeds', () => {
  const { node, late } = begin()
  let dialled = 0
  for (let second = 0; second < 3_600; second += 1) {
    if (second % 60 === 0) late.splice(0, 1, `app/${second}` as Channel)
    if (second % 60 === 30) late.length = 0
    node.monoMs += 1_000
    const effects = node.handle({ kind: 'tick' })
    if (ofKind(effects, 'dial').length === 0) continue
    dialled += 1
    for (const { kind } of effects) expect(kind).not.toBe('hangUp')
    node.inside((step) =>
      step.emit({ kind: 'hangUp', peer: SEED, code: 'ADMIT_REFUSED', retryAfterMs: LIMITS.linkSwapMs }),
    )
  }
  expect(dialled).toBeGreaterThanOrEqual(LATE_DIALS)
  expect(dialled).toBeLessThanOrEqual(2 * LATE_DIALS + 1)
})

it('a few of those that may be dialled: where one is dead and waits for its turn, the full one', () => {
  const dead = someone({ submit: true }).id
  const { node, late } = begin([dead, SEED])
  const dialled: string[] = []
  late.push(CHANNEL)
  for (let second = 0; second < 1_500; second += 1) {
    node.monoMs += 1_000
    for (const { address } of ofKind(node.handle({ kind: 'tick' }), 'dial')) {
      dialled.push(address)
      node.run({ kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
    }
  }
  expect(dialled).toContain(addressOf(SEED))
})

it('but not for what its own disk does not take', () => {
  const { node, seconds } = begin()
  node.persist(node.run(gossip(make({ clock: { alice: 1 } }))))
  node.run({ kind: 'storeMode', readOnly: true, code: 'STORE_FULL' })
  expect(seconds(120)).toBe(0)
})
