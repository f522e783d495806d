/** Who may wait for a release, and how many. */
import { expect, test } from 'vitest'
import { MAX_AWAITS_OF_ONE } from '../../../src/core/submit/acknowledge.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { make, withLimits } from '../core/fleet.ts'
import { refusal, SubmitNode, TOOL } from './submit-node.ts'

const made = make({ clock: { alice: 1 } })

/** A seed to which a release is being brought from one host; strangers are of another. */
function bringing(maxAwaits: number) {
  const node = new SubmitNode({ limits: withLimits({ maxAwaits, acknowledgeMs: 2 * LIMITS.awaitMs }) })
  const stranger = (at: number, host = '10.0.0.2'): PeerId => {
    const peer = `12D3KooWstranger${at}` as PeerId
    node.connect(peer, { host })
    return peer
  }
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  const waits = (peer: PeerId) => refusal(node.ask({ type: 'await', release: made.id }, peer))
  return { node, stranger, waits }
}

test('strangers of one host have two places to wait for a release, however many they are', () => {
  const { stranger, waits } = bringing(16)
  const some = Array.from({ length: MAX_AWAITS_OF_ONE + 2 }, (_, at) => waits(stranger(at)))
  expect(some).toEqual(['no reply', 'no reply', 'LIMIT_RATE', 'LIMIT_RATE'])
  expect(waits(TOOL)).toBe('no reply')
})

test('whoever brings it has a place of its own, while it comes and after that', () => {
  const { node, stranger, waits } = bringing(2)
  for (const at of [1, 2]) expect(waits(stranger(at, `10.0.1.${at}`))).toBe('no reply')
  expect(waits(stranger(3, '10.0.1.3'))).toBe('LIMIT_RATE')
  expect([waits(TOOL), waits(TOOL)]).toEqual(['no reply', 'LIMIT_RATE'])
  // another seed is asked meanwhile, and all the places are free again
  node.connect('12D3KooWseed' as PeerId, { seed: true })
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
  node.tick(LIMITS.awaitMs)
  for (const at of [4, 5]) expect(waits(stranger(at, `10.0.1.${at}`))).toBe('no reply')
  expect(waits(stranger(6, '10.0.1.6'))).toBe('LIMIT_RATE')
  expect(waits(TOOL)).toBe('no reply')
})

test('who is gone holds no place: a tool whose connection breaks again and again waits anew each time', () => {
  const { node, stranger, waits } = bringing(16)
  for (let times = 0; times < 3; times += 1) {
    for (const peer of [TOOL, stranger(times)]) {
      for (let at = 0; at < MAX_AWAITS_OF_ONE; at += 1) expect(waits(peer)).toBe('no reply')
      expect(waits(peer)).toBe('LIMIT_RATE')
      node.disconnect(peer)
      node.connect(peer)
    }
  }
})

test('that a question has its answer is told to who keeps strangers', () => {
  const { node, waits } = bringing(1)
  const before = node.answered.length
  expect(waits(TOOL)).toBe('no reply')
  expect(node.answered.length).toBe(before)
  expect(waits(TOOL)).toBe('LIMIT_RATE')
  expect(node.answered.length).toBe(before + 1)
})
