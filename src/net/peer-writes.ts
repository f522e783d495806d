/** libp2p's writes to its peer store: none fails or holds up what it was made for, takes a record of ours away or brings one back. */
import type { Libp2p, Peer, PeerData, PeerId, PeerStore } from '@libp2p/interface'
import type { LogPort } from '../runtime/ports.ts'
import { forgetGone, holdsRecord } from './remembered-peers.ts'
import { inTime, Overdue, TimelyWrites } from './timely-writes.ts'

type Node = Pick<Libp2p, 'peerId' | 'peerStore' | 'status' | 'addEventListener' | 'getConnections'>
type Write = PeerStore['merge']

/** What one that is here was said to speak. */
interface Spoken {
  readonly protocols: Set<string>
  /** Not all of it could be written. */
  isUnwritten: boolean
}

/**
 * libp2p 3.3.11 gives a stream up whose protocol it cannot write down, waits for as long as the disk takes, and never tells
 * gossipsub of a peer of which it cannot write down what it speaks: a disk that is full, or hangs, would cut the node off. What
 * could not be written is known for as long as the connection lasts. And it writes down what a peer says of itself after its
 * connection has ended: nobody would clear that up. @libp2p/identify 4.1.14 puts back the metadata that it has read before,
 * under no lock: the record of a peer that came meanwhile would be gone, and is not sent again.
 */
export function guardPeerWrites(node: Node, log: LogPort): void {
  const writes = new PeerWrites(node, log)
  const store: PeerStore = node.peerStore
  store.merge = writes.guarded(store.merge.bind(store))
  const patch = store.patch.bind(store)
  store.patch = writes.guarded((id, { metadata: _read, ...data }, options) => patch(id, data, options))
  store.save = writes.guarded(store.save.bind(store))
  store.get = writes.guardedGet(store.get.bind(store))
  store.delete = writes.guardedDelete(store.delete.bind(store))
  // After libp2p's own listener, which asks what the peer spoke.
  node.addEventListener('peer:disconnect', ({ detail }) => writes.gone(detail))
}

class PeerWrites {
  readonly #node: Node
  readonly #log: LogPort
  readonly #disk = new TimelyWrites()
  readonly #spoken = new Map<string, Spoken>()
  #told = false

  constructor(node: Node, log: LogPort) {
    this.#node = node
    this.#log = log
  }

  guarded(write: Write): Write {
    return async (id, data, options) => {
      const isOurs = holdsRecord(data)
      // What was begun before the connection's end, its end waits for before it forgets.
      const isLate = !isOurs && !this.#isHere(id)
      const forget = async () => {
        if (isLate && !this.#isHere(id)) await forgetGone(this.#node, id, this.#log)
      }
      let begun: Promise<Peer> | undefined
      const begin = () => {
        begun = write(id, data, options)
        return begun
      }
      this.#note(id, data)
      try {
        const peer = await this.#disk.of(begin, isOurs)
        await inTime(forget()).catch(() => undefined)
        return peer
      } catch (error) {
        if (isOurs || options?.signal?.aborted === true) throw error
        // Once it has ended after all, there may be something to forget.
        void begun?.then(forget, () => undefined)
        return this.#unwritten(id, data, error as Error)
      }
    }
  }

  guardedGet(get: PeerStore['get']): PeerStore['get'] {
    return async (id, options) => {
      const spoken = this.#spoken.get(id.toString())
      if (spoken === undefined) return get(id, options)
      const said = peerOf(id, spoken.protocols)
      // Behind a write that hangs, it waits for it.
      if (spoken.isUnwritten && this.#disk.areLate) return said
      try {
        const peer = await inTime(get(id, options))
        if (!spoken.isUnwritten) return peer
        return { ...peer, protocols: [...new Set([...peer.protocols, ...spoken.protocols])] }
      } catch (error) {
        if (spoken.isUnwritten || error instanceof Overdue) return said
        throw error
      }
    }
  }

  guardedDelete(remove: PeerStore['delete']): PeerStore['delete'] {
    return (id, options) => this.#disk.of(async () => remove(id, options), true)
  }

  gone(id: PeerId): void {
    this.#spoken.delete(id.toString())
  }

  #isHere(id: PeerId): boolean {
    return id.equals(this.#node.peerId) || this.#node.getConnections(id).length > 0
  }

  #note(id: PeerId, { protocols = [] }: PeerData): Spoken | undefined {
    if (!this.#isHere(id)) return undefined
    const key = id.toString()
    const spoken = this.#spoken.get(key) ?? { protocols: new Set(), isUnwritten: false }
    for (const protocol of protocols) spoken.protocols.add(protocol)
    this.#spoken.set(key, spoken)
    return spoken
  }

  #unwritten(id: PeerId, data: PeerData, { message }: Error): Peer {
    // A store that is closed beneath the last writes is no trouble.
    if (!this.#told && this.#node.status === 'started') {
      const text = `what peers speak is not kept: ${message}; is the disk of the data folder full, or does it hang?`
      this.#log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text })
      this.#told = true
    }
    const spoken = this.#note(id, data)
    if (spoken !== undefined) spoken.isUnwritten = true
    return peerOf(id, spoken?.protocols ?? data.protocols ?? [])
  }
}

const peerOf = (id: PeerId, protocols: Iterable<string>): Peer => ({
  id,
  addresses: [],
  protocols: [...protocols],
  metadata: new Map(),
  tags: new Map(),
})
