/** From received bytes to a release whose signatures can be judged: depends on the bytes alone. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader, decodeHeaderCore } from '../codec/header.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
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
      readonly over?: Signed
    }

interface Signed {
  readonly envelope: Envelope
  readonly release: Release
}

/** Strict and bounded; never throws for what a peer can send. */
export function readRelease(bytes: Uint8Array, limits: Limits): Read {
  let envelope: Envelope
  try {
    envelope = decodeEnvelope(bytes, limits.maxEnvelopeBytes, limits)
    checkType(envelope, 'release')
  } catch (error) {
    return refused(error)
  }
  try {
    return { kind: 'read', envelope, release: decodeHeader(envelope.payload, limits) }
  } catch (error) {
    if (!isMeshError(error)) throw error
    if (error.code === 'LIMIT_CONTENT') return { ...refused(error), ...over(envelope, limits) }
    if (error.code !== 'CODEC_UNSUPPORTED') return refused(error)
  }
  try {
    return { kind: 'unsupported', envelope, release: coreOf(envelope, limits) }
  } catch (error) {
    return refused(error)
  }
}

/** Only the names that every version has are read from it: publisher and channel, for the signatures. */
function coreOf({ payload }: Envelope, limits: Limits): Release {
  const core = decodeHeaderCore(payload, limits)
  return { id: core.id, counter: core.counter, header: core as unknown as Header }
}

function over(envelope: Envelope, limits: Limits): { readonly over?: Signed } {
  try {
    return { over: { envelope, release: coreOf(envelope, limits) } }
  } catch (error) {
    if (!isMeshError(error)) throw error
    return {}
  }
}

/**
 * Over a limit is no proof of guilt: another build may allow more. It is ignored like a message too many, while
 * what is malformed is rejected.
 */
function refused(error: unknown): Extract<Read, { readonly kind: 'refused' }> {
  if (!isMeshError(error)) throw error
  const verdict = error.code.startsWith('LIMIT_') ? 'RATE' : 'MALFORMED'
  return { kind: 'refused', verdict, code: error.code, text: error.message }
}
