/**
 * Messages on a stream: each with its length before it (unsigned varint, as everywhere in libp2p). Reading goes
 * through `MessageReader`, which looks at the state of the stream and takes a signal; raw async iterators over a libp2p
 * stream hang for ever once the peer has half-closed it.
 */
import type { Stream, StreamCloseEvent } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { pEvent } from 'p-event'
import { Uint8ArrayList } from 'uint8arraylist'
import { isMeshError, MeshError } from '../errors.ts'

/** What is longer is not copied to make one piece of it. */
const LONG_BYTES = 16 * 1024

/** A message, in one piece or in several that follow one another. */
export type Message = Uint8Array | readonly Uint8Array[]

/** One write of a whole run of messages. @throws InvalidDataLengthError where one is longer than `maxBytes` */
export function frame(messages: readonly Message[], maxBytes: number): Uint8Array | Uint8ArrayList {
  const run = pipe(
    messages,
    (source) =>
      source.map((message) => (message instanceof Uint8Array ? message : new Uint8ArrayList(...message))),
    (source) => encode(source, { maxDataLength: maxBytes }),
    (parts) => new Uint8ArrayList(...parts),
  )
  return run.byteLength < LONG_BYTES ? run.subarray() : run
}

/**
 * Resolves once the stream has passed all of it on, and takes more. Each wait is a listener of its own: the stream's
 * `onDrain` is one promise for its whole life, so that it bounds nothing after the first time.
 *
 * `drain` alone tells little: yamux says so for a window with room for one more byte, and whoever asked for the next answer
 * then, and read none, would have them all held here. Where nothing is left on the stream it is the connection that took more.
 *
 * @throws what ended the stream, as an Error
 */
export async function writeMessages(
  stream: Stream,
  messages: readonly Message[],
  maxBytes: number,
  signal: AbortSignal,
): Promise<void> {
  if (stream.send(frame(messages, maxBytes))) return
  // what is too long for its buffer has ended it
  if (stream.status !== 'open') throw new Error(`the stream is ${stream.status}`)
  const filter = () => takesMore(stream)
  try {
    await pEvent(stream as unknown as EventTarget, 'drain', { signal, rejectionEvents: ['close'], filter })
  } catch (error) {
    if (error instanceof Error) throw error
    throw (error as StreamCloseEvent).error ?? new Error('the stream has ended')
  }
}

/**
 * The stream itself hears of `drain` first, and goes on sending in a microtask. It is looked at directly behind that: the
 * next microtasks are those of the connection's other streams, which may fill it again before any promise has resolved.
 */
function takesMore(stream: Stream): Promise<boolean> {
  const wasPassedOn = stream.writeBufferLength === 0
  return new Promise((resolve) =>
    queueMicrotask(() =>
      resolve(wasPassedOn || (stream.writeBufferLength === 0 && !stream.writableNeedsDrain)),
    ),
  )
}

/** What ended a stream or a dial, as one of our codes. */
export function streamError(error: unknown, text: string): MeshError {
  if (isMeshError(error)) return error
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const because = { cause: error }
  if (name === 'TimeoutError' || name === 'AbortError')
    return new MeshError('NET_TIMEOUT', `${text}: no answer in time`, {}, because)
  if (name === 'InvalidDataLengthError')
    return new MeshError('LIMIT_BYTES', `${text}: message too long`, {}, because)
  if (name === 'StreamBufferError') return new MeshError('LIMIT_BYTES', `${text}: ${message}`, {}, because)
  if (name.startsWith('TooMany')) return new MeshError('LIMIT_STREAMS', `${text}: ${message}`, {}, because)
  if (name === 'UnsupportedProtocolError')
    return new MeshError('NET_PROTOCOL', `${text}: the peer does not speak this protocol`, {}, because)
  return new MeshError('NET_UNREACHABLE', `${text}: ${message}`, {}, because)
}

/** The peer's fault, so that it counts against it: the rest may be the network's, or a newer build's. */
export const isMisconduct = ({ code }: MeshError): boolean =>
  code === 'LIMIT_BYTES' || code === 'LIMIT_TIMEOUT' || code === 'CODEC_MALFORMED'
