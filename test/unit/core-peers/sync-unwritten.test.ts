/** What was not on disk when two peers compared: given at once when it is, and not held back as if it had been offered. */
import { expect, it } from 'vitest'
import type { Channel } from '../../../src/model/ids.ts'
import { join, later, ToyNode, talk } from './dialogue.ts'
import { asked } from './fakes.ts'

const CHANNEL = 'team/app' as Channel

/** That its write has ended is told, or not. */
const written = (node: ToyNode, tell: boolean) => {
  const { facts } = node.bench.journey
  for (const [name, known] of facts) facts.set(name, { ...known, durable: true })
  return node.bench.run((step, journey) => {
    if (tell) for (const name of facts.keys()) node.sync.onDurable(step, journey, name)
  })
}

it.each([
  ['answers', (late: ToyNode, other: ToyNode) => join(other, late)],
  ['asks', (late: ToyNode, other: ToyNode) => join(late, other)],
])('offers to whom it was compared with what was not on disk, once it is, where that node %s', (_, meet) => {
  const [late, other, far] = [new ToyNode('a'), new ToyNode('b'), new ToyNode('c')]
  join(far, late)
  late.order({ channel: CHANNEL, counter: 1 }, false)
  expect(meet(late, other).envelopes).toBe(0)
  const effects = written(late, true)
  expect(asked(effects).map(({ peer: to }) => to)).toEqual([other.id])
  talk(late, other, effects)
  expect(other.seen()).toEqual(late.seen())
  expect(written(late, true)).toEqual([])
})

it('has what was not on disk in one comparison in the next', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  a.order({ channel: CHANNEL, counter: 1 })
  b.order({ channel: CHANNEL, counter: 2 }, false)
  // Of what is here an older one may be there: that is asked for all the same.
  expect(join(a, b).requests).toEqual(['digests', 'entries', 'push'])
  written(b, false)
  expect(later(a, b).envelopes).toBe(1)
  expect(a.seen()).toEqual(b.seen())
  expect(later(a, b).envelopes).toBe(0)
})
