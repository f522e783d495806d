/** Frames of yamux by hand (hashicorp/yamux, spec.md), for those whom no stream of libp2p would send. */
const DATA = 0
const WINDOW_UPDATE = 1
const PING = 2
const SYN = 1
const RST = 8

/** A header; for data, so many bytes follow. */
function yamuxFrame(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt32BE(stream, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
}

/** Streams of who dials have odd numbers; those below 1,000 may be in use. */
const streamOf = (at: number): number => 1_001 + 2 * at

export const opened = (at: number): Buffer => yamuxFrame(WINDOW_UPDATE, SYN, streamOf(at), 0)
export const openedAndReset = (at: number): Buffer => yamuxFrame(WINDOW_UPDATE, SYN | RST, streamOf(at), 0)
export const reset = (at: number): Buffer => yamuxFrame(WINDOW_UPDATE, RST, streamOf(at), 0)
/** @param more bytes that the other side may send */
export const updated = (at: number, more = 0): Buffer => yamuxFrame(WINDOW_UPDATE, 0, streamOf(at), more)
export const sent = (at: number, bytes: Uint8Array): Buffer => sentOn(streamOf(at), bytes)
export const sentOn = (stream: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([yamuxFrame(DATA, 0, stream, bytes.length), bytes])
export const pinged = (): Buffer => yamuxFrame(PING, SYN, 0, 7)
export const many = (count: number, frame: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => frame(at)))
