/**
 * What one connection may bring in frames of yamux, whoever is behind it. A frame of twelve bytes costs as much to work off
 * as one of many thousand, and bytes that come one by one become lists of so many parts that to shorten such a list
 * blocks the event loop. Whoever goes beyond ends the connection.
 */
import { MeshError } from '../errors.ts'
import { Bucket } from './pace.ts'

/** What carries less counts as short: answers, notices, pings, updates of a window. */
export const SHORT_BYTES = 256
/** The most an honest peer sends are 800 RPCs, 500 requests and as many answers; and some seconds of it at once after a stall. */
export const SHORT_PER_SECOND = 2_000
export const SHORT_BURST = 8_192
/** An honest peer has 26 streams, and opens one anew when it broke. To begin one costs 40 µs: the burst takes 20 ms. */
export const STREAMS_PER_SECOND = 100
export const STREAMS_BURST = 512
/**
 * Two names of a protocol go before it is agreed on, five at most; each is answered, at the cost of a frame of our own.
 * A ping has 32 bytes and a stream of its own; what comes beyond, libp2p's echo holds until its sender takes it.
 */
export const MAX_SMALL_TALK_BYTES = 512
const PING_ID = '/ipfs/ping/1.0.0'
/** Whoever pings waits for the answer before the next one: half a minute each. More come from one who does not read. */
export const MAX_PONGS_UNSENT = 8

const DATA = 0
const PING = 2
/** Of a ping: it is to be answered. */
const SYN = 1

interface Frame {
  readonly header: { readonly type: number; readonly flag: number; readonly length: number }
}
/** What carries the muxer: until it has drained, what is sent piles up in memory. */
interface Carrier {
  readonly writableNeedsDrain: boolean
  /** Once what waited is on its way. */
  addEventListener(type: 'drain', listener: () => void): void
}
interface FramedStream {
  readonly direction: 'inbound' | 'outbound'
  /** Empty until it is agreed on. */
  readonly protocol: string
  handleData(frame: Frame): void
}

/** What we use of yamux 8.0.3 beyond its exported types, as in muxer.ts. What is thrown in these ends the connection. */
export interface Framed {
  _newStream(...args: readonly unknown[]): FramedStream
  handleFrame(frame: Frame): void
  /** For each frame that opens a stream, whether there is room for one or not. */
  incomingStream(id: number): void
}

export function boundFrames(muxer: Framed, carrier: Carrier): void {
  const short = new Bucket(SHORT_PER_SECOND, SHORT_BURST)
  const ping = pongs(carrier)
  const handle = muxer.handleFrame.bind(muxer)
  muxer.handleFrame = (frame) => {
    const { type, flag, length } = frame.header
    if ((type !== DATA || length < SHORT_BYTES) && short.take() < 0)
      throw new MeshError(
        'LIMIT_RATE',
        `more than ${SHORT_PER_SECOND} frames a second with next to nothing in them`,
      )
    if (type === PING && flag === SYN) ping()
    handle(frame)
  }
  const begun = new Bucket(STREAMS_PER_SECOND, STREAMS_BURST)
  const incoming = muxer.incomingStream.bind(muxer)
  muxer.incomingStream = (id) => {
    if (begun.take() < 0)
      throw new MeshError('LIMIT_STREAMS', `more than ${STREAMS_PER_SECOND} streams a second opened`)
    incoming(id)
  }
  const create = muxer._newStream.bind(muxer)
  muxer._newStream = (...args) => {
    const stream = create(...args)
    if (stream.direction === 'inbound') boundSmallTalk(stream)
    return stream
  }
}

/** To be called before each ping is answered. */
function pongs(carrier: Carrier): () => void {
  let unsent = 0
  // Whoever takes what is sent to it causes these, however much waits behind: a busy link is nearly always full.
  carrier.addEventListener('drain', () => {
    unsent = 0
  })
  return () => {
    unsent = carrier.writableNeedsDrain ? unsent + 1 : 0
    if (unsent > MAX_PONGS_UNSENT)
      throw new MeshError('LIMIT_RATE', `more than ${MAX_PONGS_UNSENT} pings whose answers are not taken`)
  }
}

/** Who opens a stream sends nothing on it before its protocol is agreed on, and one ping. */
function boundSmallTalk(stream: FramedStream): void {
  const handle = stream.handleData.bind(stream)
  let left = MAX_SMALL_TALK_BYTES
  stream.handleData = (frame) => {
    if (stream.protocol === '' || stream.protocol === PING_ID) {
      left -= frame.header.length
      if (left < 0)
        throw new MeshError(
          'LIMIT_BYTES',
          `more than ${MAX_SMALL_TALK_BYTES} bytes of proposals or pings on one stream`,
        )
    }
    handle(frame)
  }
}
