import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Digest } from '../../src/model/ids.ts'
import type { LogPort } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { type FloorFiles, floorFiles } from '../../src/store/floor-files.ts'
import { LevelStore } from '../../src/store/level.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { MemoryDisk } from '../../src/store/memory-disk.ts'
import { CONTRACT_LIMITS, type StoreBench, type StoreEvent, storeContract } from './store-contract.ts'
import { blockKeyOf, FLEET } from './store-fixtures.ts'

const log: LogPort = { note: () => {} }

class MemoryBench implements StoreBench {
  readonly events: StoreEvent[] = []
  readonly #disk = new MemoryDisk()
  #full = false

  next(): MemoryStore {
    return new MemoryStore({
      limits: CONTRACT_LIMITS,
      fleetId: FLEET,
      disk: this.#disk,
      isFull: () => this.#full,
      emit: (event) => this.events.push(event),
    })
  }
  fill(full: boolean): void {
    this.#full = full
  }
  async damageBlock(digest: Digest): Promise<void> {
    this.#disk.damageBlock(digest)
  }
  async loseStore(): Promise<void> {
    this.#disk.loseStore()
  }
  async loseFloorFiles(): Promise<void> {
    this.#disk.loseFiles()
  }
  async cleanUp(): Promise<void> {}
}

/** As the system says it, wrapped as LevelDB passes it on. */
const noSpace = (): Error =>
  Object.assign(new Error('IO error: /store/000005.log: No space left on device'), { code: 'LEVEL_IO_ERROR' })

/** What part of the disk is faulty: a full one refuses the table files, the floor files, or both. */
class LevelBench implements StoreBench {
  readonly events: StoreEvent[] = []
  readonly #base: string
  readonly #where: 'database' | 'floors'
  #full = false

  constructor(base: string, where: 'database' | 'floors') {
    this.#base = base
    this.#where = where
  }

  get #dir(): string {
    return join(this.#base, 'store')
  }
  get #floorDir(): string {
    return join(this.#base, 'floor')
  }

  next(): LevelStore {
    return new LevelStore({
      dir: this.#dir,
      floorDir: this.#floorDir,
      fleetId: FLEET,
      limits: CONTRACT_LIMITS,
      log,
      emit: (event) => this.events.push(event),
      database: (dir) => this.#faulty(levelDatabase(dir)),
      floors: this.#faultyFloors(floorFiles(this.#floorDir, FLEET, CONTRACT_LIMITS)),
    })
  }

  #faulty(database: Database): Database {
    const check = (): void => {
      if (this.#full && this.#where === 'database') throw noSpace()
    }
    return {
      ...database,
      batch: async (operations, sync) => {
        check()
        await database.batch(operations, sync)
      },
      probe: async (bytes) => {
        if (this.#full) throw noSpace()
        await database.probe(bytes)
      },
    }
  }

  #faultyFloors(files: FloorFiles): FloorFiles {
    return {
      ...files,
      prepare: async (floors, root) => {
        if (this.#full && this.#where === 'floors')
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
        return files.prepare(floors, root)
      },
    }
  }

  fill(full: boolean): void {
    this.#full = full
  }

  async damageBlock(digest: Digest): Promise<void> {
    const database = levelDatabase(this.#dir)
    await database.open()
    const key = await blockKeyOf(database, digest)
    const bytes = (await database.get(key))?.slice() ?? new Uint8Array(1)
    bytes[0] = (bytes[0] ?? 0) ^ 1
    await database.batch([{ type: 'put', key, value: bytes }], true)
    await database.close()
  }
  loseStore(): Promise<void> {
    return rm(this.#dir, { recursive: true })
  }
  loseFloorFiles(): Promise<void> {
    return rm(this.#floorDir, { recursive: true })
  }
  cleanUp(): Promise<void> {
    return rm(this.#base, { recursive: true, force: true })
  }
}

const levelBench = (where: 'database' | 'floors') => async (): Promise<StoreBench> =>
  new LevelBench(await mkdtemp(join(tmpdir(), 'confmesh-store-')), where)

storeContract('memory store', async () => new MemoryBench())
storeContract('LevelDB store on a disk whose tables fill up', levelBench('database'))
storeContract('LevelDB store on a disk whose floor files fill up', levelBench('floors'))
