/** The program asks for a large release no faster than a part of its store's time lets it be written: `core/fetch/bulk-pace.ts`. */
import { SHARE } from '../../core/fetch/bulk-pace.ts'
import { LIMITS } from '../../limits.ts'
import type { LinkClass, Question } from './question.ts'

export const isPaced = ({ bytes }: Pick<Question, 'bytes'>): boolean => bytes > LIMITS.pacedBytes

/** Links that carry to a node no more than it asks for, where it is known what its store takes. */
export function paced(
  links: readonly LinkClass[],
  bytes: number,
  storeBytesPerSecond: number | undefined,
): readonly LinkClass[] {
  if (storeBytesPerSecond === undefined || !isPaced({ bytes })) return links
  const most = (storeBytesPerSecond * 8) / SHARE
  return links.map((link) => ({ ...link, downBitsPerSecond: Math.min(link.downBitsPerSecond, most) }))
}
