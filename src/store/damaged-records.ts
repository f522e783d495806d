/** Damaged records go out of the way before anyone may read them again; a bounded number stays for people to look at. */
import type { Code } from '../errors.ts'
import type { Operation } from './database.ts'
import type { GuardedDatabase } from './guarded-database.ts'
import { PREFIX } from './keys.ts'
import { quarantineOperations } from './operations.ts'

/** A damaged record; without a value where nothing readable was under its key. */
export interface Found {
  readonly key: string
  readonly value: Uint8Array | undefined
}

export interface DamagedRecordsInit {
  readonly dir: string
  readonly database: GuardedDatabase
  readonly maxQuarantined: number
  readonly note: (level: 'warn' | 'error', code: Code, text: string) => void
}

export class DamagedRecords {
  readonly #init: DamagedRecordsInit
  #kept = 0

  constructor(init: DamagedRecordsInit) {
    this.#init = init
  }

  /** Counts those of earlier lives: the bound is the store's. @throws MeshError STORE_FAILED */
  async load(): Promise<void> {
    const { database, maxQuarantined } = this.#init
    this.#kept = 0
    for await (const _ of database.keys(PREFIX.quarantine)) {
      this.#kept += 1
      if (this.#kept >= maxQuarantined) return
    }
  }

  /**
   * @param further what is written with it
   * @returns whether it was written. Never rejects: what cannot be moved stays, and is found again.
   */
  async setAside(damaged: readonly Found[], further: readonly Operation[] = []): Promise<boolean> {
    const { dir, database, maxQuarantined, note } = this.#init
    const room = Math.max(0, maxQuarantined - this.#kept)
    const operations = damaged.flatMap(({ key, value }, at) =>
      quarantineOperations(key, at < room ? value : undefined),
    )
    this.#kept += Math.min(room, damaged.length)
    const beyond = Math.max(0, damaged.length - room)
    const fate = beyond === 0 ? 'set aside' : `taken out (${beyond} not kept: ${maxQuarantined} are already)`
    const [first] = damaged
    const text = `${dir}: ${damaged.length} damaged records ${fate}, first ${first?.key}; what is lost is fetched again`
    if (first !== undefined) note('error', 'STORE_CORRUPT', text)
    try {
      await database.write([...operations, ...further], false)
      return true
    } catch (error) {
      note('warn', 'STORE_FAILED', `damaged records stay where they are: ${String(error)}`)
      return false
    }
  }
}
