/** The clock of the host is set back: gossipsub's own backoffs, scores and cache, as we set them up. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { topicNames } from '../../../src/net/gossip.ts'
import { GOSSIP_FLEET, startedGossip } from './started-gossip.ts'

const HOUR_MS = 3_600_000
/** Its GossipStatusCode. */
const STARTED = 0
const { releases } = topicNames(GOSSIP_FLEET.fleetId, GOSSIP_FLEET.region)

/** What of gossipsub is looked at here. */
interface Inside {
  readonly backoff: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly mesh: Map<string, Set<string>>
  readonly score: {
    addPeer(peer: string): void
    score(peer: string): number
    rejectInvalidMessage(peer: string, topic: string): void
  }
  readonly seenCache: { put(id: string): void; has(id: string): boolean; prune(): void }
  status: { readonly code: number; readonly hearbeatStartMs: number }
  readonly runHeartbeat: () => void
  readonly gossipTracer: { addPromise(peer: string, ids: Uint8Array[]): void; readonly size: number }
  doAddBackoff(peer: string, topic: string, ms: number): void
  handleGraft(peer: string, graft: { topicID: string }[]): Promise<unknown>
  dispatchEvent(event: Event): void
  addEventListener(type: string, heard: () => void): void
}

let inside: Inside
beforeEach(() => {
  inside = startedGossip()
  inside.mesh.set(releases, new Set())
  inside.score.addPeer('peer')
})
afterEach(() => void vi.useRealTimers())

/** Seconds go by, each with a heartbeat. */
function pass(seconds: number): void {
  for (let second = 0; second < seconds; second += 1) {
    vi.advanceTimersByTime(1_000)
    inside.dispatchEvent(new CustomEvent('gossipsub:heartbeat'))
  }
}

test.each([
  { what: 'goes on', stepMs: 0 },
  { what: 'is set back by two hours', stepMs: -2 * HOUR_MS },
])(
  'while the clock $what a neighbour that left the mesh comes back in time, and unpunished',
  async ({ stepMs }) => {
    inside.doAddBackoff('peer', releases, 60_000)
    pass(30)
    vi.setSystemTime(Date.now() + stepMs)
    pass(20)
    const untilMs = inside.backoff.get(releases)?.get('peer') ?? 0
    expect(Math.round((untilMs - Date.now()) / 1_000)).toBe(10)
    pass(11)
    await inside.handleGraft('peer', [{ topicID: releases }])
    pass(1)
    expect([inside.mesh.get(releases)?.has('peer'), inside.score.score('peer')]).toEqual([true, 0])
  },
)

test('once the clock is set back what was said is forgotten in time, and scores are looked at anew', () => {
  inside.seenCache.put('said')
  inside.gossipTracer.addPromise('peer', [Uint8Array.of(1)])
  expect(inside.score.score('peer')).toBe(0)
  vi.setSystemTime(Date.now() - 2 * HOUR_MS)
  inside.score.rejectInvalidMessage('peer', releases)
  pass(1)
  expect([inside.score.score('peer'), inside.gossipTracer.size]).toEqual([-20, 0])
  inside.seenCache.prune()
  expect(inside.seenCache.has('said')).toBe(true)
  pass(LIMITS.gossipSeenMs / 1_000)
  inside.seenCache.prune()
  expect(inside.seenCache.has('said')).toBe(false)
})

test('heartbeats come as often once the clock is set back', async () => {
  let beats = 0
  inside.addEventListener('gossipsub:heartbeat', () => {
    beats += 1
    // timers are late by some of it
    vi.setSystemTime(Date.now() + 1)
  })
  inside.status = { code: STARTED, hearbeatStartMs: Date.now() }
  inside.runHeartbeat()
  await vi.advanceTimersByTimeAsync(5_000)
  vi.setSystemTime(Date.now() - 2 * HOUR_MS)
  beats = 0
  await vi.advanceTimersByTimeAsync(20_000)
  expect(beats).toBeGreaterThanOrEqual(18)
})
