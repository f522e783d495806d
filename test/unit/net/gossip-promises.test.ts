/** What peers promised to bring, and the heartbeats of gossipsub itself. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startedGossip } from './started-gossip.ts'

/** What of gossipsub is looked at here. */
interface Inside {
  readonly score: { addPeer(peer: string): void; score(peer: string): number }
  readonly gossipTracer: {
    addPromise(peer: string, ids: Uint8Array[]): void
    deliverMessage(id: string): void
    readonly size: number
  }
  readonly msgIdToStrFn: (id: Uint8Array) => string
  heartbeat(): Promise<void>
}

let inside: Inside
beforeEach(() => {
  inside = startedGossip()
  inside.score.addPeer('peer')
})
afterEach(() => void vi.useRealTimers())

const ids = Array.from({ length: 12 }, (_, at) => Uint8Array.of(at))
const promised = (): void => {
  for (const id of ids) inside.gossipTracer.addPromise('peer', [id])
}
const brought = (): void => {
  for (const id of ids) inside.gossipTracer.deliverMessage(inside.msgIdToStrFn(id))
}
/** The next heartbeat comes after so long. */
async function pass(ms: number): Promise<number> {
  vi.advanceTimersByTime(ms)
  await inside.heartbeat()
  return inside.score.score('peer')
}

test('what was brought while this host stood still is read before anybody is blamed', async () => {
  promised()
  expect(await pass(5_000)).toBe(0)
  brought()
  expect(await pass(1_000)).toBe(0)
})

test('what was not is a promise that was broken, a heartbeat later', async () => {
  promised()
  expect(await pass(5_000)).toBe(0)
  expect(await pass(1_000)).toBeLessThan(-1_000)
  expect(inside.gossipTracer.size).toBe(0)
})

test('on a host that is late each time it is one at the second', async () => {
  promised()
  expect(await pass(5_000)).toBe(0)
  expect(await pass(5_000)).toBeLessThan(-1_000)
  expect(inside.gossipTracer.size).toBe(0)
})

test('a host that did not stand still blames in time who brings nothing', async () => {
  promised()
  for (let second = 1; second <= 3; second += 1) expect(await pass(1_000)).toBe(0)
  expect(await pass(1_000)).toBeLessThan(-1_000)
})
