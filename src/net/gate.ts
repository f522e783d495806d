/**
 * Keeps peers that are not admitted out of gossip, sync and blocks. gossipsub opens its streams by itself as soon as
 * a peer is identified; it gets a registrar that holds these calls back until the core has admitted the peer.
 */
import {
  type GossipSub,
  type GossipSubComponents,
  type GossipsubOpts,
  gossipsub,
} from '@chainsafe/libp2p-gossipsub'
import type { Connection, PeerId as Libp2pPeerId, Stream, StreamHandler, Topology } from '@libp2p/interface'
import type { PeerId } from '../model/ids.ts'
import { GossipStreams } from './gossip-streams.ts'
import { pulled, type Reading } from './pulled.ts'
import type { Unread } from './unread.ts'

/** How gossip of others is let in. */
export interface Inbound {
  readonly admitDeadlineMs: number
  readonly unread: Unread
  /** Resolves when the next RPC on this connection may be worked off, with false where that has closed before. */
  readonly turn: (connection: Connection) => Promise<boolean>
}

const idOf = (peer: Libp2pPeerId): PeerId => peer.toString() as PeerId

export class Gate {
  readonly #admitted = new Map<PeerId, Connection>()
  readonly #topologies = new Set<Topology>()
  readonly #waiting = new Map<PeerId, Set<() => void>>()
  readonly #streams = new GossipStreams((connection) => this.#tell(connection))
  /** Of each connection the gossip stream that is read, or waits to be, last: resolves when it is through. */
  readonly #lastRead = new WeakMap<Connection, Promise<void>>()

  has(peer: PeerId): boolean {
    return this.#admitted.has(peer)
  }

  hears(remote: Libp2pPeerId): boolean {
    return this.connectionOf(remote) !== undefined
  }

  /** Of an admitted peer, by the very object: it may have come back on another. */
  connectionOf(remote: Libp2pPeerId): Connection | undefined {
    const connection = this.#admitted.get(idOf(remote))
    return connection?.remotePeer === remote ? connection : undefined
  }

  admitted(): readonly PeerId[] {
    return [...this.#admitted.keys()].sort()
  }

  /** Opens gossip, sync and blocks on this connection. */
  admit(connection: Connection): void {
    const peer = idOf(connection.remotePeer)
    this.#admitted.set(peer, connection)
    this.#tell(connection)
    this.#wake(peer)
  }

  /** Ends gossip with the peer at once; streams of other protocols end with the connection. */
  revoke(remote: Libp2pPeerId): void {
    const peer = idOf(remote)
    if (this.#admitted.delete(peer))
      for (const topology of this.#topologies) void topology.onDisconnect?.(remote)
    this.#wake(peer)
  }

  /**
   * Holds an inbound stream until its peer is admitted on this very connection: the other side may have admitted us
   * a moment earlier. False where the stream ended or the time is up.
   */
  opened(stream: Stream, connection: Connection, timeoutMs: number): Promise<boolean> {
    const peer = idOf(connection.remotePeer)
    const open = () => this.#admitted.get(peer) === connection && stream.status === 'open'
    if (open()) return Promise.resolve(true)
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer)
        stream.removeEventListener('close', settle)
        this.#waiting.get(peer)?.delete(settle)
        if (this.#waiting.get(peer)?.size === 0) this.#waiting.delete(peer)
        resolve(open())
      }
      const timer = setTimeout(settle, timeoutMs)
      stream.addEventListener('close', settle)
      this.#waiting.set(peer, (this.#waiting.get(peer) ?? new Set()).add(settle))
    })
  }

  /** Service factory for libp2p. */
  gossipsub(
    options: Partial<GossipsubOpts>,
    inbound: Inbound,
  ): (components: GossipSubComponents) => GossipSub {
    return (components) =>
      gossipsub(options)({
        ...gossipComponents(components),
        registrar: this.#registrar(components, inbound),
      })
  }

  #registrar({ registrar: real }: GossipSubComponents, inbound: Inbound): GossipSubComponents['registrar'] {
    const gated: GossipSubComponents['registrar'] = Object.create(real)
    gated.handle = (protocol, handler, options) =>
      real.handle(protocol, this.#held(handler, inbound), options)
    gated.register = (protocol, topology, options) => {
      this.#topologies.add(topology)
      const onConnect: NonNullable<Topology['onConnect']> = (_peer, connection) => {
        this.#tell(connection)
      }
      // libp2p also calls it when a peer takes a protocol off its list, at its will: gossipsub would forget the peer
      // and go on reading from it, and what it then subscribes to stays for ever. `revoke` is the only end.
      return real.register(protocol, { ...topology, onConnect, onDisconnect: () => {} }, options)
    }
    // the real ones work on private fields, which an object derived from theirs has not
    gated.unhandle = real.unhandle.bind(real)
    gated.unregister = real.unregister.bind(real)
    gated.getTopologies = real.getTopologies.bind(real)
    return gated
  }

  #held(handler: StreamHandler, { admitDeadlineMs, unread, turn }: Inbound): StreamHandler {
    return async (stream, connection) => {
      if (!(await this.opened(stream, connection, admitDeadlineMs)))
        return stream.abort(new Error('not admitted'))
      const reading: Reading = {
        turn: () => turn(connection),
        begin: () => this.#begin(connection),
        watch: () => unread.watch(stream, connection),
        working: (bytes) => unread.change(connection, bytes),
      }
      await handler(pulled(stream, reading), this.#streams.of(connection))
    }
  }

  /** Has gossipsub open a stream where it has none. @returns whether the peer is admitted on this connection */
  #tell(connection: Connection): boolean {
    const { remotePeer } = connection
    if (this.#admitted.get(idOf(remotePeer)) !== connection) return false
    const standIn = this.#streams.of(connection)
    for (const topology of this.#topologies) void topology.onConnect?.(remotePeer, standIn)
    return true
  }

  /** Gossip streams of one connection are read one after the other. @returns to be called at the end of this one */
  async #begin(connection: Connection): Promise<() => void> {
    const before = this.#lastRead.get(connection)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#lastRead.set(connection, promise)
    await before
    return resolve
  }

  #wake(peer: PeerId): void {
    for (const settle of [...(this.#waiting.get(peer) ?? [])]) settle()
  }
}

/** Named one by one: libp2p's components are a proxy that does not list what it holds. */
function gossipComponents(components: GossipSubComponents): Omit<GossipSubComponents, 'registrar'> {
  const { privateKey, peerId, peerStore, connectionManager, logger } = components
  return { privateKey, peerId, peerStore, connectionManager, logger }
}
