/** What each refusal is called. */
import type { Code } from '../errors.ts'
import type { Verdict } from './journey.ts'

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
