import { sha256 } from '../codec/digest.ts'
import type { Digest } from '../model/ids.ts'
import type { Operation } from './database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { blockIn, PREFIX } from './keys.ts'

export interface BlocksOnDisk {
  /** Undefined where it cannot be read. */
  get(key: string): Promise<Uint8Array | undefined>
  keys(prefix: string): AsyncIterable<string>
}

export const isBlock = (digest: Digest, bytes: Uint8Array): boolean => sha256(bytes) === digest

/**
 * Blocks that no entry of the index leads to, since it is damaged, lost, or names another key: nobody finds them again, nor
 * collects them. To look for them is to go through the keys of all blocks, hence once, and only after damage.
 *
 * A block can lie under two keys only where its entry was lost and it was fetched again. Writes bring both or neither, so
 * that an entry is lost with a part of LevelDB's files, after which the next start looks; where that is killed before it has
 * written down what it found, the second one stays until something is looked for again.
 */
export class StrayBlocks {
  readonly #index: StoreIndex
  readonly #disk: BlocksOnDisk
  /** By the end of the key, where a block has its digest. */
  #looked: Promise<ReadonlyMap<string, readonly string[]>> | undefined

  constructor(index: StoreIndex, disk: BlocksOnDisk) {
    this.#index = index
    this.#disk = disk
  }

  look(): Promise<ReadonlyMap<string, readonly string[]>> {
    this.#looked ??= this.#look()
    return this.#looked
  }

  async #look(): Promise<ReadonlyMap<string, readonly string[]>> {
    const keys = new Map<string, readonly string[]>()
    for await (const key of this.#disk.keys(PREFIX.block)) {
      const digest = blockIn(key)?.digest
      if (digest !== undefined && this.#index.keyOf(digest) === key) continue
      const end = digest ?? key
      keys.set(end, [...(keys.get(end) ?? []), key])
    }
    return keys
  }

  /** One that is sound. */
  async find(
    digest: Digest,
  ): Promise<{ readonly bytes: Uint8Array; readonly number: number | undefined } | undefined> {
    for (const key of (await this.look()).get(digest) ?? []) {
      const bytes = await this.#disk.get(key)
      if (bytes !== undefined && isBlock(digest, bytes)) return { bytes, number: blockIn(key)?.number }
    }
    return undefined
  }

  /** Takes away those that were seen and that the index does not lead to by now either. @throws what looking has thrown */
  async drop(): Promise<readonly Operation[]> {
    const operations: Operation[] = []
    for (const key of [...((await this.#looked)?.values() ?? [])].flat()) {
      const block = blockIn(key)
      if (block !== undefined && this.#index.keyOf(block.digest) === key) continue
      // Where the disk takes nothing now, it stays, and the block will come to lie over it.
      if (block !== undefined && !this.#index.blocks.has(block.digest))
        this.#index.keepPlace(block.digest, block.number)
      operations.push({ type: 'del', key })
    }
    return operations
  }
}
