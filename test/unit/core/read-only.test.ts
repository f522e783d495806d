/** A store that takes no writes for a while: what is whole waits for it, and of what comes meanwhile no content is kept. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, given, gossip, make, PEER } from './fleet.ts'

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

it('says of each channel whose newest release waits for the disk what that said, and of no other', () => {
  const node = started()
  const said = () => {
    const { readOnly, channels } = node.view()
    return [readOnly, channels.map(({ state, gate, lastError }) => [state, gate, lastError?.code])]
  }
  const came = node.run(gossip(made, [made.page, made.block]))
  const whole = [...came, ...node.persist(came)]
  node.persist(whole)
  node.run({
    kind: 'activated',
    channel: CHANNEL,
    release: made.id,
    outcome: { kind: 'healthy', changed: 1 },
  })
  node.run({ kind: 'storeMode', readOnly: true, code: 'STORE_FAILED' })
  expect(said()).toEqual(['STORE_FAILED', [['active', null, undefined]]])
  node.run(gossip(make({ clock: { alice: 2 }, text: 'b=2\n' })))
  expect(said()).toEqual(['STORE_FAILED', [['fetching', 'content', 'STORE_FAILED']]])
  node.run(mode(true))
  expect(said()).toEqual(['STORE_FULL', [['fetching', 'content', 'STORE_FULL']]])
  node.run(mode(false))
  expect(said()).toEqual([undefined, [['fetching', 'content', undefined]]])
})

it('says so of what is whole and waits to be shown as well', () => {
  const node = started()
  const came = node.run(gossip(made, [made.page, made.block]))
  node.run({ kind: 'storeMode', readOnly: true, code: 'STORE_FAILED' })
  node.persist(came)
  expect(node.view().channels).toMatchObject([{ gate: 'read-only', lastError: { code: 'STORE_FAILED' } }])
})
