/**
 * Requests on one stream, each sent before those ahead of it are answered: of many small ones none waits for a round trip of
 * its own. The other side reads and answers them one after another, as any build does with what comes on a stream.
 */
import type { Stream } from '@libp2p/interface'
import type { MeshError } from '../errors.ts'
import type { AnyReply, AnyRequest, Protocol } from '../model/messages.ts'
import { Deadline } from './deadline.ts'
import { writeMessages } from './framing.ts'
import type { MessageReader } from './reader.ts'

export interface Exchange {
  readonly stream: Stream
  readonly messages: MessageReader
  /** Called with the length of each message that is done with. */
  readonly done: (bytes: number) => void
  readonly maxRequestBytes: number
  /** @throws MeshError */
  readonly encode: (request: AnyRequest) => Uint8Array
  /** @throws MeshError */
  readonly decode: (protocol: Protocol, bytes: Uint8Array) => AnyReply
  /** What ended the stream, or a wait, as one of our codes. */
  readonly failure: (error: unknown) => MeshError
}

/** Some 400 a second where an answer takes 80 ms; a stranger may have 500 of them read in that time. */
export const MOST_UNANSWERED = 32

interface Sent {
  readonly request: AnyRequest
  readonly bytes: number
}

class InOrder {
  readonly #on: Exchange
  readonly #timeoutMs: number
  /** In the order sent. */
  readonly #unanswered: Sent[] = []
  /** Runs while anything is unanswered. */
  readonly #deadline: Deadline
  readonly #failed = (error: unknown): never => {
    throw this.#on.failure(error)
  }
  #isAllSent = false
  #hasFailed = false
  #wake: () => void = () => {}

  constructor(on: Exchange, timeoutMs: number) {
    this.#on = on
    this.#timeoutMs = timeoutMs
    this.#deadline = new Deadline(timeoutMs)
    this.#deadline.clear()
  }

  async run(
    requests: AsyncIterable<AnyRequest>,
    onReply: (reply: AnyReply, request: AnyRequest) => void,
  ): Promise<void> {
    const [sent, answered] = await Promise.allSettled([this.#send(requests), this.#answers(onReply)])
    this.#deadline.clear()
    // What came of an answer says why nothing more could be sent.
    if (answered.status === 'rejected') throw answered.reason
    if (sent.status === 'rejected') throw sent.reason
  }

  /** Where the next cannot be had, what was sent is answered all the same. */
  async #send(requests: AsyncIterable<AnyRequest>): Promise<void> {
    const { stream, encode, maxRequestBytes } = this.#on
    try {
      for await (const request of requests) {
        const bytes = encode(request)
        while (!this.#hasFailed && !this.#hasRoom(bytes.byteLength)) await this.#change()
        if (this.#hasFailed) return
        if (this.#unanswered.length === 0) this.#deadline.arm(this.#timeoutMs)
        this.#unanswered.push({ request, bytes: bytes.byteLength })
        this.#wake()
        await writeMessages(stream, [bytes], maxRequestBytes, this.#deadline.signal).catch(this.#failed)
      }
    } finally {
      this.#isAllSent = true
      this.#wake()
    }
  }

  async #answers(onReply: (reply: AnyReply, request: AnyRequest) => void): Promise<void> {
    const { stream, messages, decode, done } = this.#on
    try {
      for (;;) {
        while (this.#unanswered.length === 0 && !this.#isAllSent) await this.#change()
        const [first] = this.#unanswered
        if (first === undefined) return
        const received = await messages.read(this.#deadline.signal).catch(this.#failed)
        const reply = decode(first.request.protocol, received)
        done(received.byteLength)
        this.#unanswered.shift()
        if (this.#unanswered.length === 0) this.#deadline.clear()
        else this.#deadline.arm(this.#timeoutMs)
        this.#wake()
        onReply(reply, first.request)
      }
    } catch (error) {
      this.#hasFailed = true
      this.#wake()
      // what is being written is not waited for
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  /**
   * Behind the one that the other side is at, no more than the longest request: it holds two of those that it has not read yet,
   * and on a slow link the one ahead waits for none that is behind it.
   */
  #hasRoom(bytes: number): boolean {
    const [, ...waiting] = this.#unanswered
    if (this.#unanswered.length >= MOST_UNANSWERED) return false
    if (this.#unanswered.length === 0) return true
    return waiting.reduce((sum, one) => sum + one.bytes, bytes) <= this.#on.maxRequestBytes
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

/**
 * Calls `onReply` for each, in order; each request has one reply. What it throws ends the stream, as does a reply that is late:
 * `timeoutMs` from when it is the first in line.
 * @param requests the next is taken once there is room for it, or for the one before it
 * @throws MeshError; what the requests or `onReply` throw, as it is
 */
export const exchangeInOrder = (
  on: Exchange,
  requests: AsyncIterable<AnyRequest>,
  timeoutMs: number,
  onReply: (reply: AnyReply, request: AnyRequest) => void,
): Promise<void> => new InOrder(on, timeoutMs).run(requests, onReply)
