/** Row 53: quiet peers lose nothing. The scores are gossipsub's own, as we set them; the clock is the test's. */
import { createPeerScoreParams, PeerScore } from '@chainsafe/libp2p-gossipsub/score'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import type { Gate } from '../../../src/net/gate.ts'
import { gossipOptions, topicNames } from '../../../src/net/gossip.ts'
import { Pace } from '../../../src/net/pace.ts'

const FLEET = 'f1ee7'.padEnd(64, '0') as FleetId
const { releases, control } = topicNames(FLEET, 'default')
const HOUR_MS = 3_600_000
const PEERS = Array.from({ length: 50 }, (_, at) => `peer-${at}`)

let score: PeerScore
beforeEach(() => {
  vi.useFakeTimers()
  const { scoreParams } = gossipOptions({
    fleetId: FLEET,
    region: 'default',
    seed: true,
    gate: { has: () => true } as unknown as Gate,
    pace: new Pace(LIMITS),
    limits: LIMITS,
  })
  const logger = { forComponent: () => vi.fn() } as unknown as ConstructorParameters<typeof PeerScore>[2]
  score = new PeerScore(createPeerScoreParams(scoreParams), null, logger, { scoreCacheValidityMs: 0 })
  score.start()
  for (const peer of PEERS) {
    score.addPeer(peer)
    score.addIP(peer, '10.0.0.1')
    for (const topic of [releases, control]) score.graft(peer, topic)
  }
})
afterEach(() => {
  score.stop()
  vi.useRealTimers()
})
const scores = (): number[] => PEERS.map((peer) => score.score(peer))

test('fifty peers behind one address, idle for a day, have the score that they began with', () => {
  const begun = scores()
  expect(new Set(begun)).toEqual(new Set([0]))
  for (let hour = 0; hour < 24; hour += 1) {
    vi.advanceTimersByTime(HOUR_MS)
    expect(scores()).toEqual(begun)
  }
  // That they brought nothing is not held against them when they leave the mesh either.
  for (const peer of PEERS) for (const topic of [releases, control]) score.prune(peer, topic)
  expect(scores()).toEqual(begun)
}, 60_000)

test('what one of them was blamed for is forgotten within a quarter of an hour', () => {
  score.rejectInvalidMessage(PEERS[0] as string, releases)
  expect(score.score(PEERS[0] as string)).toBe(-20)
  vi.advanceTimersByTime(HOUR_MS / 4)
  expect(scores()).toEqual(PEERS.map(() => 0))
})

test('a peer that has gone keeps its score for a minute, and is forgotten then', () => {
  for (const peer of PEERS) score.removePeer(peer)
  vi.advanceTimersByTime(59_000)
  expect(score.peerStats.size).toBe(PEERS.length)
  vi.advanceTimersByTime(3_000)
  expect(score.peerStats.size).toBe(0)
})
