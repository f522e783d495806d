import type { Form } from '../codec/fields.ts'
import type { Limits } from '../limits.ts'
import type { Floor } from '../model/floor.ts'
import type { KeyId, ReleaseId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'
import type { Snapshot } from '../runtime/ports.ts'
import type { Database } from './database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { channelKey, floorKey, leaseKey, nameIn, PREFIX, rootKey, USED_KEY } from './keys.ts'
import { BEACON, CHANNEL, ENVELOPE, FLOOR, LEASE, MARK, ROOT, readRecord, SIZE } from './records.ts'

export interface Damaged {
  readonly key: string
  readonly value: Uint8Array
}

export interface StoreContent
  extends Pick<Snapshot, 'roots' | 'channels' | 'envelopes' | 'whole' | 'beacons' | 'leases'> {
  readonly floors: readonly Floor[]
  /** A floor was once written here. */
  readonly used: boolean
  readonly damaged: readonly Damaged[]
}

/** Reads every record but blocks and the audit log, checks each, fills `index`. Errors are LevelDB's own. */
export async function readAll(database: Database, index: StoreIndex, limits: Limits): Promise<StoreContent> {
  const damaged: Damaged[] = []

  /** `build` gives undefined where the record does not belong under its key. */
  async function all<T, R>(
    prefix: string,
    form: Form<T>,
    build: (value: T, name: string, key: string) => R | undefined,
  ): Promise<R[]> {
    const out: R[] = []
    for await (const [key, sealed] of database.entries(prefix)) {
      const value = readRecord(form, key, sealed, limits)
      const built = value === undefined ? undefined : build(value, nameIn(prefix, key), key)
      if (built === undefined) damaged.push({ key, value: sealed })
      else out.push(built)
    }
    return out
  }

  const roots = await all(PREFIX.root, ROOT, (root, _, key) =>
    rootKey(root.version) === key ? root : undefined,
  )
  const floors = await all(PREFIX.floor, FLOOR, (floor, _, key) =>
    floorKey(floor.channel) === key ? floor : undefined,
  )
  const channels = await all(PREFIX.channel, CHANNEL, (record, _, key) =>
    channelKey(record.channel) === key ? record : undefined,
  )
  const envelopes = await all(PREFIX.envelope, ENVELOPE, ({ channel, number, bytes }, name) => {
    if (!isDigest(name)) return undefined
    const release = name as string as ReleaseId
    index.addEnvelope(release, { number, bytes: bytes.length })
    return { release, channel, bytes }
  })
  index.arrange()
  const whole = await all(PREFIX.whole, MARK, (_, name) =>
    isDigest(name) ? (name as string as ReleaseId) : undefined,
  )
  await all(PREFIX.size, SIZE, (entry, name) => {
    if (!isDigest(name)) return undefined
    index.addBlock(name, entry)
    return true
  })
  const beacons = await all(PREFIX.beacon, BEACON, ({ at, envelope }, name) =>
    isDigest(name) ? { key: name as string as KeyId, at, envelope } : undefined,
  )
  const leases = await all(PREFIX.lease, LEASE, (lease, _, key) =>
    leaseKey(lease.release) === key ? lease : undefined,
  )
  const used = (await database.get(USED_KEY)) !== undefined
  return { roots, floors, channels, envelopes, whole, beacons, leases, used, damaged }
}
