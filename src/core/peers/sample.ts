/** Which records a peer is given: its own links come of them. */
import { LIMITS } from '../../limits.ts'
import type { CoreConfig } from '../config.ts'
import { shuffled } from '../degree.ts'
import type { PassedOn } from './book.ts'

/** What CBOR adds to a record, at most. */
const RECORD_OVERHEAD_BYTES = 8

interface Records {
  readonly own: Uint8Array | undefined
  /** The asker's, as it is known here. */
  readonly theirs: Uint8Array | undefined
  /** What the asker gave. */
  readonly given: readonly Uint8Array[]
  /** Who was admitted here and can be reached. */
  readonly known: readonly PassedOn[]
}

/**
 * Own record first, then others at random; of a seed up to half such as are linked to it, for a thousand that came and went
 * may be known for a day. Of another node they would close clusters. The asker's own among them only where it is a later one
 * than those it gave: somebody else gave it.
 */
export function sampleFor(
  { own, theirs, given, known }: Records,
  { limits, random, submit }: CoreConfig,
): readonly Uint8Array[] {
  const records = own === undefined ? [] : [own]
  if (theirs !== undefined && given.length > 0 && !given.some((bytes) => isSame(bytes, theirs)))
    records.push(theirs)
  // Others may take no longer a message than this.
  const mostBytes = Math.min(limits.maxSyncMessageBytes, LIMITS.maxSyncMessageBytes) / 2
  let bytes = records.reduce((sum, { length }) => sum + length, 0)
  const mixed = shuffled(known, random)
  const there = mixed.filter(({ isLinked }) => submit && isLinked).slice(0, limits.maxExchanged / 2)
  for (const { bytes: record } of new Set([...there, ...mixed])) {
    bytes += record.length + RECORD_OVERHEAD_BYTES
    if (records.length >= limits.maxExchanged || bytes > mostBytes) break
    records.push(record)
  }
  return records
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
