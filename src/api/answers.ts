import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import type { Context } from 'hono'
import type { StreamingApi } from 'hono/utils/stream'
import type { Limits } from '../limits.ts'
import type { Listing, ReleaseChange } from './node-view.ts'
import { problem } from './problem.ts'

/** Of a stream of blocks: one read, one on its way to the socket, one in it. */
const BLOCKS_UNDER_WAY = 3
/** So much each connection may have on its way to it, and of a long answer it has no more: what it takes is seen by these. */
const PIECE_BYTES = 64 * 1024
/** Files of a listing, or paths, that become text before I/O and timers come again: some 4 ms. */
const SLICE = 4_096

/** Paths that changed, as readers are told of them. */
interface Paths {
  /** Undefined where there was no room for them. */
  readonly parts: Promise<readonly Buffer[] | undefined>
  readers: number
  free: () => void
}

/**
 * What readers have not taken yet, of all connections together. Whoever asks for long answers and reads none of them
 * would fill the memory: beyond the bound a further one is refused before it is made, so one at most passes it.
 */
export class Answers {
  readonly #maxBytes: number
  readonly #streamBytes: number
  readonly #lateMs: number
  readonly #maxSlices: number
  #isLateSaid = false
  #bytes = 0
  readonly #forRoom = new Set<() => void>()
  #slicesInLine = 0
  #lastListing: Promise<unknown> = Promise.resolve()
  readonly #paths = new Map<readonly string[], Paths>()
  #lastPaths: Promise<unknown> = Promise.resolve()

  constructor(limits: Limits) {
    this.#lateMs = limits.httpRequestTimeoutMs
    this.#maxSlices = limits.maxHttpListingSlices
    this.#maxBytes = limits.maxHttpAnswerBytes
    this.#streamBytes = BLOCKS_UNDER_WAY * limits.maxBlockBytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  /** Whether to say that an event has waited since then: once for all who wait, until there is room again. */
  isLate(sinceMs: number): boolean {
    if (this.#isLateSaid || performance.now() - sinceMs < this.#lateMs) return false
    this.#isLateSaid = true
    return true
  }

  /** Tells each time that something was taken; returns how to leave. */
  onTaken(listener: () => void): () => void {
    this.#forRoom.add(listener)
    return () => void this.#forRoom.delete(listener)
  }

  json(c: Context, value: () => unknown, status = 200): Response {
    const make = () => JSON.stringify(value())
    return this.#refusal() ?? this.#body(c, make(), JSON_TYPE, status)
  }

  /** As `json`, in slices: of the most files it is 27 MB and more. One after another, so that there is room for each when it begins. */
  async listing(c: Context, listing: Listing): Promise<Response> {
    if (this.#slicesInLine >= this.#maxSlices)
      return problem('API_BUSY', 'too many listings are to be made before this one; try again later')
    // A short one has its place in line, too.
    const slices = Math.max(1, Math.ceil(listing.files.length / SLICE))
    this.#slicesInLine += slices
    const made = async (): Promise<Response> => {
      const outgoing = outgoingOf(c)
      // Whoever hangs up has its connection back at once, and may ask again: the line would never end.
      if (outgoing !== undefined && isGone(outgoing)) return new Response(null)
      return this.#refusal() ?? this.#parts(c, await partsOf(listing), JSON_TYPE, 200)
    }
    const answer = this.#lastListing.then(made).finally(() => {
      this.#slicesInLine -= slices
    })
    // Told to whoever asked; the next one begins all the same.
    this.#lastListing = answer.then(passed, passed)
    return answer
  }

  text(c: Context, text: string, type: string): Response {
    return this.#refusal(text.length) ?? this.#body(c, text, type, 200)
  }

  /** A stream of so many bytes begins: what it holds at once is counted until it ends. */
  stream(c: Context, bytes: number): Response | undefined {
    const refusal = this.#refusal(bytes)
    if (refusal === undefined) this.#until(c, Math.min(bytes, this.#streamBytes))
    return refusal
  }

  /**
   * Written as it is taken: only its last pieces are left to the socket. The paths are made, and held, once for all who are
   * told of the same ones, for as long as one of them takes them. @returns whether there was room for it
   */
  async event(stream: StreamingApi, { release, clock, changed }: ReleaseChange): Promise<boolean> {
    const paths = this.#paths.get(changed) ?? this.#made(changed)
    paths.readers += 1
    try {
      const parts = await paths.parts
      if (parts === undefined) return false
      const facts = JSON.stringify({ release, clock }).slice(0, -1)
      const head = Buffer.from(`event: release\ndata: ${facts},"changed":[`)
      const all = [head, ...parts, Buffer.from(`]}\nid: ${release}\n\n`)]
      // A short one goes as one piece; joined, a longer one would be held once for each reader.
      for (const piece of piecesOf(lengthOf(all) > PIECE_BYTES ? all : [Buffer.concat(all)])) {
        if (stream.aborted) break
        await stream.write(piece)
      }
      return true
    } finally {
      paths.readers -= 1
      if (paths.readers === 0) {
        this.#paths.delete(changed)
        paths.free()
      }
    }
  }

  /** One after another, as listings. */
  #made(changed: readonly string[]): Paths {
    const parts = this.#lastPaths.then(async () => {
      if (this.isFull) return undefined
      const made = await slicesOf(changed)
      paths.free = this.#hold(lengthOf(made))
      return made
    })
    // Of the turn alone: what was made is not held beyond its readers.
    this.#lastPaths = parts.then(passed, passed)
    const paths: Paths = { parts, readers: 0, free: () => {} }
    this.#paths.set(changed, paths)
    return paths
  }

  /**
   * Where there is no room. A short answer passes all the same: so much is allowed to each connection, which has one
   * under way at a time, and what applications read most is short.
   */
  #refusal(bytes = Number.POSITIVE_INFINITY): Response | undefined {
    if (!this.isFull || bytes <= PIECE_BYTES) return undefined
    return problem('API_BUSY', 'other readers have not taken their answers yet; try again later')
  }

  #parts(c: Context, parts: readonly Buffer[], type: string, status: number): Response {
    const bytes = lengthOf(parts)
    this.#until(c, bytes)
    const headers = { 'content-type': type, 'content-length': `${bytes}` }
    // As one body they would be copied twice and written in one turn.
    const left = piecesOf(parts)
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const { value } = left.next()
          if (value === undefined) controller.close()
          else controller.enqueue(value)
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { status, headers })
  }

  #body(c: Context, text: string, type: string, status: number): Response {
    // As bytes, the socket takes them as they are; of a string it would make a second copy.
    const body = Buffer.from(text)
    if (body.length > PIECE_BYTES) return this.#parts(c, [body], type, status)
    this.#until(c, body.length)
    return new Response(body, { status, headers: { 'content-type': type } })
  }

  /** Held until the response is through, or its connection gone. */
  #until(c: Context, bytes: number): void {
    const outgoing = outgoingOf(c)
    if (outgoing === undefined || isGone(outgoing)) return
    outgoing.once('close', this.#hold(bytes))
  }

  #hold(bytes: number): () => void {
    this.#bytes += bytes
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#bytes -= bytes
      if (!this.isFull) this.#isLateSaid = false
      for (const tell of this.#forRoom) tell()
    }
  }
}

/** None where the app is asked without a socket. */
export const outgoingOf = (c: Context): ServerResponse | undefined =>
  (c.env as { outgoing?: ServerResponse } | undefined)?.outgoing

const isGone = ({ closed, req }: ServerResponse): boolean => closed || req.socket.destroyed

const JSON_TYPE = 'application/json'

const passed = (): undefined => undefined

const lengthOf = (parts: readonly Buffer[]): number => parts.reduce((sum, { length }) => sum + length, 0)

function* piecesOf(parts: readonly Buffer[]): Generator<Buffer> {
  for (const bytes of parts)
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
}

async function partsOf({ release, files }: Listing): Promise<readonly Buffer[]> {
  const head = Buffer.from(`{"release":${JSON.stringify(release)},"files":[`)
  return [head, ...(await slicesOf(files)), Buffer.from(']}')]
}

/** What stands between the brackets of a list. */
async function slicesOf(values: readonly unknown[]): Promise<readonly Buffer[]> {
  const parts: Buffer[] = []
  for (let at = 0; at < values.length; at += SLICE) {
    if (at > 0) await setImmediate()
    const list = JSON.stringify(values.slice(at, at + SLICE))
    parts.push(Buffer.from(`${at > 0 ? ',' : ''}${list.slice(1, -1)}`))
  }
  return parts
}
