/** Lives of a store on disk, one after another in the same folder; each test begins with an empty one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Database } from '../../src/store/database.ts'
import { LevelStore } from '../../src/store/level.ts'
import { FLEET, withDatabase } from './store-fixtures.ts'

/** @param name of the folder, in front of what makes it unique */
export function storeLives(name: string) {
  let base: string
  let stores: LevelStore[]
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), name))
    stores = []
  })
  afterEach(async () => {
    for (const store of stores) await store.close()
    await rm(base, { recursive: true, force: true })
  })
  const path = (part: string): string => join(base, part)
  return {
    path,
    /** The next life, open and not loaded. @param database what lies behind it, for tests of its faults */
    async open(database: (dir: string) => Database): Promise<LevelStore> {
      const store = new LevelStore({
        dir: path('store'),
        floorDir: path('floor'),
        fleetId: FLEET,
        limits: { ...LIMITS, storeProbeBytes: 1_000 },
        log: { note: () => {} },
        database,
      })
      stores.push(store)
      await store.open()
      return store
    },
    /** Ends the newest life, where its test has no store to close: it failed to load. */
    async endNewest(): Promise<void> {
      await stores.at(-1)?.close()
    },
    /** Between two lives, past the store. */
    inDatabase: <T>(act: (database: Database) => Promise<T>): Promise<T> => withDatabase(path('store'), act),
  }
}
