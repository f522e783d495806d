/** The program asks for a large release no faster than a part of its store's time lets it be written: `core/fetch/bulk-pace.ts`. */
import { SHARE } from '../../core/fetch/bulk-pace.ts'
import { LIMITS } from '../../limits.ts'
import type { Question } from './question.ts'

export const isPaced = ({ bytes }: Pick<Question, 'bytes'>): boolean => bytes > LIMITS.pacedBytes

/** Bits a second that a node asks for at most, where it is known what its store takes. */
export function askedBitsPerSecond({ bytes, storeBytesPerSecond }: Paced): number {
  if (storeBytesPerSecond === undefined || !isPaced({ bytes })) return Number.POSITIVE_INFINITY
  return (storeBytesPerSecond * 8) / SHARE
}

type Paced = Pick<Question, 'bytes' | 'storeBytesPerSecond'>
