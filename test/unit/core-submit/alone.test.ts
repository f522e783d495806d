/** Whether the batch that makes a submission whole counts on blocks that were written before it. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PublishRequest } from '../../../src/model/messages.ts'
import { type Made, make } from '../core/fleet.ts'
import { ofKind, SubmitNode } from './submit-node.ts'

/** @returns of each batch that ends with `whole`, whether it stands alone */
const wholes = (effects: readonly Effect[]) =>
  ofKind(effects, 'persist').flatMap(({ writes }) =>
    writes.flatMap((write) => (write.kind === 'whole' ? [write.alone] : [])),
  )

/** With what it reads back of its own store. */
function published(node: SubmitNode, made: Made): boolean[] {
  const all: Effect[] = []
  const follow = (effects: readonly Effect[]): void => {
    all.push(...effects)
    for (const { digest } of ofKind(effects, 'read'))
      follow(node.settled(node.handle({ kind: 'blockRead', digest, bytes: made.content.get(digest) })))
  }
  const ask = (message: PublishRequest) => follow(node.settled(node.ask(message)))
  ask({ type: 'submit', envelope: made.envelope })
  ask({ type: 'page', release: made.id, bytes: made.page })
  for (const bytes of made.content.values())
    if (bytes !== made.page) ask({ type: 'block', release: made.id, bytes })
  return wholes(all).map((alone) => alone === true)
}

test('one that travels with its announcement brings all it is made of', () => {
  expect(published(new SubmitNode(), make({ clock: { alice: 1 }, also: 'second' }))).toEqual([true])
})

test('one whose blocks were written as they came counts on them', () => {
  const text = 'x'.repeat(LIMITS.maxInlineBytes)
  expect(published(new SubmitNode(), make({ clock: { alice: 1 }, text, also: 'second' }))).toEqual([false])
})
