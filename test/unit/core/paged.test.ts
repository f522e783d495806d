import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { LIMITS } from '../../../src/limits.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { gossip, gossipPaged, make, PEER } from './fleet.ts'

const made = make({ clock: { alice: 1 } })
const pageWrite = [{ kind: 'block', digest: sha256(made.page), bytes: made.page }]

function started(): BenchNode {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  return node
}

describe('a release that gossip brings with its page', () => {
  it('is asked for by its blocks at once', () => {
    const node = started()
    expect(ofKind(node.run(gossipPaged(made, [made.page])), 'verdict')).toMatchObject([{ verdict: 'accept' }])
    const begun = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(begun, 'persist').map(({ writes }) => writes)).toEqual([pageWrite])
    expect(ofKind(begun, 'request')).toMatchObject([
      { request: { protocol: 'blocks', message: { type: 'want', digest: sha256(made.block) } } },
    ])
  })

  it('is passed on, known though it is, where the page was missing here: once', () => {
    const node = started()
    node.run(gossip(made))
    node.run({ kind: 'persisted', ticket: 1 })
    for (const verdict of ['accept', 'ignore'])
      expect(ofKind(node.run(gossipPaged(made, [made.page])), 'verdict')).toMatchObject([{ verdict }])
  })

  it('and the same while its order is on its way to disk: the fetch begins with the page', () => {
    const node = started()
    node.run(gossip(made))
    for (const verdict of ['accept', 'ignore'])
      expect(ofKind(node.run(gossipPaged(made, [made.page])), 'verdict')).toMatchObject([{ verdict }])
    const begun = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(begun, 'persist').map(({ writes }) => writes)).toEqual([pageWrite])
  })

  it('is neither ordered nor passed on with pages that are not its own, and nobody is blamed', () => {
    const node = started()
    for (const pages of [[made.block], [made.page, made.block]]) {
      const refused = node.run(gossipPaged(made, pages))
      expect(ofKind(refused, 'verdict')).toMatchObject([{ verdict: 'ignore' }])
      expect(ofKind(refused, 'persist')).toEqual([])
    }
    expect(ofKind(node.run(gossip(made)), 'verdict')).toMatchObject([{ verdict: 'accept' }])
  })
})

describe('a submission that is too large to travel with its content', () => {
  it('is announced with its page', () => {
    const large = make({ clock: { alice: 1 }, text: 'x'.repeat(20_000) })
    const node = new BenchNode({ submit: true })
    node.start()
    node.inside((step, journey) => {
      journey.hand(step, [large.page])
      journey.ingestWhole(step, large.envelope, new Map(), { via: 'submit', peer: PEER })
    })
    const [said] = ofKind(node.run({ kind: 'persisted', ticket: 1 }), 'publish')
    expect(decodeReleaseGossip(said?.bytes as Uint8Array, LIMITS)).toEqual({
      envelope: large.envelope,
      attached: [],
      pages: [large.page],
    })
  })
})
