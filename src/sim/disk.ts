import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest, FleetId, ReleaseId } from '../model/ids.ts'
import type { CacheBound, Snapshot, StorePort, Write } from '../runtime/ports.ts'
import { MemoryStore } from '../store/memory.ts'
import { between, chance, type Random } from './random.ts'
import type { VirtualTime } from './time.ts'

interface Batch {
  readonly writes: readonly Write[]
  readonly synced: boolean
}

/**
 * A node's disk over all its lives: a log of batches. A crash takes what was under way and any tail that was not
 * synced; a lost store takes all but the floor files, a lost host those, too.
 */
export class SimDisk {
  full = false
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #fleetId: FleetId
  readonly #limits: Limits
  #log: Batch[] = []
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
    this.#log = this.#log.slice(0, kept)
  }

  /** LevelDB's folder is gone; floors and roots have their second copy elsewhere. */
  loseStore(): void {
    this.#log = this.#filtered((write) => write.kind === 'floor' || write.kind === 'root')
  }

  loseAll(): void {
    this.#log = []
  }

  /** Some blocks rot: the checksum finds each, so it is as if they were absent. */
  rot(probability: number): void {
    this.#log = this.#filtered((write) => write.kind !== 'block' || !chance(this.#random, probability))
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
    this.#log.push({ writes, synced })
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

  #filtered(keep: (write: Write) => boolean): Batch[] {
    return this.#log
      .map(({ writes, synced }) => ({ writes: writes.filter(keep), synced }))
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
