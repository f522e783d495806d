import type { Form } from '../codec/fields.ts'
import type { Digest, FleetId } from '../model/ids.ts'
import type { Write } from '../runtime/ports.ts'
import type { Operation } from './database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import {
  beaconKey,
  blockKey,
  channelKey,
  envelopeKey,
  FLEET_KEY,
  FORMAT,
  FORMAT_KEY,
  floorKey,
  leaseKey,
  quarantineKey,
  rootKey,
  sizeKey,
  USED_KEY,
  wholeKey,
} from './keys.ts'
import {
  BEACON,
  type BlockEntry,
  CHANNEL,
  ENVELOPE,
  FLEET,
  FLOOR,
  FORMAT_RECORD,
  LEASE,
  MARK,
  ROOT,
  SIZE,
  writeRecord,
} from './records.ts'

const put = <T>(key: string, form: Form<T>, value: T): Operation => ({
  type: 'put',
  key,
  value: writeRecord(form, key, value),
})
const del = (key: string): Operation => ({ type: 'del', key })

export const putFormat = (): Operation => put(FORMAT_KEY, FORMAT_RECORD, FORMAT)
export const putFleet = (fleet: FleetId): Operation => put(FLEET_KEY, FLEET, fleet)
export const putSize = (digest: Digest, entry: BlockEntry): Operation => put(sizeKey(digest), SIZE, entry)

/** What one write changes. The index gives the numbers that keep arrival order. */
export function operationsOf(
  write: Write,
  index: Pick<StoreIndex, 'next' | 'numberFor'>,
): readonly Operation[] {
  switch (write.kind) {
    case 'root':
      return [put(rootKey(write.version), ROOT, { version: write.version, envelope: write.envelope })]
    case 'floor':
      return [put(floorKey(write.floor.channel), FLOOR, write.floor), put(USED_KEY, MARK, true)]
    case 'channel':
      return [put(channelKey(write.record.channel), CHANNEL, write.record)]
    case 'envelope': {
      const { channel, bytes } = write
      return [put(envelopeKey(write.release), ENVELOPE, { channel, number: index.next(), bytes })]
    }
    case 'block': {
      const { digest, bytes } = write
      const number = index.numberFor(digest)
      return [
        { type: 'put', key: blockKey(digest, number), value: bytes },
        putSize(digest, { bytes: bytes.length, number }),
      ]
    }
    case 'whole':
      return [put(wholeKey(write.release), MARK, true)]
    case 'unwhole':
      return [del(wholeKey(write.release))]
    case 'dropEnvelope':
      return [del(envelopeKey(write.release))]
    case 'beacon':
      return [put(beaconKey(write.key), BEACON, { at: write.at, envelope: write.envelope })]
    case 'lease':
      return [put(leaseKey(write.lease.release), LEASE, write.lease)]
    case 'dropLease':
      return [del(leaseKey(write.release))]
    case 'audit':
      return [] // a line of a file: audit-file.ts
  }
}

/** Moves a damaged record out of the way; without `kept` it is only removed. */
export const quarantineOperations = (key: string, kept: Uint8Array | undefined): readonly Operation[] =>
  kept === undefined ? [del(key)] : [{ type: 'put', key: quarantineKey(key), value: kept }, del(key)]

type WriteOf<K extends Write['kind']> = Extract<Write, { kind: K }>

/** Those of one kind, in their order. */
export const pick = <K extends Write['kind']>(writes: readonly Write[], kind: K): readonly WriteOf<K>[] =>
  writes.filter((write): write is WriteOf<K> => write.kind === kind)
