/**
 * Gossip that is read no faster than it is worked off. libp2p's iterator over a stream takes whatever comes, tells the
 * sender at once to go on, and keeps it all in a list without an end; gossipsub then handles every RPC of what came
 * in one turn of the event loop. So it gets, instead of the stream, its RPCs one by one: the next is read when the
 * one before is through and the peer's allowance and this turn have room for it. What a peer sends beyond that fills
 * the window of its stream, and then waits on its own side.
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { Unframer } from './unframing.ts'

type Data = StreamMessageEvent['data']

/** What the streams of one connection share. */
export interface Reading {
  /** Resolves when the next RPC may be worked off, with false where the connection has closed before: it is nobody's word. */
  turn(): Promise<boolean>
  /**
   * Resolves when no other gossip of the connection is in work any more: gossipsub closes a stream that another one replaces,
   * and goes on with what it has of it. @returns to be called once this one is through
   */
  begin(): Promise<() => void>
  /** Begins to count what comes. @returns to be called with the length of each RPC that is handed on */
  watch(): (bytes: number) => void
  /** So much more, or less, is in work: for as long as that takes, whether or not the stream has ended. */
  working(bytes: number): void
}

/** As gossipsub's own bound: a lower one would cut links to honest peers that bundle messages. */
export const MAX_RPC_BYTES = 4 * 1024 * 1024

/** What gossipsub 17 uses of an inbound stream. Without `addEventListener`, so that its `pipe` takes the iterator. */
type Readable = Pick<Stream, 'id' | 'protocol' | 'close' | 'abort'> & AsyncIterable<Data>

/** Nobody listens to the stream before it is read: whoever did would be given what waits, in place of its reader. */
export function pulled(stream: Stream, reading: Reading): Stream {
  const source = new Source(stream, reading)
  const readable: Readable = {
    id: stream.id,
    protocol: stream.protocol,
    // closes the writing half only; whoever is closed here is not to be heard any more either
    close: async (options) => {
      source.stop()
      await stream.close(options)
    },
    abort: (error) => stream.abort(error),
    [Symbol.asyncIterator]: () => rpcs(source, reading),
  }
  return readable as unknown as Stream
}

/** Each with its length before it, as gossipsub wants to decode it. */
async function* rpcs(source: Source, { begin, turn, working }: Reading): AsyncGenerator<Data> {
  const unframer = new Unframer('gossip', MAX_RPC_BYTES)
  const through = await begin()
  try {
    for await (const data of source.read()) {
      for (const rpc of unframer.take(data)) {
        const isHere = await turn()
        if (source.isStopped) return
        if (!isHere) continue
        source.done(rpc.byteLength)
        working(rpc.byteLength)
        try {
          // goes on when this one is worked off
          yield encode.single(rpc)
        } finally {
          working(-rpc.byteLength)
        }
      }
    }
  } finally {
    through()
  }
}

/** Pauses the stream while something of it is not worked off: at most two windows of it are held here. */
class Source {
  readonly #stream: Stream
  readonly #held: Data[] = []
  #stopped = false
  #ended = false
  #error: Error | undefined
  #resuming = false
  #wake: () => void = () => {}
  readonly #reading: Reading
  done: (bytes: number) => void = () => {}

  constructor(stream: Stream, reading: Reading) {
    this.#stream = stream
    this.#reading = reading
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** Drops what is held; what still comes stays in the window of the stream. */
  stop(): void {
    this.#stopped = true
    this.#held.length = 0
    this.done(Number.POSITIVE_INFINITY)
    this.#pause()
    this.#finish()
  }

  async *read(): AsyncGenerator<Data> {
    const stream = this.#stream
    if (this.#stopped) return
    // while it waited to be read
    if (stream.status === 'reset' || stream.status === 'aborted') throw new Error('reset before it was read')
    stream.addEventListener('message', this.#onMessage)
    stream.addEventListener('remoteCloseWrite', this.#onRemoteClose)
    stream.addEventListener('close', this.#onClose)
    this.done = this.#reading.watch()
    try {
      for (;;) {
        if (this.#held.length === 0 && !this.#stopped) this.#resume()
        const next = this.#held.shift()
        if (next !== undefined) yield next
        // gossipsub forgets the peer then, and must not where another stream is in place of this one
        else if (this.#error !== undefined && !this.#stopped) throw this.#error
        else if (this.#ended) return
        else await new Promise<void>((resolve) => this.#waitFor(resolve))
      }
    } finally {
      stream.removeEventListener('message', this.#onMessage)
      stream.removeEventListener('remoteCloseWrite', this.#onRemoteClose)
      stream.removeEventListener('close', this.#onClose)
    }
  }

  #waitFor(resolve: () => void): void {
    this.#wake = resolve
  }

  readonly #onMessage = ({ data }: StreamMessageEvent): void => {
    if (this.#stopped) return
    this.#held.push(data)
    this.#pause()
    this.#wake()
  }

  readonly #onRemoteClose = (): void => this.#finish()

  readonly #onClose = ({ error }: StreamCloseEvent): void => {
    // a reset: what is left of it is nobody's word any more
    if (error !== undefined) this.#held.length = 0
    this.#error = error
    this.#finish()
  }

  #finish(): void {
    this.#ended = true
    this.#wake()
  }

  /** Not from within `resume`: yamux would then send window updates for a stream that counts as paused. */
  #pause(): void {
    if (!this.#resuming && this.#stream.readStatus === 'readable') this.#stream.pause()
  }

  #resume(): void {
    if (this.#stream.readStatus !== 'paused') return
    this.#resuming = true
    this.#stream.resume()
    this.#resuming = false
    if (this.#held.length > 0) this.#pause()
  }
}
