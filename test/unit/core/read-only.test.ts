/** A store that takes no writes for a while: what is whole waits for it, and of what comes meanwhile no content is kept. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { given, gossip, make, PEER } from './fleet.ts'

const made = make({ clock: { alice: 1 } })
const mode = (readOnly: boolean) => ({ kind: 'storeMode', readOnly }) as const
const started = () => {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  return node
}
const begun = (effects: readonly Effect[]) => ofKind(effects, 'activate').map(({ release }) => release)
const gate = (node: BenchNode) => node.view().channels[0]?.gate

it('a release that was whole just before is activated once the store takes writes again', () => {
  const node = started()
  const came = node.run(gossip(made, [made.page, made.block]))
  expect(begun([...node.run(mode(true)), ...node.persist(came), ...node.run({ kind: 'tick' })])).toEqual([])
  expect(gate(node)).toBe('read-only')
  expect(begun(node.run(mode(false)))).toEqual([made.id])
  expect(begun(node.run({ kind: 'tick' }))).toEqual([])
  expect(gate(node)).toBe(null)
})

it('the content of one that comes meanwhile is not written, but asked for when it can be', () => {
  const node = started()
  node.run(mode(true))
  const came = node.run(gossip(made, [made.page, made.block]))
  expect(ofKind(came, 'persist').flatMap(({ writes }) => writes.map(({ kind }) => kind))).toEqual([
    'envelope',
    'floor',
    'channel',
  ])
  expect(begun(node.persist(came))).toEqual([])
  expect(gate(node)).toBe('content')
  const effects = [...node.run(mode(false))]
  const wanted: Digest[] = []
  for (let [asked] = ofKind(effects, 'request'); asked?.request.message.type === 'want'; ) {
    const { digest } = asked.request.message
    wanted.push(digest)
    const taken = node.run(given(asked.id, made.content.get(digest) as Uint8Array))
    const more = [...taken, ...node.persist(taken)]
    effects.push(...more, ...node.persist(more))
    ;[asked] = ofKind(more, 'request')
  }
  expect(wanted).toEqual([made.page, made.block].map(sha256))
  expect(begun(effects)).toEqual([made.id])
})
