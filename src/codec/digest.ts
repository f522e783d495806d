import { hash } from 'node:crypto'
import { MeshError } from '../errors.ts'
import type { ChannelHash } from '../model/beacon.ts'
import type { Channel, Digest } from '../model/ids.ts'

/** SHA-256 as 64 lower-case hex digits. In one call: for short texts a hash object costs more than the hashing. */
export const sha256 = (bytes: Uint8Array | string): Digest => hash('sha256', bytes, 'hex') as Digest

/** First 16 bytes of SHA-256 of the channel's name, as 32 hex digits. */
export const channelHash = (channel: Channel): ChannelHash =>
  hash('sha256', channel, 'hex').slice(0, 32) as ChannelHash

export const bytesToHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** @throws MeshError CODEC_MALFORMED where the text is not pairs of lower-case hex digits. */
export function hexToBytes(hex: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex))
    throw new MeshError('CODEC_MALFORMED', 'hex: expected pairs of 0-9 a-f')
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
