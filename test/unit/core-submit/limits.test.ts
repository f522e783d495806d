/** A seed's own limits may be lower than those that are built in: whoever submits hears which one a release is over. */
import { expect, test } from 'vitest'
import { make, withLimits } from '../core/fleet.ts'
import { replies, SubmitNode } from './submit-node.ts'

test.each([
  [{ maxFiles: 1 }, 'LIMIT_CONTENT', 'header.files: 2 is above 1'],
  [{ maxEnvelopeBytes: 50 }, 'LIMIT_BYTES', 'bytes, at most 50 are taken'],
] as const)('more than this seed takes, %j: who submits is told which limit it is', (less, code, why) => {
  const node = new SubmitNode({ limits: withLimits(less) })
  const { envelope } = make({ clock: { alice: 1 }, header: { files: 2, bytes: 3 } })
  const text = expect.stringMatching(`${why}.*, a limit of this seed .* name another seed`)
  expect(replies(node.settled(node.ask({ type: 'submit', envelope })))).toEqual([
    { type: 'refused', code, text },
  ])
})
