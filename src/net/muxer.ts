/**
 * Streams on a connection: yamux, its windows bounded, its window updates sent when they matter, what others open taken
 * up no faster than it should be.
 */
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Limits } from '../limits.ts'
import { boundBegun, type Decoding } from './muxer-begun.ts'
import { boundFrames, type Framed } from './muxer-frames.ts'
import type { Closable } from './pace.ts'
import { protocolRules } from './protocols.ts'
import type { Unread } from './unread.ts'

const KIB = 1024
export const MAX_STREAMS = 64
export const MAX_WINDOW_BYTES = 512 * KIB
/** What came before a stream was paused, or of which nobody took notice, and one window after that; beyond, it is reset. */
export const MAX_STREAM_UNREAD_BYTES = 2 * MAX_WINDOW_BYTES
/**
 * What is written on a stream and waits for its window: nothing more is written before it has left, and the longest, a run of
 * sync, has 1 MiB and a fifteenth. Beyond, the stream is reset. Gossip waits for nobody: the watchdog looks at its streams.
 */
export const MAX_STREAM_UNSENT_BYTES = 2 * 1024 * KIB
/** Where limits allow for longer ones: half as much again as the longest, since each message has its length before it. */
const UNSENT_FOR_LONGEST = 1.5
/**
 * What waits to be sent because the other side takes nothing: each stream stops after at most one window (`holdBehind`), frames
 * of yamux itself never. Beyond, the connection ends.
 */
export const MAX_UNSENT_BYTES = MAX_STREAMS * MAX_WINDOW_BYTES

/**
 * What we use of yamux 8.0.3 beyond its exported types. No contract of theirs, hence the exact version in
 * package.json; `test/integration/net/muxer.test.ts` notices where it does not hold any longer.
 */
interface Windowed extends Pick<Stream, 'status' | 'readBufferLength' | 'addEventListener'> {
  readonly state: number
  /** Bytes the other side may have on their way to us, and how many of these it has not used yet. */
  readonly recvWindow: number
  readonly recvWindowCapacity: number
  sendWindowUpdate(): void
  /** Hands out what has come, if somebody listens and it is not paused; after each frame, too. */
  dispatchReadBuffer(): void
  /** `drain` has it send what is left on it. */
  safeDispatchEvent(type: string, event?: object): boolean
  /** As much as its window and the connection have room for. */
  sendData(data: Uint8ArrayList): object
  /** So much of what is left goes in one frame; set at each update of the window, and not by what is sent meanwhile. */
  maxMessageSize?: number
}
interface Muxer {
  /** In the order in which they hear that the connection has drained. */
  readonly streams: object[]
  _newStream(...args: readonly unknown[]): Windowed
  /** Tells libp2p of each stream that the other side opened. */
  safeDispatchEvent(type: string, event: { readonly detail: Stream }): boolean
}

/** By so much yamux has frames shorter than the window: their header, which counts in none. */
const HEADER_BYTES = 12
/** States in which an update carries the flag that opens or acknowledges the stream. */
const INIT = 0
const SYN_RECEIVED = 2

/**
 * For every kind of host. A window of 512 KiB keeps gossip quick beside a bulk stream.
 * @param limits of what is written on its streams
 * @param turn resolves when the next stream that the other side of this connection opened may be taken up
 */
export function boundedYamux(
  unread: Unread,
  limits: Limits,
  turn?: (connection: Closable) => Promise<void>,
): ReturnType<typeof yamux> {
  const factoryOf = yamux({
    maxInboundStreams: MAX_STREAMS,
    maxOutboundStreams: MAX_STREAMS,
    streamOptions: {
      maxStreamWindowSize: MAX_WINDOW_BYTES,
      maxReadBufferLength: MAX_STREAM_UNREAD_BYTES,
      maxWriteBufferLength: streamUnsentBytes(limits),
    },
  })
  return (...components) => {
    const factory = factoryOf(...components)
    const create = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => {
      const muxer = create(connection)
      const held = (bytes: number) => unread.change(connection, bytes)
      boundBegun(muxer as unknown as Decoding, connection, MAX_WINDOW_BYTES, held)
      boundFrames(muxer as unknown as Framed, connection)
      connection.maxWriteBufferLength = MAX_UNSENT_BYTES
      holdBehind(muxer as unknown as Muxer, connection)
      updateSparingly(muxer as unknown as Muxer, held)
      if (turn !== undefined) takeInTurn(muxer as unknown as Muxer, () => turn(connection))
      return muxer
    }
    return factory
  }
}

function streamUnsentBytes(limits: Limits): number {
  const longest = Object.values(protocolRules(limits)).map((rules) =>
    Math.max(rules.maxRunBytes, rules.maxReplyBytes, rules.maxRequestBytes),
  )
  return Math.max(MAX_STREAM_UNSENT_BYTES, Math.ceil(UNSENT_FOR_LONGEST * Math.max(...longest)))
}

/**
 * What is left on a stream stays there while the connection is full, whatever its window has room for: once on the connection
 * a reset does not take it back, and whoever takes nothing could have more put there with each stream. When the connection has
 * drained each of its streams hears of it, and the first that has anything left fills it again: it is the last then, or those
 * that were opened late would send nothing for as long as the others have more.
 */
function holdBehind(muxer: Muxer, connection: { readonly writableNeedsDrain: boolean }): void {
  const create = muxer._newStream.bind(muxer)
  muxer._newStream = (...args) => {
    const stream = create(...args)
    const dispatch = stream.safeDispatchEvent.bind(stream)
    stream.safeDispatchEvent = (type, event) =>
      (type !== 'drain' || !connection.writableNeedsDrain) && dispatch(type, event)
    const send = stream.sendData.bind(stream)
    stream.sendData = (data) => {
      const sent = send(data)
      if (connection.writableNeedsDrain) toEnd(muxer.streams, stream)
      return sent
    }
    fillWindow(stream)
    return stream
  }
}

function toEnd(streams: object[], stream: object): void {
  const at = streams.indexOf(stream)
  if (at >= 0) streams.push(...streams.splice(at, 1))
}

/**
 * What a window has room for goes in one frame. yamux leaves room for the header: of a window that opened by thirteen bytes
 * thirteen frames were made, of a byte each, for an update of twelve.
 */
function fillWindow(stream: Windowed): void {
  let mostBytes = (stream.maxMessageSize ?? 0) + HEADER_BYTES
  Object.defineProperty(stream, 'maxMessageSize', {
    get: () => mostBytes,
    set: (bytes: number) => {
      mostBytes = bytes + HEADER_BYTES
    },
  })
}

/**
 * yamux answers each frame, however small, with a window update: a frame, an encryption and a write of its own.
 * Nobody needs one before half the window is used (hashicorp/yamux, `sendWindowUpdate` of stream.go). And none is due
 * while what came lies unread: yamux would let four mebibytes come on a stream that nobody has taken up yet.
 * @param held told how much more, or less, lies unread
 */
function updateSparingly(muxer: Muxer, held: (bytes: number) => void): void {
  const create = muxer._newStream.bind(muxer)
  muxer._newStream = (...args) => {
    const stream = create(...args)
    const update = stream.sendWindowUpdate.bind(stream)
    stream.sendWindowUpdate = () => {
      const opens = stream.state === INIT || stream.state === SYN_RECEIVED
      const isDue = stream.readBufferLength === 0 && stream.recvWindowCapacity <= stream.recvWindow / 2
      if (opens || isDue) update()
    }
    countUnread(stream, held)
    return stream
  }
}

function countUnread(stream: Windowed, held: (bytes: number) => void): void {
  let counted = 0
  const count = () => {
    const bytes = stream.status === 'open' ? stream.readBufferLength : 0
    held(bytes - counted)
    counted = bytes
  }
  const dispatch = stream.dispatchReadBuffer.bind(stream)
  stream.dispatchReadBuffer = () => {
    dispatch()
    count()
    // the update that was held back
    if (stream.status === 'open') stream.sendWindowUpdate()
  }
  stream.addEventListener('close', count)
}

/**
 * libp2p negotiates the protocol of every stream that came in one read within the same turn of the event loop, of dozens
 * for some tens of milliseconds. What is sent on a stream that waits stays in its window; one that ends leaves the line,
 * so that nothing is left of those that are opened and reset in one breath.
 */
function takeInTurn(muxer: Muxer, turn: () => Promise<void>): void {
  const dispatch = muxer.safeDispatchEvent.bind(muxer)
  const waiting = new Set<Stream>()
  let taking = false
  const takeAll = async () => {
    taking = true
    while (waiting.size > 0) {
      await turn()
      const [next] = waiting
      if (next === undefined) break
      waiting.delete(next)
      dispatch('stream', { detail: next })
    }
    taking = false
  }
  muxer.safeDispatchEvent = (type, event) => {
    if (type !== 'stream') return dispatch(type, event)
    const stream = event.detail
    waiting.add(stream)
    stream.addEventListener('close', () => waiting.delete(stream), { once: true })
    if (!taking) void takeAll()
    return true
  }
}
