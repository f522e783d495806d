/** For how long an upload goes on, and what the cache keeps for it. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { LIMITS } from '../../../src/limits.ts'
import { make } from '../core/fleet.ts'
import { refusal, SubmitNode } from './submit-node.ts'

test('An upload that is submitted again goes on for another lease where something has come since, and ends where nothing has', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  const again = () => refusal(node.ask({ type: 'submit', envelope: made.envelope }))
  node.tick(LIMITS.leaseMs - 1)
  expect(again()).toBe('need')
  node.tick(LIMITS.leaseMs - 1)
  expect(again()).toBe('need')
  node.tick(1)
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).not.toBe('no reply')
  expect(node.named()).toEqual([])
})

test('What the uploads under way name is what collection spares, until they end', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  expect(node.named()).toEqual([sha256(made.page)])
  node.ask({ type: 'page', release: made.id, bytes: made.page })
  expect(node.named()).toEqual([sha256(made.page), sha256(made.block)])
  node.tick(LIMITS.leaseMs)
  expect(node.named()).toEqual([])
})
