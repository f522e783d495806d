/** Very many releases that are under way at once. */
import type { Effect } from '../../../src/core/effects.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from '../core/bench-node.ts'
import { floorOf, make, record } from '../core/fleet.ts'

/** A node that starts with so many channels of which no content is here. */
export function starting(count: number, ...neighbours: readonly PeerId[]) {
  const all = Array.from({ length: count }, (_, at) => {
    const channel = `app/c-${at}` as Channel
    return { channel, made: make({ clock: { alice: 1 }, text: `${at}`, header: { channel } }) }
  })
  const node = new BenchNode()
  for (const neighbour of neighbours) node.peer(neighbour)
  const effects = node.start({
    floors: all.map(({ channel, made }) => ({ ...floorOf(made), channel })),
    channels: all.map(({ channel, made }) => ({ ...record([made.id]), channel })) as never,
    envelopes: all.map(({ channel, made }) => ({ release: made.id, channel, bytes: made.envelope })),
  })
  return { node, all, effects }
}

/** Requests of one kind, of whom and what about. */
export function asked(effects: readonly Effect[], type: 'have' | 'want') {
  return ofKind(effects, 'request').flatMap(({ id, peer, request }) => {
    if (request.protocol !== 'blocks' || request.message.type !== type) return []
    const { digest, release } = request.message as { readonly digest?: Digest; readonly release?: ReleaseId }
    return [{ id, peer, digest, release }]
  })
}
