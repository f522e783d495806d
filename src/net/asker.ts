/** Carries `request` effects out: finds the line to the peer, and turns what comes back into events. */
import type { Connection } from '@libp2p/interface'
import { isNotice } from '../codec/messages.ts'
import { type Code, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import type { Protocol } from '../model/messages.ts'
import type { EffectOf, LogPort, TransportEvent } from '../runtime/ports.ts'
import { isMisconduct, streamError } from './framing.ts'
import { Line } from './line.ts'
import type { Misconduct } from './misconduct.ts'
import type { RulesOf } from './protocols.ts'
import type { Unread } from './unread.ts'

export interface AskerOptions {
  readonly rules: RulesOf
  readonly limits: Limits
  readonly unread: Unread
  /** A seed asks hardly anybody for blocks. */
  readonly seed: boolean
  readonly misconduct: Misconduct
  readonly log: LogPort
  readonly sink: (event: TransportEvent) => void
  /** The one connection in use with a peer. */
  readonly current: (peer: PeerId) => Connection | undefined
  /** Bytes that have come on a connection so far. */
  readonly bytesFrom: (connection: Connection) => number
}

export class Asker {
  readonly #options: AskerOptions
  readonly #lines = new Map<PeerId, Map<Protocol, Line>>()

  constructor(options: AskerOptions) {
    this.#options = options
  }

  ask(effect: EffectOf<'request'>): void {
    const { id, peer, request, timeoutMs } = effect
    const { sink, misconduct, log, bytesFrom } = this.#options
    const line = this.#line(peer, request.protocol)
    if (line === undefined) {
      // never from within `perform`: the core is in the middle of a step
      queueMicrotask(() => sink({ kind: 'requestFailed', id, code: 'NET_UNREACHABLE' }))
      return
    }
    const { connection } = line
    const bytesBefore = bytesFrom(connection)
    const failed = (error: unknown) => {
      const failure = streamError(error, request.protocol)
      if (isMisconduct(failure)) misconduct.report(peer, failure)
      if (failure.code === 'INTERNAL')
        log.note({ kind: 'note', level: 'error', code: failure.code, text: failure.message, peer })
      if (isNotice(request)) return
      const { code } = failure
      sink({ kind: 'requestFailed', id, code, ...(bytesFrom(connection) > bytesBefore && { alive: true }) })
    }
    line
      .ask(request, timeoutMs, (reply) => sink({ kind: 'reply', id, reply }))
      .then(() => this.#warmAfter(peer, request.protocol, line), failed)
  }

  /**
   * A release makes every node ask several neighbours for blocks at the same moment, and opening a stream costs as much as
   * four requests: so it stands by then. Comparisons go round the neighbours one by one, and so do these.
   */
  #warmAfter(peer: PeerId, protocol: Protocol, line: Line): void {
    if (protocol !== 'sync' || this.#options.seed) return
    // on the connection that the answer came by: on another one the peer is not admitted yet
    if (this.#lines.get(peer)?.get('sync') !== line) return
    void this.#line(peer, 'blocks')?.warm()
  }

  /** Resolves once the other side has noted that it is cut off for this, or will not, or the time is up. */
  async refuse(peer: PeerId, code: Code, timeoutMs: number): Promise<void> {
    const message = { type: 'refuse', code, text: 'the connection ends' } as const
    try {
      await this.#line(peer, 'admit')?.ask({ protocol: 'admit', message }, timeoutMs, () => {})
    } catch {
      // gone, or it would not listen: it loses the connection without our word, and our own log has the code
    }
  }

  /** The connection is gone or replaced: what waits on it fails now. */
  drop(peer: PeerId): void {
    const lines = this.#lines.get(peer)
    this.#lines.delete(peer)
    const gone = new MeshError('NET_UNREACHABLE', 'the connection is gone')
    for (const line of lines?.values() ?? []) line.close(gone)
  }

  stop(): void {
    for (const peer of [...this.#lines.keys()]) this.drop(peer)
  }

  #line(peer: PeerId, protocol: Protocol): Line | undefined {
    const found = this.#lines.get(peer)?.get(protocol)
    if (found !== undefined) return found
    const connection = this.#options.current(peer)
    if (connection === undefined) return undefined
    const { rules, limits, unread } = this.#options
    const line = new Line(connection, rules[protocol], limits, unread)
    const lines = this.#lines.get(peer) ?? new Map<Protocol, Line>()
    this.#lines.set(peer, lines.set(protocol, line))
    return line
  }
}
