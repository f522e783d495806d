/** Two releases of one channel that name the same blocks: the second comes while those of the first are under way. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, given, gossip, make, PEER } from './fleet.ts'

const shared = ['b=1\n', 'c=1\n', 'd=1\n']
const first = make({ clock: { alice: 1 }, also: shared })
const second = make({ clock: { alice: 2 }, also: [...shared, 'e=2\n'] })
const neighbours = Array.from({ length: 5 }, (_, at) => `12D3KooWn${at}` as PeerId)

const wants = (effects: readonly Effect[]): { id: number; digest: Digest }[] =>
  ofKind(effects, 'request').flatMap(({ id, request: { message } }) =>
    message.type === 'want' ? [{ id, digest: message.digest }] : [],
  )

/** All blocks of the first are asked of its seed; then the second's manifest comes. */
function replaced() {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  for (const peer of neighbours) node.peer(peer)
  const says = (peer: PeerId, release: typeof first) =>
    node.run({
      kind: 'request',
      id: 1,
      peer,
      request: {
        protocol: 'blocks',
        message: { type: 'holds', release: release.id, channel: CHANNEL, whole: true },
      },
    })
  const manifestOf = (release: typeof first) => {
    const [page] = wants([...node.persist(node.run(gossip(release))), ...says(PEER, release)])
    return node.run(given(page?.id, release.page))
  }
  const asked = manifestOf(first)
  node.persist(asked)
  const after = manifestOf(second)
  return { node, says, asked: wants(asked), after: wants(after) }
}

it('none is asked for twice: what is under way for the first comes for the second, too', () => {
  const { says, asked, after } = replaced()
  const four = [first.block, ...shared.map((text) => new TextEncoder().encode(text))].map((bytes) =>
    sha256(bytes),
  )
  expect(asked.map(({ digest }) => digest).sort()).toEqual(four.sort())
  const more = neighbours.flatMap((peer) => wants(says(peer, second)))
  const twice = [...after, ...more].filter(({ digest }) => four.includes(digest))
  expect(twice).toEqual([])
})

it('and one that fails for the first is asked of somebody else for the second', () => {
  const { node, says, asked } = replaced()
  for (const peer of neighbours) says(peer, second)
  const [lost] = asked
  const again = wants(node.run({ kind: 'requestFailed', id: lost?.id ?? 0, code: 'NET_UNREACHABLE' }))
  expect(again.map(({ digest }) => digest)).toEqual([lost?.digest])
})
