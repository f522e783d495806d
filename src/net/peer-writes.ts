/** libp2p's writes to its peer store: none fails what it was made for, takes a record of ours away or brings one back. */
import type { Libp2p, Peer, PeerId, PeerStore } from '@libp2p/interface'
import type { LogPort } from '../runtime/ports.ts'
import { forgetGone, holdsRecord } from './remembered-peers.ts'

type Node = Pick<Libp2p, 'peerId' | 'peerStore' | 'status' | 'addEventListener' | 'getConnections'>
type Write = PeerStore['merge']

/**
 * libp2p 3.3.11 gives a stream up whose protocol it cannot write down, and never tells gossipsub of a peer of which it
 * cannot write down what it speaks: a full disk would cut the node off. What could not be written is known for as long as
 * the connection lasts. And it writes down what a peer says of itself after its connection has ended: nobody would clear
 * that up. @libp2p/identify 4.1.14 puts back the metadata that it has read before, under no lock: the record of a peer that
 * came meanwhile would be gone, and is not sent again.
 */
export function guardPeerWrites(node: Node, log: LogPort): void {
  const store: PeerStore = node.peerStore
  const unwritten = new Map<string, Peer>()
  const isHere = (id: PeerId) => id.equals(node.peerId) || node.getConnections(id).length > 0
  const failed = once((error: unknown) => {
    const text = `what peers speak is not kept: ${(error as Error).message}; is the disk of the data folder full?`
    log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text })
  })

  const guarded = (write: Write): Write => {
    const outlasting: Write = async (id, data, options) => {
      try {
        return await write(id, data, options)
      } catch (error) {
        if (options?.signal?.aborted === true || holdsRecord(data)) throw error
        // A store that is closed beneath the last writes is no trouble.
        if (node.status === 'started') failed(error)
        const key = id.toString()
        const said = [...(unwritten.get(key)?.protocols ?? []), ...(data.protocols ?? [])]
        const peer = {
          id,
          addresses: [],
          protocols: [...new Set(said)],
          metadata: new Map(),
          tags: new Map(),
        }
        if (isHere(id)) unwritten.set(key, peer)
        return peer
      }
    }
    return async (id, data, options) => {
      // What was begun before the connection's end, its end waits for before it forgets.
      const isLate = !isHere(id) && !holdsRecord(data)
      const peer = await outlasting(id, data, options)
      if (isLate && !isHere(id)) await forgetGone(node, id, log)
      return peer
    }
  }
  store.merge = guarded(store.merge.bind(store))
  const patch = store.patch.bind(store)
  store.patch = guarded((id, { metadata: _read, ...data }, options) => patch(id, data, options))
  store.save = guarded(store.save.bind(store))

  const get = store.get.bind(store)
  store.get = async (id, options) => {
    const said = unwritten.get(id.toString())
    if (said === undefined) return get(id, options)
    const peer = await get(id, options).catch(() => said)
    return { ...peer, protocols: [...new Set([...peer.protocols, ...said.protocols])] }
  }
  // After libp2p's own listener, which asks what the peer spoke.
  node.addEventListener('peer:disconnect', ({ detail }) => void unwritten.delete(detail.toString()))
}

function once<T>(tell: (value: T) => void): (value: T) => void {
  let told = false
  return (value) => {
    if (!told) tell(value)
    told = true
  }
}
