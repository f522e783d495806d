/**
 * One connection for each peer, whatever libp2p holds: which one counts, when it came and went, and its end.
 * libp2p keeps duplicates after simultaneous dials, and gossipsub then loses its stream without noticing.
 */
import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import type { Connection, ConnectionGater, MultiaddrConnection } from '@libp2p/interface'
import type { Libp2p } from 'libp2p'
import { type Code, isMeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import { networkOf } from '../model/network.ts'
import type { EffectOf, LogPort, TransportEvent } from '../runtime/ports.ts'
import { addressOf, hostOf, isOwnHost, isTcp } from './address.ts'
import type { Answerer } from './answerer.ts'
import type { Asker } from './asker.ts'
import type { Gate } from './gate.ts'
import { Handshakes } from './handshakes.ts'
import type { Misconduct } from './misconduct.ts'
import { forgetGone } from './remembered-peers.ts'

export interface ConnectionsOptions {
  readonly self: PeerId
  readonly limits: Limits
  readonly gate: Gate
  readonly misconduct: Misconduct
  readonly log: LogPort
  readonly sink: (event: TransportEvent) => void
}

/** Who carries messages on connections; told when one ends. */
export interface Carriers {
  readonly asker: Asker
  readonly answerer: Answerer
}

interface Link {
  readonly peer: PeerId
  readonly connection: Connection
  /** Where it comes from: unadmitted ones are counted by it. */
  readonly host: string
  readonly sinceMs: number
}

/** No more is wanted of a peer, or nothing comes from it: it is not refused. */
const isRefusal = (code: Code | 'done'): code is Code => code !== 'done' && code !== 'NET_TIMEOUT'

async function atMost(ms: number, work: Promise<void> | undefined): Promise<void> {
  await Promise.race([work, setTimeoutAsync(ms, undefined, { ref: false })])
}

const idOf = (connection: Connection): PeerId => connection.remotePeer.toString() as PeerId

/** What strangers are counted by. */
const originOf = ({ remoteAddr }: Pick<Connection, 'remoteAddr'>): string =>
  networkOf(hostOf(remoteAddr) ?? '')

export class Connections {
  readonly #options: ConnectionsOptions
  readonly #links = new Map<PeerId, Link>()
  readonly #handshakes: Handshakes
  /** On their way out: neither used nor taken up again. */
  readonly #closing = new WeakSet<Connection>()
  #carriers: Carriers | undefined
  #node: Libp2p | undefined
  readonly #onOpen = ({ detail }: CustomEvent<Connection>) => this.#opened(detail)
  /** A turn later: an answer that came together with the end is read first, or nobody would hear why it ended. */
  readonly #onClose = ({ detail }: CustomEvent<Connection>) => {
    setImmediate(() => this.#closed(detail))
  }

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.#handshakes = new Handshakes(options.limits, options.log)
  }

  /** Before any connection can exist: the node does not run yet, or has no listener. */
  start(node: Libp2p, carriers: Carriers): void {
    this.#node = node
    this.#carriers = carriers
    node.addEventListener('connection:open', this.#onOpen)
    node.addEventListener('connection:close', this.#onClose)
    // those that came between listening and now
    for (const connection of node.getConnections()) this.#opened(connection)
  }

  stop(): void {
    this.#node?.removeEventListener('connection:open', this.#onOpen)
    this.#node?.removeEventListener('connection:close', this.#onClose)
    this.#node = undefined
  }

  readonly current = (peer: PeerId): Connection | undefined => this.#links.get(peer)?.connection

  readonly isCurrent = (connection: Connection): boolean => this.current(idOf(connection)) === connection

  /** Turns strangers away before the costly handshake, the newest first, once too many are not admitted yet; dials TCP alone. */
  readonly gater: ConnectionGater = {
    denyInboundConnection: (connection: MultiaddrConnection) => {
      const origin = originOf(connection)
      return this.#tooManyStrangers(origin) || !this.#handshakes.begin(connection, origin)
    },
    denyInboundUpgradedConnection: (_peer, connection) => {
      this.#handshakes.through(connection)
      return false
    },
    denyDialMultiaddr: (address) => !isTcp(address),
  }

  admit({ peer }: EffectOf<'admit'>): void {
    const connection = this.current(peer)
    if (connection !== undefined) this.#options.gate.admit(connection)
  }

  /**
   * What is queued for the peer (a refusal) goes out first; then close; whatever still stands is reset. To one that was
   * admitted, or has not come to ask for that, nothing is queued: it is told, unless it said the same to us.
   */
  async hangUp(peer: PeerId, code: Code | 'done'): Promise<void> {
    const connection = this.current(peer)
    if (connection === undefined || this.#closing.has(connection)) return
    this.#closing.add(connection)
    const { gate, limits } = this.#options
    const knows = this.#carriers?.answerer.isRefused(connection) === true
    const isTold = !knows && (gate.has(peer) || code === 'LIMIT_STREAMS')
    gate.revoke(connection.remotePeer)
    const words = [atMost(limits.hangUpMs, this.#carriers?.answerer.flush(peer))]
    if (isTold && isRefusal(code)) words.push(this.#refuse(peer, code))
    await Promise.all(words)
    await this.#end(connection)
  }

  /** Whoever broke a protocol may be at it still, so that it has less time to hear so. */
  async #refuse(peer: PeerId, code: Code): Promise<void> {
    const { hangUpMs, refuseDeadlineMs } = this.#options.limits
    const timeoutMs = code.startsWith('ADMIT_') ? refuseDeadlineMs : hangUpMs
    await atMost(timeoutMs, this.#carriers?.asker.refuse(peer, code, timeoutMs))
  }

  #opened(connection: Connection): void {
    const peer = idOf(connection)
    const host = originOf(connection)
    const known = this.#links.get(peer)
    if (connection.status !== 'open' || known?.connection === connection) return
    if (known === undefined && connection.direction === 'inbound' && this.#tooManyStrangers(host)) {
      this.#closing.add(connection)
      connection.abort(new Error('too many connections that are not admitted'))
      return
    }
    const replaced = known !== undefined && !this.#closing.has(known.connection)
    if (replaced && known.connection.status === 'open') {
      if (!this.#wins(connection, known)) {
        void this.#end(connection)
        return
      }
      void this.#end(known.connection)
    }
    if (known !== undefined) this.#gone(known, replaced)
    this.#links.set(peer, { peer, connection, host, sinceMs: performance.now() })
    // What the muxer refused it ended at once; who is behind it is known here. Of one that is gone nobody would forget what was
    // logged: a connection that was replaced may be the last to end.
    connection.addEventListener('close', ({ error }) => {
      if (isMeshError(error) && this.#links.has(peer)) this.#options.misconduct.report(peer, error)
    })
    this.#options.sink({
      kind: 'connected',
      peer,
      direction: connection.direction,
      address: addressOf(connection.remoteAddr, peer),
      ownHost: isOwnHost(connection.remoteAddr),
    })
  }

  #closed(connection: Connection): void {
    const link = this.#links.get(idOf(connection))
    // replaced before, and slow to end: libp2p wrote of its peer until now
    if (link === undefined) void this.#forget(connection)
    if (link?.connection !== connection) return
    const other = this.#node
      ?.getConnections(connection.remotePeer)
      .find((candidate) => candidate.status === 'open' && !this.#closing.has(candidate))
    this.#gone(link, other !== undefined)
    if (other !== undefined) this.#opened(other)
  }

  #gone({ peer, connection }: Link, replaced = false): void {
    this.#links.delete(peer)
    void this.#forget(connection)
    this.#options.gate.revoke(connection.remotePeer)
    this.#carriers?.asker.drop(peer)
    this.#options.misconduct.forget(peer)
    this.#options.sink({ kind: 'disconnected', peer, ...(replaced ? { replaced } : {}) })
  }

  async #forget({ remotePeer }: Connection): Promise<void> {
    const node = this.#node
    // back already: the next end of a connection decides
    if (node === undefined || node.getConnections(remotePeer).some(({ status }) => status === 'open')) return
    await forgetGone(node, remotePeer, this.#options.log)
  }

  /**
   * Both sides must keep the same one of two. Simultaneous dials: the one dialled by the lower peer id. Both dialled
   * by one side: the newer, since that side had given the older up. Where the older was there long before the newer can have
   * been dialled, they did not cross: who dials has started anew, and it is dead. That is for who is dialled to see, the other
   * knows of no older one; by twice what either may take, or each would keep the other of two that crossed slowly.
   */
  #wins(fresh: Connection, { connection: known, sinceMs }: Link): boolean {
    if (fresh.direction === known.direction) return true
    const crossedMs = 2 * Math.max(this.#options.limits.dialDeadlineMs, LIMITS.dialDeadlineMs)
    if (fresh.direction === 'inbound' && performance.now() - sinceMs > crossedMs) return true
    const peer = idOf(fresh)
    const dialler = fresh.direction === 'outbound' ? this.#options.self : peer
    const other = dialler === peer ? this.#options.self : peer
    return dialler < other
  }

  /** Those that publish count half, as in the core: they stay for minutes. */
  #tooManyStrangers(host: string): boolean {
    const { limits, gate, log } = this.#options
    let all = 0
    let same = 0
    let here = 0
    for (const link of this.#links.values()) {
      if (link.connection.direction === 'outbound' || gate.has(link.peer)) continue
      all += 1
      if (link.host !== host) continue
      same += 1
      here += this.#carriers?.answerer.isPublishing(link.connection) ? 0.5 : 1
    }
    if (all < limits.maxUnadmitted && here < limits.maxUnadmittedPerAddress) return false
    const text = `${all} connections are not admitted yet, ${same} of them from ${host}: one more refused`
    log.note({ kind: 'note', level: 'warn', code: 'LIMIT_STREAMS', text })
    return true
  }

  async #end(connection: Connection): Promise<void> {
    this.#closing.add(connection)
    try {
      await connection.close({ signal: AbortSignal.timeout(this.#options.limits.hangUpMs) })
    } catch (error) {
      // the other side did not close in time: it gets a reset instead
      connection.abort(error as Error)
    }
  }
}
