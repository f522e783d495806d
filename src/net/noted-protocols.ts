/** What libp2p notes in its peer store each time a stream is opened, noted once for each peer and protocol. */
import type { Libp2p, Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface'

interface Noted {
  readonly protocols: Set<string>
  peer: Peer
}

/**
 * For every stream, on both sides, libp2p 3.3.11 reads the peer's record from disk and writes it again with the
 * stream's protocol in it, although it has stood there since identify; the stream is held up meanwhile. What was
 * merged once is remembered for as long as the connection lasts.
 */
export function noteProtocolsOnce(
  node: Pick<Libp2p, 'peerStore' | 'addEventListener' | 'getConnections'>,
): void {
  const noted = new Map<string, Noted>()
  node.addEventListener('peer:disconnect', ({ detail }) => void noted.delete(detail.toString()))
  const store: PeerStore = node.peerStore
  const merge = store.merge.bind(store)
  store.merge = async (id: PeerId, data: PeerData, options) => {
    const { protocols = [] } = data
    if (protocols.length === 0 || Object.keys(data).length > 1) return merge(id, data, options)
    const key = id.toString()
    const known = noted.get(key)
    if (known !== undefined && protocols.every((protocol) => known.protocols.has(protocol))) return known.peer
    const peer = await merge(id, data, options)
    // Of one that has gone meanwhile, nobody would take it off again.
    if (node.getConnections(id).length > 0)
      noted.set(key, { protocols: new Set([...(noted.get(key)?.protocols ?? []), ...protocols]), peer })
    return peer
  }
}
