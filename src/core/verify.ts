/** Whose signatures count, and what each refusal is called. */
import { type Code, isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { authorised } from '../trust/authorise.ts'
import type { Verdict } from './journey.ts'

/** Enough of the publisher's keys sign it under this root; too many signatures never do. */
export function signedUnder(root: TrustRoot, envelope: Envelope, release: Release, limits: Limits): boolean {
  try {
    return authorised(root, envelope, release, limits)
  } catch (error) {
    if (isMeshError(error)) return false
    throw error
  }
}

/** The code under which each refusal of order is known to people. */
export const CODE_OF: Readonly<Record<Verdict, Code | undefined>> = {
  NEW: undefined,
  CONCURRENT: 'ORDER_CONCURRENT',
  TWIN: 'ORDER_EQUIVOCATION',
  DUPLICATE: 'ORDER_DUPLICATE',
  TWIN_KNOWN: 'ORDER_DUPLICATE',
  STALE: 'ORDER_STALE',
  STALE_EPOCH: 'ORDER_STALE_EPOCH',
  AHEAD: 'ORDER_AHEAD',
  UNAUTHORISED: 'TRUST_UNAUTHORISED',
  MISPLACED: 'ORDER_MISPLACED',
  MALFORMED: 'CODEC_MALFORMED',
  UNSUPPORTED: 'CODEC_UNSUPPORTED',
  RATE: 'LIMIT_RATE',
}
