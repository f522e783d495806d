import { isMeshError } from '../errors.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import type { CacheBound, EventOf, Snapshot, StorePort, Write } from '../runtime/ports.ts'
import type { MemoryStore } from '../store/memory.ts'
import type { Batch, SimDisk } from './disk.ts'

/** What a store finds out by itself. */
export type OnStoreEvent = (event: EventOf<'blockLost' | 'storeMode'>) => void

/** The store of one life of a node: it reads what the disk's log amounts to, and writes on there. */
export class SimStore implements StorePort {
  readonly #disk: SimDisk
  readonly #life: number
  readonly #memory: MemoryStore
  readonly #log: readonly Batch[]
  readonly #emit: OnStoreEvent
  #readOnly = false

  constructor(disk: SimDisk, life: number, log: readonly Batch[], memory: MemoryStore, emit: OnStoreEvent) {
    this.#emit = emit
    this.#memory = memory
    this.#disk = disk
    this.#life = life
    this.#log = [...log]
  }

  async open(): Promise<void> {
    await this.#memory.open()
    for (const { writes } of this.#log) await this.#memory.commit(writes)
  }

  load(): Promise<Snapshot> {
    return this.#memory.load()
  }

  async commit(writes: readonly Write[], sync: boolean): Promise<void> {
    try {
      await this.#disk.write(this.#life, writes, sync, () => this.#memory.commit(writes))
    } catch (error) {
      if (isMeshError(error) && error.code === 'STORE_FULL') this.#setReadOnly(true)
      throw error
    }
    this.#setReadOnly(false)
  }

  #setReadOnly(readOnly: boolean): void {
    if (this.#readOnly === readOnly) return
    this.#readOnly = readOnly
    if (readOnly) this.#disk.whenFree(this.#life, () => this.#setReadOnly(false))
    this.#emit({ kind: 'storeMode', readOnly })
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
