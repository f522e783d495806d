/** When an origin that is to die has given away enough that the others need it no more. */
import type { Held } from '../test/e2e/block-watch.ts'

export const PAYLOADS = 1.2
/** One may have come to a node that dies, too, and to none of those that live. */
const COPIES = 2

/** What one release has come to. */
export interface Given {
  /** Copies of it that the origin has sent. */
  readonly payloads: number
  /** What each node has of it, those that are to die included. */
  readonly held: readonly Held[]
  /** Its pages and blocks. */
  readonly places: number
}

export type Due = 'payloads' | 'copies'

/**
 * It has sent 1.2 payloads; or each block has come to two nodes, which needs no more than one of the origin: nobody asks it for a
 * second copy where no fetcher falls silent. Undefined: not yet.
 */
export function dueBy({ payloads, held, places }: Given): Due | undefined {
  if (payloads >= PAYLOADS) return 'payloads'
  for (let place = 0; place < places; place += 1)
    if (held.filter((one) => one.has(place)).length < COPIES) return undefined
  return 'copies'
}
