/** From received bytes to a release whose signatures can be judged: depends on the bytes alone. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader, decodeHeaderCore } from '../codec/header.ts'
import { type Code, isMeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Header, Release } from '../model/release.ts'
import { checkType } from '../trust/threshold.ts'
import type { Verdict } from './journey.ts'

export type Read =
  | { readonly kind: 'read'; readonly envelope: Envelope; readonly release: Release }
  /** Another version of the format: relayed by nobody, said aloud only if its signatures hold. */
  | { readonly kind: 'unsupported'; readonly envelope: Envelope; readonly release: Release }
  | {
      readonly kind: 'refused'
      readonly verdict: Verdict
      readonly code: Code
      readonly text: string
      /** Of one over a limit what its signatures take, where that can be read. */
      readonly over?: Over
    }

interface Over {
  readonly envelope: Envelope
  readonly release: Release
  /** What is signed is over it. Else another envelope of the same release may be taken: what surrounds it anybody can add to. */
  readonly inPayload: boolean
}

/** Strict and bounded; never throws for what a peer can send. */
export function readRelease(bytes: Uint8Array, limits: Limits): Read {
  let envelope: Envelope
  try {
    envelope = decodeEnvelope(bytes, limits.maxEnvelopeBytes, limits)
    checkType(envelope, 'release')
  } catch (error) {
    return refused(error, bytes, limits, false)
  }
  try {
    return { kind: 'read', envelope, release: decodeHeader(envelope.payload, limits) }
  } catch (error) {
    if (!isMeshError(error)) throw error
    if (error.code !== 'CODEC_UNSUPPORTED') return refused(error, bytes, limits, true)
  }
  try {
    return { kind: 'unsupported', envelope, release: coreOf(envelope, limits) }
  } catch (error) {
    return refused(error, bytes, limits, true)
  }
}

/** Only the names that every version has are read from it: publisher and channel, for the signatures. */
function coreOf({ payload }: Envelope, limits: Limits): Release {
  const core = decodeHeaderCore(payload, limits)
  return { id: core.id, counter: core.counter, header: core as unknown as Header }
}

/** Of an envelope, and of the pages of its manifest. */
const READ_BY = [
  'maxEnvelopeBytes',
  'maxHeaderBytes',
  'maxSignatures',
  'maxClockEntries',
  'maxPageBytes',
  'maxBlockBytes',
  'maxFiles',
  'maxReleaseBytes',
  'maxPathBytes',
  'maxPathSegmentBytes',
] as const

/**
 * No less than is built in: so much of one that is over a lower limit of this node's own is read as tells whose it is, and
 * whether others may take it.
 */
export function leastBuiltIn(limits: Limits): Limits {
  const least: { -readonly [K in keyof Limits]: Limits[K] } = { ...limits }
  for (const limit of READ_BY) least[limit] = Math.max(limits[limit], LIMITS[limit])
  return least
}

function over(bytes: Uint8Array, own: Limits, inHeader: boolean): { readonly over?: Over } {
  const limits = leastBuiltIn(own)
  try {
    const envelope = decodeEnvelope(bytes, limits.maxEnvelopeBytes, limits)
    checkType(envelope, 'release')
    const inPayload = inHeader || envelope.payload.length > own.maxEnvelopeBytes
    return { over: { envelope, release: coreOf(envelope, limits), inPayload } }
  } catch (error) {
    if (!isMeshError(error)) throw error
    return {}
  }
}

/**
 * Over a limit is no proof of guilt: another build may allow more. It is ignored like a message too many, while
 * what is malformed is rejected.
 */
function refused(
  error: unknown,
  bytes: Uint8Array,
  limits: Limits,
  inHeader: boolean,
): Extract<Read, { readonly kind: 'refused' }> {
  if (!isMeshError(error)) throw error
  const { code, message: text } = error
  if (!code.startsWith('LIMIT_')) return { kind: 'refused', verdict: 'MALFORMED', code, text }
  return { kind: 'refused', verdict: 'RATE', code, text, ...over(bytes, limits, inHeader) }
}
