/** Messages of a stream one by one, with a signal for each. */
import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { MeshError } from '../errors.ts'
import { Unframer } from './unframing.ts'

/** As many short ones as a neighbour says at once to one that is new to it, four times. */
export const MAX_WAITING_MESSAGES = 4_096

export interface ReaderOptions {
  /** Names the stream in errors. */
  readonly what: string
  readonly maxBytes: number
  /** Of messages that have come and are not read yet; beyond, the stream is reset. */
  readonly maxWaitingBytes: number
}

export class MessageReader {
  readonly #stream: Stream
  readonly #options: ReaderOptions
  readonly #unframer: Unframer
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #failure: Error | undefined
  #wake: () => void = () => {}

  constructor(stream: Stream, options: ReaderOptions) {
    this.#stream = stream
    this.#options = options
    this.#unframer = new Unframer(options.what, options.maxBytes)
    stream.addEventListener('message', (event) => this.#take(event))
    stream.addEventListener('remoteCloseWrite', () => this.#wake())
    stream.addEventListener('close', ({ error }) => {
      this.#failure ??= error
      this.#wake()
    })
  }

  /** The next message has come in part. */
  get hasBegun(): boolean {
    return this.#waiting.length === 0 && this.#unframer.hasBegun
  }

  /**
   * The next message; one reader at a time. What came whole before the stream ended is read first.
   * @throws MeshError LIMIT_BYTES, NET_UNREACHABLE; the signal's reason; what ended the stream
   */
  async read(signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      const message = this.#waiting.shift()
      if (message !== undefined) {
        this.#waitingBytes -= message.byteLength
        return message
      }
      if (this.#failure !== undefined) throw this.#failure
      const { remoteWriteStatus, readBufferLength } = this.#stream
      if (remoteWriteStatus !== 'writable' && readBufferLength === 0)
        throw new MeshError('NET_UNREACHABLE', `${this.#options.what}: the stream ended`)
      await this.#more(signal)
    }
  }

  async #more(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#wake = resolve
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #take({ data }: StreamMessageEvent): void {
    if (this.#failure !== undefined) return
    try {
      for (const message of this.#unframer.take(data)) {
        this.#waiting.push(message)
        this.#waitingBytes += message.byteLength
        if (this.#waiting.length > MAX_WAITING_MESSAGES) break
      }
      this.#bound()
    } catch (error) {
      this.#failure = error as Error
    }
    this.#wake()
  }

  /** Whoever goes on without waiting to be read is not read at all. */
  #bound(): void {
    const { what, maxWaitingBytes } = this.#options
    const bytes = this.#waitingBytes + this.#unframer.heldBytes
    if (bytes <= maxWaitingBytes && this.#waiting.length <= MAX_WAITING_MESSAGES) return
    const text = `${what}: ${this.#waiting.length} messages, ${bytes} bytes wait to be read`
    const failure = new MeshError('LIMIT_BYTES', text)
    this.#failure = failure
    this.#waiting.length = 0
    // what dispatches this event goes on with the stream
    queueMicrotask(() => this.#stream.abort(failure))
  }
}
