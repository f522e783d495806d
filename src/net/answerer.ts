/** Their requests: read, decoded and bounded here, answered by the core's `reply` effects. */
import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import type { Connection, Stream, StreamHandler } from '@libp2p/interface'
import { decodeRequest, encodeReply, encodeReplyParts, isLast, isNotice } from '../codec/messages.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import type { AnyReply, AnyRequest, Protocol } from '../model/messages.ts'
import { type EffectOf, LONGEST_TIMER_MS, type LogPort, type TransportEvent } from '../runtime/ports.ts'
import { Deadline } from './deadline.ts'
import { isMisconduct, streamError, writeMessages } from './framing.ts'
import type { Gate } from './gate.ts'
import type { Misconduct } from './misconduct.ts'
import { type Pace, Throttle } from './pace.ts'
import type { ProtocolRules, RulesOf } from './protocols.ts'
import { MessageReader } from './reader.ts'
import type { Unread } from './unread.ts'

export interface AnswererOptions {
  readonly rules: RulesOf
  readonly limits: Limits
  readonly gate: Gate
  readonly pace: Pace
  readonly unread: Unread
  readonly misconduct: Misconduct
  readonly log: LogPort
  readonly sink: (event: TransportEvent) => void
  /** Streams on a connection that lost against another of the same peer are not served. */
  readonly isCurrent: (connection: Connection) => boolean
}

interface Exchange {
  readonly peer: PeerId
  readonly replies: AnyReply[]
  readonly written: PromiseWithResolvers<boolean>
  wake: () => void
}

const refused = (protocol: Protocol, { code, message: text }: MeshError): AnyReply => ({
  protocol,
  message: { type: 'refused', code, text },
})

const isRefusal = (request: AnyRequest | MeshError): boolean =>
  !('code' in request) && request.protocol === 'admit' && request.message.type === 'refuse'

export class Answerer {
  readonly #options: AnswererOptions
  readonly #exchanges = new Map<EffectOf<'reply'>['id'], Exchange>()
  readonly #streams = new Set<Stream>()
  /** Connections on which the other side has said that it refuses us. */
  readonly #refusing = new WeakSet<Connection>()
  /** Connections on which something of publishing was asked that this build knows. */
  readonly #publishing = new WeakSet<Connection>()
  readonly #throttle: Throttle
  #lastId = 0

  constructor(options: AnswererOptions) {
    this.#options = options
    const { requestsPerSecond, requestsBurst } = options.limits
    this.#throttle = new Throttle(requestsPerSecond, requestsBurst)
  }

  handler(protocol: Protocol): StreamHandler {
    // libp2p resets the stream on a rejection but does not say why, so nothing may reject
    return (stream, connection) => this.#serve(protocol, stream, connection)
  }

  /** A reply to an asker that has gone is dropped. */
  reply({ id, reply }: EffectOf<'reply'>): void {
    const exchange = this.#exchanges.get(id)
    exchange?.replies.push(reply)
    exchange?.wake()
  }

  /** Resolves once the exchange of this request has ended: with true by its last reply, with false because the asker is gone. */
  ended(id: EffectOf<'reply'>['id']): Promise<boolean> {
    return this.#exchanges.get(id)?.written.promise ?? Promise.resolve(false)
  }

  /** The other side cuts us off: it knows why. */
  isRefused(connection: Connection): boolean {
    return this.#refusing.has(connection)
  }

  isPublishing(connection: Connection): boolean {
    return this.#publishing.has(connection)
  }

  /** Resolves when every reply given so far to this peer is on its way. */
  async flush(peer: PeerId): Promise<void> {
    const answering = [...this.#exchanges.values()].filter((e) => e.peer === peer && e.replies.length > 0)
    await Promise.all(answering.map((exchange) => exchange.written.promise))
  }

  stop(): void {
    for (const stream of this.#streams) stream.abort(new Error('this node stops'))
  }

  async #serve(protocol: Protocol, stream: Stream, connection: Connection): Promise<void> {
    const { limits, gate, pace, unread, misconduct } = this.#options
    const rules = this.#options.rules[protocol]
    const peer = connection.remotePeer.toString() as PeerId
    this.#streams.add(stream)
    try {
      if (rules.admittedOnly && !(await gate.opened(stream, connection, limits.admitDeadlineMs)))
        throw new MeshError('ADMIT_REFUSED', `${rules.id} is for admitted peers`)
      const done = unread.watch(stream, connection)
      const messages = new MessageReader(stream, {
        what: rules.id,
        maxBytes: rules.maxRequestBytes,
        maxWaitingBytes: 2 * rules.maxRequestBytes,
      })
      for (;;) {
        const bytes = await this.#read(stream, messages, rules)
        if (bytes === undefined || !this.#options.isCurrent(connection)) break
        const count = 1 + Math.floor(bytes.byteLength / rules.bytesAsOne)
        if (!(await this.#throttle.take(connection, connection, count))) break
        await pace.slice(bytes.byteLength)
        // gone meanwhile: what is laid at its door now would stay there
        if (!this.#options.isCurrent(connection)) break
        const request = this.#decode(protocol, bytes)
        if (isRefusal(request)) this.#refusing.add(connection)
        // What this build does not know the core never hears of, for which it is a stranger like any other.
        if (protocol === 'publish' && !('code' in request)) this.#publishing.add(connection)
        if (!('code' in request) && isNotice(request)) this.#noticed(peer, request)
        else if ('code' in request) await this.#write(stream, [refused(protocol, request)], rules)
        else await this.#exchange(peer, request, stream, rules)
        done(bytes.byteLength)
      }
      await stream.close({ signal: AbortSignal.timeout(rules.messageDeadlineMs) })
    } catch (error) {
      const failure = streamError(error, rules.id)
      if (isMisconduct(failure)) misconduct.report(peer, failure)
      await this.#refuse(protocol, stream, failure)
    } finally {
      this.#streams.delete(stream)
    }
  }

  /**
   * The next request, or undefined where the asker is done or has been idle. The deadline of a message runs from its
   * first byte, or from here where that came with the message before: one byte a second does not renew it.
   * @throws MeshError LIMIT_TIMEOUT
   */
  async #read(
    stream: Stream,
    messages: MessageReader,
    rules: ProtocolRules,
  ): Promise<Uint8Array | undefined> {
    let begun = messages.hasBegun
    const deadline = new Deadline(begun ? rules.messageDeadlineMs : rules.idleMs)
    const onBytes = () => {
      if (begun) return
      begun = true
      deadline.arm(rules.messageDeadlineMs)
    }
    stream.addEventListener('message', onBytes)
    try {
      return await messages.read(deadline.signal)
    } catch (error) {
      if (begun && deadline.signal.aborted) {
        const text = `${rules.id}: a message was not whole after ${rules.messageDeadlineMs} ms`
        throw new MeshError('LIMIT_TIMEOUT', text, {}, { cause: error })
      }
      if (begun) throw error
      return undefined
    } finally {
      deadline.clear()
      stream.removeEventListener('message', onBytes)
    }
  }

  /** What a newer build asks is answered with its code and nothing more. @throws MeshError LIMIT_BYTES, CODEC_MALFORMED */
  #decode(protocol: Protocol, bytes: Uint8Array): AnyRequest | MeshError {
    try {
      return decodeRequest(protocol, bytes, this.#options.limits)
    } catch (error) {
      if (isMeshError(error) && error.code === 'CODEC_UNSUPPORTED') return error
      throw error
    }
  }

  #noticed(peer: PeerId, request: AnyRequest): void {
    this.#lastId += 1
    this.#options.sink({ kind: 'request', id: this.#lastId, peer, request })
  }

  /** Gives one request to the core and writes what it answers, up to the last reply of a run. */
  async #exchange(peer: PeerId, request: AnyRequest, stream: Stream, rules: ProtocolRules): Promise<void> {
    this.#lastId += 1
    const id = this.#lastId
    const exchange: Exchange = { peer, replies: [], written: Promise.withResolvers(), wake: () => {} }
    this.#exchanges.set(id, exchange)
    const over = AbortSignal.timeout(rules.answerDeadlineMs)
    const onEnd = () => exchange.wake()
    over.addEventListener('abort', onEnd)
    stream.addEventListener('close', onEnd)
    try {
      this.#options.sink({ kind: 'request', id, peer, request })
      for (;;) {
        while (exchange.replies.length === 0) {
          if (stream.status !== 'open')
            throw new MeshError('NET_UNREACHABLE', `${rules.id}: the asker is gone`)
          if (over.aborted)
            throw new MeshError('NET_TIMEOUT', `${rules.id}: ${request.message.type} not answered`)
          await new Promise<void>((resolve) => {
            exchange.wake = resolve
          })
        }
        const batch = [...exchange.replies]
        await this.#write(stream, batch, rules)
        exchange.replies.splice(0, batch.length)
        const last = batch.at(-1)
        if (last !== undefined && isLast(last)) return exchange.written.resolve(true)
      }
    } finally {
      this.#exchanges.delete(id)
      over.removeEventListener('abort', onEnd)
      stream.removeEventListener('close', onEnd)
      exchange.written.resolve(false)
    }
  }

  async #write(stream: Stream, replies: readonly AnyReply[], rules: ProtocolRules): Promise<void> {
    const messages = replies.map((reply) => encodeReplyParts(reply))
    const longest = Math.max(
      ...messages.map((parts) => parts.reduce((sum, { byteLength }) => sum + byteLength, 0)),
    )
    if (longest > rules.maxReplyBytes) {
      // our own fault: not to be laid at the peer's door
      const text = `${rules.id}: own reply of ${longest} bytes is over the limit of ${rules.maxReplyBytes}`
      this.#options.log.note({ kind: 'note', level: 'error', code: 'INTERNAL', text })
      throw new MeshError('INTERNAL', text)
    }
    // No less than askers wait: on a slow link it is the other streams of the connection that take the time. For each
    // as long as one may take: a run of sync is the length of sixteen.
    const eachMs = Math.max(rules.messageDeadlineMs, this.#options.limits.blockDeadlineMs)
    const over = AbortSignal.timeout(Math.min(eachMs * messages.length, LONGEST_TIMER_MS))
    await writeMessages(stream, messages, rules.maxReplyBytes, over)
  }

  /** Says why where that is possible, leaves the peer a moment to read it, and frees the stream. */
  async #refuse(protocol: Protocol, stream: Stream, failure: MeshError): Promise<void> {
    const worthSaying = isMisconduct(failure) || failure.code === 'ADMIT_REFUSED'
    if (worthSaying && stream.status === 'open') {
      const { hangUpMs } = this.#options.limits
      try {
        const reply = refused(protocol, failure)
        const bytes = encodeReply(reply.protocol, reply.message as never)
        await writeMessages(stream, [bytes], bytes.byteLength, AbortSignal.timeout(hangUpMs))
        await stream.close({ signal: AbortSignal.timeout(hangUpMs) })
        await setTimeoutAsync(hangUpMs, undefined, { ref: false })
      } catch {
        // the peer would not take the reason; the reset below is all it gets, and the fault is counted already
      }
    }
    stream.abort(failure)
  }
}
