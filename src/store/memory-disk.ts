import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, Digest, KeyId, ReleaseId } from '../model/ids.ts'
import type { Write } from '../runtime/ports.ts'

type Of<K extends Write['kind']> = Extract<Write, { kind: K }>

/** Everything that lies on a disk of its own kind: maps of what was written. */
export interface Contents {
  readonly roots: Map<number, Uint8Array>
  readonly floors: Map<Channel, Floor>
  readonly channels: Map<Channel, Of<'channel'>['record']>
  /** In order of arrival. */
  readonly envelopes: Map<ReleaseId, Of<'envelope'>>
  readonly blocks: Map<Digest, Uint8Array>
  readonly whole: Set<ReleaseId>
  readonly beacons: Map<KeyId, Of<'beacon'>>
  readonly leases: Map<ReleaseId, Of<'lease'>['lease']>
  readonly audit: Of<'audit'>[]
}

const emptyContents = (): Contents => ({
  roots: new Map(),
  floors: new Map(),
  channels: new Map(),
  envelopes: new Map(),
  blocks: new Map(),
  whole: new Set(),
  beacons: new Map(),
  leases: new Map(),
  audit: [],
})

const raise = (floors: Map<Channel, Floor>, floor: Floor): void => {
  const before = floors.get(floor.channel)
  floors.set(floor.channel, before === undefined ? floor : joinFloors(before, floor))
}

function apply(to: Contents, write: Write): void {
  switch (write.kind) {
    case 'root':
      return void to.roots.set(write.version, write.envelope)
    case 'floor':
      return raise(to.floors, write.floor)
    case 'channel':
      return void to.channels.set(write.record.channel, write.record)
    case 'envelope':
      return void to.envelopes.set(write.release, write)
    case 'block':
      return void to.blocks.set(write.digest, write.bytes)
    case 'whole':
      return void to.whole.add(write.release)
    case 'unwhole':
      return void to.whole.delete(write.release)
    case 'dropEnvelope':
      return void to.envelopes.delete(write.release)
    case 'beacon':
      return void to.beacons.set(write.key, write)
    case 'lease':
      return void to.leases.set(write.lease.release, write.lease)
    case 'dropLease':
      return void to.leases.delete(write.release)
    case 'audit':
      return void to.audit.push(write)
  }
}

/**
 * What survives the process that uses it. The second copies of floors and newest root are files of their own, so that
 * a test can lose either.
 */
export class MemoryDisk {
  latest: Contents = emptyContents()
  files: {
    readonly floors: Map<Channel, Floor>
    root: { version: number; envelope: Uint8Array } | undefined
  } = {
    floors: new Map(),
    root: undefined,
  }
  /** A floor was once written. */
  used = false

  /** Of floors and roots the second copies, too. */
  write(writes: readonly Write[]): void {
    for (const write of writes) {
      apply(this.latest, write)
      if (write.kind === 'floor') {
        this.used = true
        raise(this.files.floors, write.floor)
      }
      if (write.kind === 'root' && write.version > (this.files.root?.version ?? 0))
        this.files.root = { version: write.version, envelope: write.envelope }
    }
  }

  /** Removed for good: collection and quarantine. */
  remove(whole: readonly ReleaseId[], envelopes: readonly ReleaseId[], blocks: readonly Digest[]): void {
    for (const release of whole) this.latest.whole.delete(release)
    for (const release of envelopes) this.latest.envelopes.delete(release)
    for (const digest of blocks) this.latest.blocks.delete(digest)
  }

  /** The store is gone, as after a new disk under the data folder. */
  loseStore(): void {
    this.latest = emptyContents()
    this.used = false
  }

  loseFiles(): void {
    this.files = { floors: new Map(), root: undefined }
  }

  /** Flips a bit of a stored block: found when it is read. */
  damageBlock(digest: Digest): void {
    const bytes = this.latest.blocks.get(digest)
    if (bytes === undefined) return
    const damaged = bytes.slice()
    damaged[0] = (damaged[0] ?? 0) ^ 1
    this.latest.blocks.set(digest, damaged)
  }
}
