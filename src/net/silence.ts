/**
 * Ends connections on which nothing comes any more. yamux asks the other end for a sign of life each 30 s and does not
 * look whether one comes; libp2p's own monitor opens a stream on each connection, from both sides and all at once, which a
 * seed with 500 of them has to negotiate in one go.
 */
import type { Connection } from '@libp2p/interface'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { TcpConnection } from './meter.ts'

/** With `watchdogMs` 75 s: two questions of yamux stayed without an answer, and there was some time to be late. */
export const SILENT_LOOKS = 15

interface Heard {
  bytes: number
  /** Looks in a row that found nothing new. No time: a host that was asleep has not looked, and blames nobody. */
  silentLooks: number
}

/** As libp2p hands it on from the TCP connection to the connection that it makes of it: the one thing both have. */
type Timed = Pick<Connection, 'timeline'>

export class Silence {
  readonly #lookMs: number
  readonly #sockets = new WeakMap<Timed['timeline'], TcpConnection['socket']>()
  readonly #heard = new Map<TcpConnection, Heard>()
  #timer: NodeJS.Timeout | undefined

  constructor({ watchdogMs }: Pick<Limits, 'watchdogMs'>) {
    this.#lookMs = watchdogMs
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.#lookMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** From the handshake to the end of the connection. */
  watch(connection: TcpConnection): void {
    const { socket, timeline } = connection
    this.#sockets.set(timeline, socket)
    this.#heard.set(connection, { bytes: socket.bytesRead, silentLooks: 0 })
    socket.once('close', () => this.#heard.delete(connection))
  }

  /** Bytes that have come on a connection so far, as far as they are read. */
  bytesFrom({ timeline }: Timed): number {
    return this.#sockets.get(timeline)?.bytesRead ?? 0
  }

  /** One look at every connection. */
  look(): void {
    for (const [connection, heard] of this.#heard) {
      const { bytesRead } = connection.socket
      heard.silentLooks = bytesRead > heard.bytes ? 0 : heard.silentLooks + 1
      heard.bytes = bytesRead
      if (heard.silentLooks < SILENT_LOOKS) continue
      this.#heard.delete(connection)
      const silentS = (SILENT_LOOKS * this.#lookMs) / 1_000
      connection.abort(new MeshError('NET_TIMEOUT', `nothing has come for ${silentS} s; the connection ends`))
    }
  }
}
