import { isMeshError } from '../errors.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import {
  type CacheBound,
  cachedBytes,
  type EventOf,
  type Snapshot,
  type StorePort,
  type Write,
} from '../runtime/ports.ts'
import type { MemoryStore } from '../store/memory.ts'
import type { Batch, Removal, SimDisk } from './disk.ts'
import type { Copy } from './second-copies.ts'

/** What a store finds out by itself. */
export type OnStoreEvent = (event: EventOf<'blockLost' | 'storeMode'>) => void

/** What a life of a node finds on its disk. */
export interface Left {
  readonly log: readonly Batch[]
  readonly copies: readonly Copy[]
}

/** The store of one life of a node: it reads what the disk's log amounts to, and writes on there. */
export class SimStore implements StorePort {
  readonly #disk: SimDisk
  readonly #life: number
  readonly #memory: MemoryStore
  readonly #left: Left
  readonly #emit: OnStoreEvent
  #readOnly = false

  constructor(disk: SimDisk, life: number, left: Left, memory: MemoryStore, emit: OnStoreEvent) {
    this.#emit = emit
    this.#memory = memory
    this.#disk = disk
    this.#life = life
    this.#left = { log: [...left.log], copies: left.copies }
  }

  async open(): Promise<void> {
    await this.#memory.open()
    for (const { writes, gone } of this.#left.log) {
      await this.#memory.commit(writes)
      this.#memory.disk.remove([], [], gone)
    }
    const { disk } = this.#memory
    disk.loseFiles()
    for (const { write } of this.#left.copies) {
      if (write.kind === 'floor') disk.files.floors.set(write.floor.channel, write.floor)
      else disk.files.root = write
    }
  }

  async load(): Promise<Snapshot> {
    const snapshot = await this.#memory.load()
    this.#disk.heal()
    return snapshot
  }

  async commit(writes: readonly Write[], sync: boolean): Promise<void> {
    await this.#writing(this.#disk.write(this.#life, writes, sync, () => this.#memory.commit(writes)))
  }

  async #writing(work: Promise<void>): Promise<void> {
    try {
      await work
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
    this.#emit({ kind: 'storeMode', readOnly, ...(readOnly && { code: 'STORE_FULL' }) })
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

  /** The bound is looked at, and what may be an upload's is settled, before anything is awaited; as on a real disk. */
  async collect(
    keep: readonly ReleaseId[],
    bound: CacheBound,
    stop?: AbortSignal,
  ): Promise<readonly Digest[]> {
    const { envelopes, blocks } = this.#memory.disk.latest
    const before = new Set(envelopes.values())
    const fits = cachedBytes(this.bytes(), blocks.size) <= bound.maxCacheBytes
    await this.#memory.collect(keep, { ...bound, maxCacheBytes: Number.POSITIVE_INFINITY })
    if (fits || stop?.aborted === true) return []
    let gone: readonly Digest[] = []
    const remove = async (): Promise<Removal> => {
      // Commits went on meanwhile: nobody said of what they brought that it is kept.
      const arrived = [...envelopes.values()].flatMap((one) => (before.has(one) ? [] : [one.release]))
      const awaited = [...bound.awaited, ...arrived]
      const removal = await this.#remove([...keep, ...arrived], { ...bound, awaited })
      gone = removal.gone
      return removal
    }
    await this.#writing(this.#disk.collect(this.#life, remove))
    return gone
  }

  async #remove(keep: readonly ReleaseId[], bound: CacheBound): Promise<Removal> {
    const { whole, envelopes } = this.#memory.disk.latest
    const [wasWhole, had] = [[...whole], [...envelopes.keys()]]
    const gone = await this.#memory.reduce(keep, bound)
    const writes = [
      ...wasWhole.flatMap((release): Write[] => (whole.has(release) ? [] : [{ kind: 'unwhole', release }])),
      ...had.flatMap((release): Write[] =>
        envelopes.has(release) ? [] : [{ kind: 'dropEnvelope', release }],
      ),
    ]
    return { writes, gone }
  }

  bytes(): number {
    return this.#memory.bytes()
  }

  close(): Promise<void> {
    return this.#memory.close()
  }
}
