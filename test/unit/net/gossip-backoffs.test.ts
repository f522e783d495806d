/** Peers that leave the mesh and go: what gossipsub itself keeps of them, as we set it up, by its own heartbeats. */
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { topicNames } from '../../../src/net/gossip.ts'
import { GOSSIP_FLEET, startedGossip } from './started-gossip.ts'

const { releases } = topicNames(GOSSIP_FLEET.fleetId, GOSSIP_FLEET.region)
const WHERE = multiaddr('/ip4/192.0.2.1/tcp/4001')
/** Its own, `GossipsubPruneBackoff`, one more heartbeat, and until it looks, each fifteenth. */
const FORGOTTEN_S = 60 + 1 + 15

/** What of gossipsub is looked at here. */
interface Inside {
  readonly backoff: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly mesh: Map<string, Set<string>>
  addPeer(peer: { toString(): string }, direction: 'inbound', where: Multiaddr): void
  removePeer(peer: { toString(): string }): void
  handlePrune(peer: string, prune: { topicID: string; backoff: number }[]): Promise<void>
  heartbeat(): Promise<void>
}

let inside: Inside
beforeEach(() => {
  inside = startedGossip()
  inside.mesh.set(releases, new Set())
})
afterEach(() => void vi.useRealTimers())

/** Seconds go by, each with a heartbeat. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    vi.advanceTimersByTime(1_000)
    await inside.heartbeat()
  }
}
const kept = (): number => inside.backoff.get(releases)?.size ?? 0

test('whoever asks to be left alone for years is forgotten with what others asked for, once it has gone', async () => {
  for (let at = 0; at < 1_000; at += 1) {
    inside.addPeer(`name-${at}`, 'inbound', WHERE)
    await inside.handlePrune(`name-${at}`, [{ topicID: releases, backoff: 2 ** 31 }])
    inside.removePeer(`name-${at}`)
  }
  await pass(50)
  expect(kept()).toBe(1_000)
  await pass(FORGOTTEN_S - 50)
  expect(kept()).toBe(0)
})

test('who asks for less is left alone for no longer', async () => {
  inside.addPeer('name', 'inbound', WHERE)
  await inside.handlePrune('name', [{ topicID: releases, backoff: 10 }])
  const untilMs = inside.backoff.get(releases)?.get('name') ?? 0
  expect(untilMs - Date.now()).toBe(10_000)
})
