import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Name, Pattern } from '../../../src/model/ids.ts'
import { addPublisher } from '../../../src/trust/edit.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { gossip, make, PEER, ROOT, rootBytes } from './fleet.ts'

const verdicts = (effects: readonly Effect[]) => ofKind(effects, 'verdict').map(({ verdict }) => verdict)
const checks = (effects: readonly Effect[]) =>
  ofKind(effects, 'count').filter(({ metric }) => metric === 'verified').length

test('what was rejected is known by its bytes, until a new root under which it may be right', () => {
  const node = new BenchNode()
  node.start()
  const { key } = generatePrivateKey('ed25519')
  const message = gossip(make({ clock: { carol: 1 }, publisher: 'carol', signedBy: key }))
  const [first, second] = [node.handle(message), node.handle(message)]
  expect([verdicts(first), checks(first)]).toEqual([['reject'], 1])
  expect([verdicts(second), checks(second)]).toEqual([['reject'], 0])

  const carol = { name: 'carol' as Name, keys: [key.public], threshold: 1, patterns: ['app/**' as Pattern] }
  const envelope = rootBytes(addPublisher(ROOT, carol, { replace: false }))
  const bytes = encodeControlGossip({ kind: 'root', envelope })
  node.run({ kind: 'gossip', topic: 'control', from: PEER, id: 'c1', bytes })
  const third = node.handle(message)
  // Taken, yet not relayed: under the root that it names it is a forgery still.
  expect([verdicts(third), checks(third)]).toEqual([['ignore'], 1])
  expect(node.heard.filter((line) => line.startsWith('ordered NEW'))).toHaveLength(1)
})
