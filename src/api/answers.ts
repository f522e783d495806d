import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Context } from 'hono'
import type { StreamingApi } from 'hono/utils/stream'
import type { Limits } from '../limits.ts'
import { problem } from './problem.ts'

/** Of a stream of blocks: one read, one on its way to the socket, one in it. */
const BLOCKS_UNDER_WAY = 3
/** So much each connection may have on its way to it, and of a long event it has no more. */
const PIECE_BYTES = 64 * 1024
const LOOK_AGAIN_MS = 1_000

/**
 * What readers have not taken yet, of all connections together. Whoever asks for long answers and reads none of them
 * would fill the memory: beyond the bound a further one is refused before it is made, so one at most passes it.
 */
export class Answers {
  readonly #maxBytes: number
  readonly #streamBytes: number
  #bytes = 0
  #freed = Promise.withResolvers<void>()
  /** A response that waits behind others on its connection is not always told that this is gone. */
  readonly #bySocket = new WeakMap<Socket, Set<() => void>>()

  constructor({ maxHttpAnswerBytes, maxBlockBytes }: Limits) {
    this.#maxBytes = maxHttpAnswerBytes
    this.#streamBytes = BLOCKS_UNDER_WAY * maxBlockBytes
  }

  json(c: Context, value: () => unknown, status = 200): Response {
    const make = () => JSON.stringify(value())
    return this.#refusal(c) ?? this.#body(c, make(), 'application/json', status)
  }

  text(c: Context, text: string, type: string): Response {
    return this.#refusal(c, text.length) ?? this.#body(c, text, type, 200)
  }

  /** A stream of so many bytes begins: what it holds at once is counted until it ends. */
  stream(c: Context, bytes: number): Response | undefined {
    const refusal = this.#refusal(c, bytes)
    if (refusal === undefined) this.#until(c, Math.min(bytes, this.#streamBytes))
    return refusal
  }

  /** Made once there is room for it, and written as it is taken: only its last pieces are left to the socket. */
  async event(stream: StreamingApi, make: () => string): Promise<void> {
    // It is looked again all the same, for the reader may be gone meanwhile.
    while (this.#isFull && !stream.aborted)
      await Promise.race([this.#freed.promise, stream.sleep(LOOK_AGAIN_MS)])
    if (stream.aborted) return
    const bytes = Buffer.from(make())
    const free = this.#hold(bytes.length)
    try {
      for (let at = 0; at < bytes.length && !stream.aborted; at += PIECE_BYTES)
        await stream.write(bytes.subarray(at, at + PIECE_BYTES))
    } finally {
      free()
    }
  }

  /**
   * Where there is no room. A short answer passes if its connection has no other under way: so much is allowed to each,
   * and what applications read most is short.
   */
  #refusal(c: Context, bytes = Number.POSITIVE_INFINITY): Response | undefined {
    const socket = outgoingOf(c)?.req.socket
    const isAlone = socket === undefined || (this.#bySocket.get(socket)?.size ?? 0) === 0
    if (!this.#isFull || (isAlone && bytes <= PIECE_BYTES)) return undefined
    const text = 'other readers have not taken their answers yet; try again later'
    return problem('API_BUSY', text, { 'retry-after': '5' })
  }

  get #isFull(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  #body(c: Context, text: string, type: string, status: number): Response {
    // As bytes, the socket takes them as they are; of a string it would make a second copy.
    const body = Buffer.from(text)
    this.#until(c, body.length)
    return new Response(body, { status, headers: { 'content-type': type } })
  }

  /** Held until the response is through, or its connection gone. */
  #until(c: Context, bytes: number): void {
    const outgoing = outgoingOf(c)
    if (outgoing === undefined) return
    const { socket } = outgoing.req
    if (outgoing.closed || socket.destroyed) return
    const free = this.#hold(bytes)
    const ofSocket = this.#bySocket.get(socket) ?? this.#follow(socket)
    ofSocket.add(free)
    outgoing.once('close', () => {
      ofSocket.delete(free)
      free()
    })
  }

  #follow(socket: Socket): Set<() => void> {
    const held = new Set<() => void>()
    this.#bySocket.set(socket, held)
    socket.once('close', () => {
      for (const free of held) free()
    })
    return held
  }

  #hold(bytes: number): () => void {
    this.#bytes += bytes
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#bytes -= bytes
      this.#freed.resolve()
      this.#freed = Promise.withResolvers()
    }
  }
}

/** None where the app is asked without a socket. */
const outgoingOf = (c: Context): ServerResponse | undefined =>
  (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing
