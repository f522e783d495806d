/** Who fetches what another seed names with `await`: seeds only, and only of channels they store. */
import { describe, expect, test } from 'vitest'
import type { CoreConfig } from '../../../src/core/config.ts'
import type { Snapshot } from '../../../src/core/snapshot.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { CHANNEL, floorOf, gossip, make, PEER, record } from '../core/fleet.ts'
import { replies, SubmitNode } from './submit-node.ts'

/** Of two at once, the one that is not the target: nobody fetches it of his own accord. */
const [beside, target] = [
  make({ clock: { alice: 1 } }),
  make({ clock: { bob: 1 }, publisher: 'bob', text: 'b' }),
]
const refused = {
  type: 'refused',
  code: 'FETCH_UNAVAILABLE',
  text: 'this release was not submitted here; submit it first',
}

function knowing(change: Partial<CoreConfig>, snapshot: Partial<Snapshot> = {}): SubmitNode {
  const node = new SubmitNode(change, snapshot)
  node.connect(PEER, { seed: true })
  for (const made of [target, beside]) node.settled(node.handle(gossip(made)))
  return node
}
const named = (node: SubmitNode) => node.ask({ type: 'await', release: beside.id }, PEER)

describe('A release that a neighbour names with `await`', () => {
  test('is fetched by a seed that stores its channel, and awaited', () => {
    const effects = named(knowing({}))
    const message = { type: 'want', digest: beside.release.header.pages[0] }
    expect(effects).toMatchObject([{ kind: 'request', peer: PEER, request: { protocol: 'blocks', message } }])
  })

  test('is fetched by no other node: it is no second holder', () => {
    const effects = named(knowing({ submit: false }))
    expect(effects.map(({ kind }) => kind)).toEqual(['reply'])
    expect(replies(effects)).toEqual([refused])
  })

  test('is not fetched where its channel is stored no longer, so that another seed is asked', () => {
    const floors = [floorOf(target)]
    const channels = [record([beside.id, target.id])] as never
    const envelopes = [beside, target].map(({ id, envelope }) => ({
      release: id,
      channel: CHANNEL,
      bytes: envelope,
    }))
    const patterns = ['app/other' as Pattern]
    const effects = named(knowing({ patterns }, { floors, channels, envelopes }))
    expect(effects.map(({ kind }) => kind)).toEqual(['reply'])
    expect(replies(effects)).toEqual([refused])
  })
})
