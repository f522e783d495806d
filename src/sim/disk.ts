import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Floor } from '../model/floor.ts'
import type { Channel, Digest, FleetId, ReleaseId } from '../model/ids.ts'
import type { CacheBound, Snapshot, StorePort, Write } from '../runtime/ports.ts'
import { MemoryStore } from '../store/memory.ts'
import { between, chance, type Random } from './random.ts'
import type { VirtualTime } from './time.ts'

interface Batch {
  readonly atMs: number
  readonly writes: readonly Write[]
  readonly synced: boolean
}

/** What lies on a disk, read from outside without asking the node. */
export interface OnDisk {
  /** Envelopes by when they came. */
  readonly envelopes: ReadonlyMap<ReleaseId, number>
  readonly floors: ReadonlyMap<Channel, Floor>
  /** Newest trust root, and when it came. */
  readonly root: { readonly version: number; readonly atMs: number }
  readonly blocks: ReadonlySet<Digest>
}

interface Lies extends OnDisk {
  batches: number
  readonly envelopes: Map<ReleaseId, number>
  readonly floors: Map<Channel, Floor>
  root: OnDisk['root']
  readonly blocks: Set<Digest>
}

/**
 * A node's disk over all its lives: a log of batches. A crash takes what was under way and any tail that was not
 * synced; a lost store takes all but the floor files.
 */
export class SimDisk {
  full = false
  /** It lost or damaged something in its life: what it holds says less. */
  hurt = false
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #fleetId: FleetId
  readonly #limits: Limits
  #log: Batch[] = []
  /** What the log amounts to, as far as it was read; undefined once something was taken out of it. */
  #lies: Lies | undefined
  #life = 0

  constructor(time: VirtualTime, random: Random, fleetId: FleetId, limits: Limits) {
    this.#fleetId = fleetId
    this.#limits = limits
    this.#time = time
    this.#random = random
  }

  /** The disk as the next life of the node finds it. */
  open(): StorePort {
    return new SimStore(
      this,
      ++this.#life,
      this.#log,
      new MemoryStore({ fleetId: this.#fleetId, limits: this.#limits }),
    )
  }

  crash(): void {
    this.#life += 1
    const lastSynced = this.#log.findLastIndex((batch) => batch.synced)
    const kept = lastSynced + 1 + Math.floor(this.#random() * (this.#log.length - lastSynced))
    this.#replace(this.#log.slice(0, kept))
  }

  /** LevelDB's folder is gone; floors and roots have their second copy elsewhere. */
  loseStore(): void {
    this.hurt = true
    this.#replace(this.#filtered((write) => write.kind === 'floor' || write.kind === 'root'))
  }

  /** Some blocks are gone: the store is told so by its own checks. */
  rot(probability: number): void {
    this.hurt = true
    this.#replace(this.#filtered((write) => write.kind !== 'block' || !chance(this.#random, probability)))
  }

  /**
   * Bits flip in any record. Blocks really change, as their digest is looked at when they are read. Other records
   * bear a checksum, and the store leaves out those that fail it; of a floor or root the second copy is left.
   */
  flip(probability: number): void {
    this.hurt = true
    const safe = (write: Write): boolean =>
      write.kind === 'block' || write.kind === 'floor' || write.kind === 'root'
    const left = this.#filtered((write) => safe(write) || !chance(this.#random, probability / 4))
    this.#replace(
      left.map((batch) => ({
        ...batch,
        writes: batch.writes.map((write) =>
          write.kind === 'block' && chance(this.#random, probability)
            ? { ...write, bytes: flipped(write.bytes, this.#random) }
            : write,
        ),
      })),
    )
  }

  /** A view of this moment: later writes change it. Checkers look often, so that what was read is not read again. */
  onDisk(): OnDisk {
    const lies = this.#lies ?? {
      batches: 0,
      envelopes: new Map(),
      floors: new Map(),
      root: { version: 1, atMs: 0 },
      blocks: new Set(),
    }
    this.#lies = lies
    for (; lies.batches < this.#log.length; lies.batches++) {
      const { atMs, writes } = this.#log[lies.batches] as Batch
      for (const write of writes) {
        if (write.kind === 'envelope' && !lies.envelopes.has(write.release))
          lies.envelopes.set(write.release, atMs)
        if (write.kind === 'dropEnvelope') lies.envelopes.delete(write.release)
        if (write.kind === 'floor') lies.floors.set(write.floor.channel, write.floor)
        if (write.kind === 'block') lies.blocks.add(write.digest)
        if (write.kind === 'root' && write.version > lies.root.version)
          lies.root = { version: write.version, atMs }
      }
    }
    return lies
  }

  /** Appends after a while, unless the node has died by then. */
  async write(
    life: number,
    writes: readonly Write[],
    synced: boolean,
    apply: () => Promise<void>,
  ): Promise<void> {
    await this.#delay(life, synced)
    if (this.full) throw new MeshError('STORE_FULL', 'the simulated disk is full')
    this.#log.push({ atMs: this.#time.nowMs, writes, synced })
    await apply()
  }

  read(life: number): Promise<void> {
    return this.#delay(life, false)
  }

  /** A process that died waits for ever. */
  #delay(life: number, synced: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#time.after(synced ? between(this.#random, 0.5, 8) : between(this.#random, 0.05, 0.5), () => {
        if (life === this.#life) resolve()
      })
    })
  }

  #replace(log: Batch[]): void {
    this.#log = log
    this.#lies = undefined
  }

  #filtered(keep: (write: Write) => boolean): Batch[] {
    return this.#log
      .map((batch) => ({ ...batch, writes: batch.writes.filter(keep) }))
      .filter(({ writes }) => writes.length > 0)
  }
}

class SimStore implements StorePort {
  readonly #disk: SimDisk
  readonly #life: number
  readonly #memory: MemoryStore
  readonly #log: readonly Batch[]

  constructor(disk: SimDisk, life: number, log: readonly Batch[], memory: MemoryStore) {
    this.#memory = memory
    this.#disk = disk
    this.#life = life
    this.#log = [...log]
  }

  async open(): Promise<void> {
    await this.#memory.open()
    for (const { writes } of this.#log) await this.#memory.commit(writes, true)
  }

  load(): Promise<Snapshot> {
    return this.#memory.load()
  }

  commit(writes: readonly Write[], sync: boolean): Promise<void> {
    return this.#disk.write(this.#life, writes, sync, () => this.#memory.commit(writes, sync))
  }

  async readBlock(digest: Digest): Promise<Uint8Array | undefined> {
    await this.#disk.read(this.#life)
    return this.#memory.readBlock(digest)
  }

  hasBlock(digest: Digest): boolean {
    return this.#memory.hasBlock(digest)
  }

  readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined> {
    return this.#memory.readEnvelope(release)
  }

  collect(keep: readonly ReleaseId[], bound: CacheBound): Promise<readonly Digest[]> {
    return this.#memory.collect(keep, bound)
  }

  bytes(): number {
    return this.#memory.bytes()
  }

  close(): Promise<void> {
    return this.#memory.close()
  }
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = Math.floor(random() * copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  return copy
}
