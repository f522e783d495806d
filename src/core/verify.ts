/** What each refusal is called. */
import type { Code } from '../errors.ts'
import type { Verdict } from './journey.ts'

/** The code under which each refusal of order is known to people; what is accepted or known already is no refusal. */
export const CODE_OF: Readonly<Record<Verdict, Code | undefined>> = {
  NEW: undefined,
  CONCURRENT: undefined,
  TWIN: 'ORDER_EQUIVOCATION',
  DUPLICATE: undefined,
  TWIN_KNOWN: undefined,
  STALE: 'ORDER_STALE',
  STALE_EPOCH: 'ORDER_STALE_EPOCH',
  AHEAD: 'ORDER_AHEAD',
  UNAUTHORISED: 'TRUST_UNAUTHORISED',
  MISPLACED: 'ORDER_MISPLACED',
  MALFORMED: 'CODEC_MALFORMED',
  UNSUPPORTED: 'CODEC_UNSUPPORTED',
  RATE: 'LIMIT_RATE',
}
