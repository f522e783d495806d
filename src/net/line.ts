/** Our requests of one protocol on one connection: a few streams, reused, one request at a time on each, or many in order. */
import type { Connection, Stream } from '@libp2p/interface'
import { decodeReply, encodeRequest, isLast, isNotice } from '../codec/messages.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import { Deadline } from './deadline.ts'
import { frame, streamError, writeMessages } from './framing.ts'
import { type Exchange, exchangeInOrder } from './in-order.ts'
import type { ProtocolRules } from './protocols.ts'
import { MessageReader } from './reader.ts'
import type { Unread } from './unread.ts'

interface Wire {
  readonly stream: Stream
  readonly messages: MessageReader
  /** Called with the length of each message that is done with. */
  readonly done: (bytes: number) => void
  idleSinceMs: number
}

interface Waiter {
  /** It goes while so many places are not taken. */
  readonly places: number
  readonly go: () => void
  readonly giveUp: (error: MeshError) => void
}

/**
 * An older build closes idle streams sooner than we give them up, so maybe while a request is on its way. It reads nothing
 * of what comes after: the request may be sent again.
 */
const isClosedWhileIdle = ({ stream, idleSinceMs }: Wire): boolean =>
  idleSinceMs > 0 && stream.status === 'open' && stream.remoteWriteStatus !== 'writable'

/** Opening a stream costs a negotiation and a write to the peer store on both sides: almost four times a request. */
export class Line {
  readonly connection: Connection
  readonly #rules: ProtocolRules
  readonly #limits: Limits
  readonly #unread: Unread
  readonly #idle: Wire[] = []
  readonly #inUse = new Set<Stream>()
  readonly #waiting: Waiter[] = []
  #taken = 0
  #closed: MeshError | undefined

  constructor(connection: Connection, rules: ProtocolRules, limits: Limits, unread: Unread) {
    this.connection = connection
    this.#rules = rules
    this.#limits = limits
    this.#unread = unread
  }

  /**
   * Calls `onReply` for each reply, the last one included, in order; a notice has none and ends once it is sent.
   * @param timeoutMs for the first reply, waiting for a free stream included, and for each further one of a run
   * @throws MeshError NET_TIMEOUT, NET_UNREACHABLE, NET_PROTOCOL, LIMIT_BYTES, LIMIT_STREAMS, CODEC_*, INTERNAL
   */
  async ask(request: AnyRequest, timeoutMs: number, onReply: (reply: AnyReply) => void): Promise<void> {
    if (isNotice(request) && this.#toldAtOnce(request)) return
    const deadline = new Deadline(timeoutMs)
    try {
      await this.#turn(deadline.signal, this.#rules.urgent.includes(request.message.type))
      await this.#askInTurn(request, deadline, (reply) => {
        onReply(reply)
        deadline.arm(timeoutMs)
      })
    } finally {
      deadline.clear()
    }
  }

  /**
   * Each is sent before those ahead of it are answered, and has one reply: they are handed to `onReply` in order. What that
   * throws, or what gives the requests, ends it.
   * @param timeoutMs for a place and a stream, and for each reply from when it is the next
   * @throws MeshError as `ask`
   */
  async askInOrder(
    requests: AsyncIterable<AnyRequest>,
    timeoutMs: number,
    onReply: (reply: AnyReply, request: AnyRequest) => void,
  ): Promise<void> {
    const deadline = new Deadline(timeoutMs)
    try {
      await this.#turn(deadline.signal, false)
      await this.#askAllInTurn(requests, deadline, timeoutMs, onReply)
    } finally {
      deadline.clear()
    }
  }

  async #askAllInTurn(
    requests: AsyncIterable<AnyRequest>,
    deadline: Deadline,
    timeoutMs: number,
    onReply: (reply: AnyReply, request: AnyRequest) => void,
  ): Promise<void> {
    let wire: Wire | undefined
    try {
      wire = await this.#wire(deadline.signal).catch((error): never => {
        throw this.#failure(error)
      })
      deadline.clear()
      await exchangeInOrder(this.#inOrder(wire), requests, timeoutMs, onReply)
      this.#keep(wire)
    } catch (error) {
      // a late reply must not be taken for the answer to the next request
      wire?.stream.abort(error as Error)
      throw error
    } finally {
      if (wire !== undefined) this.#inUse.delete(wire.stream)
      this.#leave()
    }
  }

  /** One of the `maxStreams` places is taken for it, and goes to the next one that waits. */
  async #askInTurn(
    request: AnyRequest,
    { signal }: Deadline,
    onReply: (reply: AnyReply) => void,
  ): Promise<void> {
    let wire: Wire | undefined
    let answered = false
    const exchange = (on: Wire) =>
      this.#exchange(on, request, signal, (reply) => {
        answered = true
        onReply(reply)
      })
    try {
      wire = await this.#wire(signal)
      try {
        await exchange(wire)
      } catch (error) {
        if (answered || !isClosedWhileIdle(wire)) throw error
        wire = await this.#insteadOf(wire, signal)
        await exchange(wire)
      }
      this.#keep(wire)
    } catch (error) {
      const failure = this.#failure(error, ` ${request.message.type}`)
      // a late reply must not be taken for the answer to the next request
      if (wire !== undefined) wire.stream.abort(failure)
      throw failure
    } finally {
      if (wire !== undefined) this.#inUse.delete(wire.stream)
      this.#leave()
    }
  }

  /**
   * Opens a stream for the next request where none stands or is being opened. Nothing is asked: where it comes to nothing
   * the next request opens one itself, and tells why it cannot.
   */
  async warm(): Promise<void> {
    if (this.#closed !== undefined || this.#taken > 0) return
    const idle = this.#idleWire()
    if (idle !== undefined) return void this.#idle.push(idle)
    this.#taken += 1
    const deadline = new Deadline(this.#rules.messageDeadlineMs)
    try {
      const wire = await this.#opened(deadline.signal)
      this.#inUse.delete(wire.stream)
      this.#keep(wire)
    } catch {
      // a peer that is gone, or does not speak this: no request was lost by it
    } finally {
      deadline.clear()
      this.#leave()
    }
  }

  get isClosed(): boolean {
    return this.#closed !== undefined
  }

  /** Ends what is under way with this error; later requests fail with it at once. */
  close(error: MeshError): void {
    this.#closed = error
    for (const waiter of this.#waiting.splice(0)) waiter.giveUp(error)
    for (const stream of this.#inUse) stream.abort(error)
    for (const { stream } of this.#idle.splice(0)) stream.abort(error)
  }

  /** On a stream that stands idle and takes it: there is nothing to wait for, and no deadline to watch. */
  #toldAtOnce(notice: AnyRequest): boolean {
    const bytes = frame([this.#encoded(notice)], this.#rules.maxRequestBytes)
    const wire = this.#taken < this.#rules.maxStreams ? this.#idleWire() : undefined
    if (wire === undefined) return false
    const isFree = !wire.stream.writableNeedsDrain
    if (isFree) wire.stream.send(bytes)
    this.#keep(wire)
    return isFree
  }

  async #exchange(
    { stream, messages, done }: Wire,
    request: AnyRequest,
    signal: AbortSignal,
    onReply: (reply: AnyReply) => void,
  ): Promise<void> {
    await writeMessages(stream, [this.#encoded(request)], this.#rules.maxRequestBytes, signal)
    if (isNotice(request)) return
    let runBytes = 0
    for (let count = 1; ; count += 1) {
      const received = await messages.read(signal)
      runBytes += received.byteLength
      if (runBytes > this.#rules.maxRunBytes || count > this.#limits.maxRunMessages)
        throw new MeshError('LIMIT_BYTES', `run of replies is longer than ${this.#rules.maxRunBytes} bytes`)
      const reply = decodeReply(request.protocol, received, this.#limits)
      onReply(reply)
      done(received.byteLength)
      if (isLast(reply)) return
    }
  }

  #inOrder({ stream, messages, done }: Wire): Exchange {
    return {
      stream,
      messages,
      done,
      maxRequestBytes: this.#rules.maxRequestBytes,
      encode: (request) => this.#encoded(request),
      decode: (protocol, bytes) => decodeReply(protocol, bytes, this.#limits),
      failure: (error) => this.#failure(error),
    }
  }

  #failure(error: unknown, what = ''): MeshError {
    return this.#closed ?? streamError(error, `${this.#rules.id}${what}`)
  }

  /** @throws MeshError INTERNAL where it is too long, which is our own fault: not to be laid at the peer's door */
  #encoded(request: AnyRequest): Uint8Array {
    const bytes = encodeRequest(request.protocol, request.message as never)
    const { id, maxRequestBytes } = this.#rules
    if (bytes.byteLength <= maxRequestBytes) return bytes
    const what = `own ${request.message.type} of ${bytes.byteLength} bytes`
    throw new MeshError('INTERNAL', `${id}: ${what} is over the limit of ${maxRequestBytes}`)
  }

  /** Waits for one of the `maxStreams` places; the spare one is for what is urgent. */
  #turn(signal: AbortSignal, urgent: boolean): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const { maxStreams, spare } = this.#rules
    const places = urgent ? maxStreams : maxStreams - spare
    if (this.#taken < places) {
      this.#taken += 1
      return Promise.resolve()
    }
    if (this.#waiting.length >= this.#limits.maxQueuedRequests) {
      const text = `${this.#rules.id}: ${this.#waiting.length} requests wait for this peer already`
      return Promise.reject(new MeshError('LIMIT_STREAMS', text))
    }
    return new Promise((resolve, reject) => {
      const onTimeout = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(new MeshError('NET_TIMEOUT', `${this.#rules.id}: no stream to this peer was free in time`))
      }
      const settle = () => signal.removeEventListener('abort', onTimeout)
      const waiter: Waiter = {
        places,
        go: () => {
          settle()
          this.#taken += 1
          resolve()
        },
        giveUp: (error) => {
          settle()
          reject(error)
        },
      }
      signal.addEventListener('abort', onTimeout, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #leave(): void {
    this.#taken -= 1
    const at = this.#waiting.findIndex(({ places }) => this.#taken < places)
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.go()
  }

  async #wire(signal: AbortSignal): Promise<Wire> {
    const idle = this.#idleWire()
    if (idle !== undefined) {
      this.#inUse.add(idle.stream)
      return idle
    }
    return await this.#opened(signal)
  }

  /** Not another idle one: it may be on its way to its end, too. */
  async #insteadOf({ stream }: Wire, signal: AbortSignal): Promise<Wire> {
    this.#inUse.delete(stream)
    stream.abort(new Error('idle'))
    return await this.#opened(signal)
  }

  async #opened(signal: AbortSignal): Promise<Wire> {
    const { id, maxReplyBytes, maxRunBytes } = this.#rules
    const stream = await this.connection.newStream([id], { signal })
    this.#inUse.add(stream)
    const done = this.#unread.watch(stream, this.connection)
    const messages = new MessageReader(stream, {
      what: id,
      maxBytes: maxReplyBytes,
      maxWaitingBytes: maxRunBytes + 2 * maxReplyBytes,
    })
    return { stream, messages, done, idleSinceMs: 0 }
  }

  #idleWire(): Wire | undefined {
    for (let wire = this.#idle.pop(); wire !== undefined; wire = this.#idle.pop()) {
      // the answerer closes idle streams too: one given up at half its time is not closed under a request. An older build
      // closes them sooner, and that shows here
      const fresh = performance.now() - wire.idleSinceMs < this.#rules.idleMs / 2
      if (fresh && wire.stream.status === 'open' && wire.stream.remoteWriteStatus === 'writable') return wire
      wire.stream.abort(new Error('idle'))
    }
    return undefined
  }

  #keep(wire: Wire): void {
    wire.idleSinceMs = performance.now()
    if (this.#closed === undefined) this.#idle.push(wire)
    else wire.stream.abort(this.#closed)
  }
}
