/** What is over a limit that was set lower on this host: it is not taken, and nobody is to blame for it. */
import { expect, test } from 'vitest'
import { SubmitNode } from '../core-submit/submit-node.ts'
import { gossip, make, withLimits } from './fleet.ts'

test('a longer envelope than is taken here, in gossip, is ignored and counted: its sender loses nothing', () => {
  const node = new SubmitNode({ limits: withLimits({ maxEnvelopeBytes: 50 }) })
  node.handle(gossip(make({ clock: { alice: 1 } })))
  expect(node.said).toContain('gossip_verdicts ignore')
  expect(node.notes.map(({ code }) => code)).toEqual(['LIMIT_BYTES'])
})
