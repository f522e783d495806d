/** libp2p's writes to its peer store: none fails or holds up what it was made for, takes a record of ours away or brings one back. */
import type { Libp2p, Peer, PeerId, PeerStore } from '@libp2p/interface'
import type { LogPort } from '../runtime/ports.ts'
import { forgetGone, holdsRecord, ON_DISK } from './remembered-peers.ts'
import { inTime, Overdue, TimelyWrites } from './timely-writes.ts'

type Node = Pick<Libp2p, 'peerId' | 'peerStore' | 'status' | 'addEventListener' | 'getConnections'>
type Write = PeerStore['merge']

/** So many in a row say that it is over: a full disk takes some now and then, and is to be told once. */
const WELL_WRITES = 100

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
  store.merge = writes.guarded(store.merge.bind(store), 'adds')
  const patch = store.patch.bind(store)
  const patchUnread: Write = (id, { metadata: _read, ...data }, options) => patch(id, data, options)
  store.patch = writes.guarded(patchUnread, 'replaces')
  store.save = writes.guarded(store.save.bind(store), 'replaces')
  store.get = writes.guardedGet(store.get.bind(store))
  store.delete = writes.guardedDelete(store.delete.bind(store))
  // After libp2p's own listener, which asks what the peer spoke.
  node.addEventListener('peer:disconnect', ({ detail }) => writes.gone(detail))
}

class PeerWrites {
  readonly #node: Node
  readonly #log: LogPort
  readonly #disk = new TimelyWrites()
  /** What those that are here speak, where it could not be written. */
  readonly #unwritten = new Map<string, Unwritten>()
  #begun = 0
  #told: 'hangs' | 'fails' | undefined
  /** In a row, since the last that was not kept. */
  #well = 0

  constructor(node: Node, log: LogPort) {
    this.#node = node
    this.#log = log
  }

  /** A record of ours is waited for however late it is, and refused aloud while the disk hangs. */
  guarded(write: Write, protocols: 'adds' | 'replaces'): Write {
    return async (id, data, options) => {
      const isOurs = holdsRecord(data)
      // What was begun before the connection's end, its end waits for before it forgets.
      const isLate = !isOurs && !this.#isHere(id)
      const written = async () => {
        const peer = await this.#disk.of(() => write(id, data, options), options?.signal)
        if (isLate && !this.#isHere(id)) await forgetGone(this.#node, id, this.#log)
        return peer
      }
      if (isOurs) return written()
      const isAll = protocols === 'replaces' && data.protocols !== undefined
      this.#begun += 1
      const turn = this.#begun
      try {
        const peer = await inTime(written())
        this.#well += 1
        if (isAll) this.#written(id, turn)
        return peer
      } catch (error) {
        if (options?.signal?.aborted === true) throw error
        this.#tell(error as Error)
        return this.#keep(id, data.protocols ?? [], { turn, isAll })
      }
    }
  }

  guardedGet(get: PeerStore['get']): PeerStore['get'] {
    return async (id, options) => {
      if (options === ON_DISK) return get(id, options)
      // Who asks at the end of a connection is to know it, too.
      const before = this.#unwritten.get(id.toString())?.protocols
      const found = get(id, options)
      try {
        const peer = await inTime(found)
        const said = this.#unwritten.get(id.toString())?.protocols ?? before
        return said === undefined ? peer : { ...peer, protocols: [...new Set([...peer.protocols, ...said])] }
      } catch (error) {
        const said = this.#unwritten.get(id.toString())?.protocols ?? before
        if (said !== undefined) return peerOf(id, said)
        if (error instanceof Overdue) return found
        throw error
      }
    }
  }

  guardedDelete(remove: PeerStore['delete']): PeerStore['delete'] {
    return (id, options) => this.#disk.of(async () => remove(id, options), options?.signal)
  }

  gone(id: PeerId): void {
    this.#unwritten.delete(id.toString())
  }

  #isHere(id: PeerId): boolean {
    return id.equals(this.#node.peerId) || this.#node.getConnections(id).length > 0
  }

  /** What was said behind it stays. */
  #written(id: PeerId, turn: number): void {
    const kept = this.#unwritten.get(id.toString())
    if (kept !== undefined && kept.turn < turn) this.#unwritten.delete(id.toString())
  }

  /** In memory, for as long as it is here; what was said first takes nothing back, however late that is known. */
  #keep(id: PeerId, protocols: readonly string[], { turn, isAll }: Omit<Unwritten, 'protocols'>): Peer {
    const kept = this.#unwritten.get(id.toString())
    const isOlder = kept !== undefined && turn < kept.turn
    const before = kept === undefined || (isAll && !isOlder) ? [] : kept.protocols
    const own = isOlder && kept.isAll ? [] : protocols
    const said = {
      protocols: [...new Set([...before, ...own])],
      turn: Math.max(turn, kept?.turn ?? 0),
      isAll: isAll || kept?.isAll === true,
    }
    if (this.#isHere(id)) this.#unwritten.set(id.toString(), said)
    return peerOf(id, said.protocols)
  }

  #tell(error: Error): void {
    const isOverdue = error instanceof Overdue
    // A store that is closed beneath the last writes is no trouble, nor is one whose writes end late.
    if (this.#node.status !== 'started' || (isOverdue && !this.#disk.isStill)) return
    const kind = isOverdue ? 'hangs' : 'fails'
    if (kind !== this.#told || this.#well >= WELL_WRITES) {
      const text = `what peers speak is not kept: ${error.message}; is the disk of the data folder full, or does it hang?`
      this.#log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text })
    }
    this.#told = kind
    this.#well = 0
  }
}

interface Unwritten {
  readonly protocols: readonly string[]
  /** That of the newest write among them, as they began. */
  readonly turn: number
  /** All that it speaks was said. */
  readonly isAll: boolean
}

const peerOf = (id: PeerId, protocols: readonly string[]): Peer => ({
  id,
  addresses: [],
  protocols: [...protocols],
  metadata: new Map(),
  tags: new Map(),
})
