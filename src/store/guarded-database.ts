import { rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Code, isMeshError, type MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { LogPort } from '../runtime/ports.ts'
import { type Database, demandRoom, type Operation, probeFolder } from './database.ts'
import { DiskProbe } from './disk-probe.ts'
import { faultOf, isDamage, storeError } from './faults.ts'
import { NO_KEY } from './keys.ts'
import { dropOldest, setAside } from './quarantine.ts'
import { exists, prepareReplacement, takePlace } from './replacement.ts'
import { damageMark, isDoubtful, seenDamage } from './seen-damage.ts'
import { closedCleanly, countEnds, uncleanEnds } from './unclean-ends.ts'

export interface GuardedDatabaseInit {
  readonly dir: string
  readonly database: Database
  /** The same in another folder. */
  readonly databaseAt: (dir: string) => Database
  readonly limits: Limits
  readonly log: LogPort
  /** Told why it takes no writes, and again where that is another reason by now; undefined: it takes them again. */
  readonly onMode: (why: Code | undefined) => void
  /** Throws where another folder has taken the place of the one that was opened, or none is there. */
  readonly checkPlace: () => Promise<void>
  /** Runs work while no write is under way. */
  readonly alone: (work: () => Promise<void>) => Promise<void>
}

/** A write that changes nothing. */
const NOTHING: Operation = { type: 'del', key: NO_KEY }

/** Opened anew it takes writes, under load many of them, until it has tried again to merge its tables, megabytes of them. */
const UNPROVEN_MS = 60_000

/**
 * LevelDB with what it lacks: a disk that refuses writes makes it read-only until one goes through again, a damaged
 * store is set aside. Its errors become ours here.
 *
 * After a failed write LevelDB's log may end in a torn record, behind which synced ones would be lost at the next
 * start; so nothing is written after a failure before the database was closed and opened again. Or it ends in a whole
 * one that could not be synced: LevelDB does not show it, but finds it when it opens again; so it is taken back then.
 */
export class GuardedDatabase {
  readonly #init: GuardedDatabaseInit
  /** Resolved while the database is open for reading. */
  #readable: Promise<void> = Promise.resolve()
  #broken = false
  /** Folders other than the store's own that refused a write, on disks of their own perhaps, and that write. */
  readonly #refusedElsewhere = new Map<string, () => Promise<void>>()
  /** Keys of the synced batch that failed, with what was under them before: its record may lie in the log. */
  #failedKeys: readonly string[] = []
  #before: readonly Operation[] | undefined
  /** Why it takes no writes. */
  #readOnly: MeshError | undefined
  /** When LevelDB was opened anew after a failure: what fails soon after says that nothing has become better. */
  #openedAnewMonoMs = Number.NEGATIVE_INFINITY
  /** Each write is refused untried: that LevelDB opens anew, and takes one at once, tells nothing. */
  #refusesUntried = false
  #wasSetAside = false
  #endedUnclean = false
  #opened = false
  #isChecked = false
  readonly #probe: DiskProbe

  constructor(init: GuardedDatabaseInit) {
    this.#init = init
    const attempt = () => init.alone(async () => void (this.#probe.isOn && (await this.#lookAgain())))
    this.#probe = new DiskProbe({ pauseMs: init.limits.storeProbeMs, attempt })
  }

  get wasSetAside(): boolean {
    return this.#wasSetAside
  }

  /** What one record says of others may not hold: some may be lost. */
  get isDoubtful(): boolean {
    return this.#wasSetAside || this.#endedUnclean
  }

  /** What was in doubt has been looked for, and what was found is written. */
  setChecked(): void {
    this.#isChecked = true
  }

  /** @throws MeshError STORE_LOCKED, STORE_FULL, STORE_FAILED */
  async open(): Promise<void> {
    const { dir, limits } = this.#init
    try {
      await takePlace(dir)
      // Others need room on this disk as well, such as libp2p's own store. Where nothing can go, opening says what is wrong.
      await this.withRoom(() => demandRoom(dirname(dir), limits.storeProbeBytes)).catch(() => undefined)
      const damage = await this.#damage()
      if (damage !== undefined) await this.#replace(damage)
      else await this.#openOrBegin()
    } catch (error) {
      throw storeError(error, dir)
    }
    this.#opened = true
  }

  /** @returns what is wrong with the store; undefined: nothing that is seen from outside */
  async #damage(): Promise<string | undefined> {
    const { dir, limits } = this.#init
    const ends = await uncleanEnds(dir)
    this.#endedUnclean = ends > 0
    // before the look: where that takes so long that the node is killed in it, the next life goes without
    await countEnds(dir, isDoubtful(ends) ? 1 : ends + 1)
    return (await seenDamage(dir, ends, limits.maxCheckedStoreBytes))?.what
  }

  async #openOrBegin(): Promise<void> {
    const { database } = this.#init
    try {
      await this.withRoom(() => database.open())
    } catch (error) {
      if (!isDamage(error)) throw error
      await this.#setAside('LevelDB cannot open it')
      await this.withRoom(() => database.open())
    }
  }

  /** A new store with what is still sound in the old one, if there is one. */
  async #replace(reason: string): Promise<void> {
    const { dir, database, databaseAt, limits } = this.#init
    if (await exists(dir)) {
      const wasMarked = await exists(damageMark(dir))
      await this.#markDamaged()
      let problem: string | undefined
      try {
        await this.withRoom(async () => {
          problem = await prepareReplacement(dir, databaseAt, limits)
        })
      } catch (error) {
        // Another node's, alive: what its files look like while it writes them is no damage.
        if (!wasMarked && isMeshError(error) && error.code === 'STORE_LOCKED')
          await rm(damageMark(dir), { force: true })
        throw error
      }
      if (problem !== undefined)
        this.#note('warn', 'STORE_CORRUPT', `${dir}: not read to its end: ${problem}; peers have the rest`)
    }
    await this.#setAside(reason)
    await takePlace(dir)
    await this.withRoom(() => database.open())
  }

  /** Where damage is found only by reading, while it is open. @throws MeshError STORE_* */
  async replace(reason: string): Promise<void> {
    try {
      await this.#init.database.close()
      await this.#replace(reason)
    } catch (error) {
      throw storeError(error, this.#init.dir)
    }
  }

  /** Before it is closed in its turn: no further try begins, and one that waits for its turn does nothing. */
  stopProbing(): void {
    this.#probe.stop()
  }

  async close(): Promise<void> {
    // A reopening that failed was reported when it did.
    await this.#readable.catch(() => undefined)
    // What failed was said to be so: the next start must not find it. That the disk takes nothing yet was reported.
    if (this.#failedKeys.length > 0) await this.#openAnew().catch(() => undefined)
    this.stopProbing()
    await this.#init.database.close()
    // One that another process has open keeps its count, and one in doubt that this start did not come to check.
    if (this.#opened && (this.#isChecked || !this.isDoubtful)) await closedCleanly(this.#init.dir)
  }

  /** What was not saved of a damaged store is lost: the floor is in its second copy, and peers have the rest. */
  async #setAside(reason: string): Promise<void> {
    const { dir, database, limits } = this.#init
    try {
      await database.close()
      const path = (await exists(dir)) ? await setAside(dir, limits.keepCorruptStores) : undefined
      await rm(damageMark(dir), { force: true })
      this.#wasSetAside = true
      const text = `${dir}: ${reason}; ${path === undefined ? 'it is gone' : `kept as ${path}`}, starting anew, refilling from peers`
      this.#note('error', 'STORE_CORRUPT', text)
    } catch (error) {
      throw storeError(error, dir)
    }
  }

  /** What LevelDB finds unreadable is undefined, as what is absent. @throws MeshError STORE_FAILED */
  async get(key: string): Promise<Uint8Array | undefined> {
    try {
      await this.#readable
      return await this.#init.database.get(key)
    } catch (error) {
      if (isDamage(error)) return undefined
      throw storeError(error, this.#init.dir)
    }
  }

  /** What LevelDB finds unreadable is left out, and it may be more than that one table. @throws MeshError STORE_FAILED */
  async *keys(prefix: string): AsyncGenerator<string, void, undefined> {
    try {
      await this.#readable
      yield* this.#init.database.keys(prefix)
    } catch (error) {
      if (!isDamage(error)) throw storeError(error, this.#init.dir)
    }
  }

  /** @throws what LevelDB throws */
  async sizeOf(from: string, to: string): Promise<number> {
    await this.#readable
    return this.#init.database.sizeOf(from, to)
  }

  /**
   * Only where there is room: what is merged goes when what it becomes is there. Whether it went well `check` finds out.
   *
   * @param liveBytes what is written anew of it, at most
   * @throws MeshError STORE_* while it takes no writes, and what LevelDB or the system throws
   */
  async compact(from: string, to: string, liveBytes: number): Promise<void> {
    const { dir, database, limits } = this.#init
    if (this.#readOnly !== undefined) throw this.#readOnly
    await demandRoom(dirname(dir), liveBytes + limits.storeProbeBytes)
    await this.#readable
    await database.compact(from, to)
  }

  /** LevelDB that could not merge its tables refuses each write from then on. @throws MeshError STORE_* */
  async check(): Promise<void> {
    await this.#init.alone(() => this.write([NOTHING], false))
  }

  /** Only while no other write is under way. @throws MeshError STORE_FULL, STORE_CORRUPT, STORE_FAILED */
  async write(operations: readonly Operation[], sync: boolean, alone = false): Promise<void> {
    await this.ready()
    try {
      await this.#init.database.batch(operations, sync, alone)
    } catch (error) {
      // Only a sync can fail behind a record that is whole.
      if (sync) this.#failedKeys = [...new Set(operations.map(({ key }) => key))]
      const failed = this.failed(error, this.#init.dir)
      if (performance.now() - this.#openedAnewMonoMs < UNPROVEN_MS) this.#doubt(failed)
      throw failed
    }
  }

  /** Before a write, and only while none is under way. @throws MeshError STORE_* while it takes none */
  async ready(): Promise<void> {
    if (this.#refusesUntried && this.#readOnly !== undefined) throw this.#readOnly
    await this.mend()
  }

  /** Only while no write is under way; what it did not do, the next write that counts on it does. @throws MeshError STORE_* */
  async settle(alone: boolean): Promise<void> {
    try {
      await this.#init.database.settle(alone)
    } catch (error) {
      throw this.failed(error, this.#init.dir)
    }
  }

  /**
   * After any failed write, also of a floor file. A full disk stays full, and damage until the next start; all else may
   * have been for once, which `mend` finds out.
   * @param again the write that failed, where LevelDB did not make it
   */
  failed(error: unknown, where: string, again?: () => Promise<void>): MeshError {
    const failed = storeError(error, where)
    this.#broken = true
    if (again !== undefined) this.#refusedElsewhere.set(where, again)
    if (failed.code === 'STORE_FULL') this.#setReadOnly(failed)
    if (failed.code === 'STORE_CORRUPT') {
      this.#doubt(failed)
      void this.#markDamaged()
    }
    return failed
  }

  /**
   * What failed goes through when it is tried again, or the store takes no writes from now on: nothing else would tell of a
   * disk that refuses each of them. Nothing is closed before the disk has shown that it takes bytes: LevelDB cannot open
   * on a full one.
   */
  async mend(): Promise<void> {
    if (!this.#broken) return
    if (this.#readOnly?.code === 'STORE_CORRUPT') throw this.#readOnly
    await this.#openAnew()
  }

  async #openAnew(): Promise<void> {
    const { dir, database, limits, checkPlace } = this.#init
    let where = dir
    try {
      await checkPlace()
      for (const [folder, again] of this.#refusedElsewhere) {
        where = folder
        // With what a root takes, the longest of what lies there, beside the one that it replaces.
        await probeFolder(folder, 2 * limits.maxRootBytes)
        // A folder may take a file of that name and not the one that failed.
        await again()
      }
      where = dir
      await this.withRoom(() => database.probe(limits.storeProbeBytes))
      this.#before ??= await this.#readBefore()
      this.#readable = database.close().then(() => database.open())
      await this.#readable
      await database.batch(this.#before, true)
    } catch (error) {
      const failed = this.failed(error, where)
      // That the folder is gone ends the node.
      if (failed.code !== 'STORE_GONE') this.#setReadOnly(failed)
      throw failed
    }
    this.#broken = false
    this.#refusedElsewhere.clear()
    this.#failedKeys = []
    this.#before = undefined
    this.#openedAnewMonoMs = performance.now()
    if (!this.#refusesUntried) this.#setReadOnly(undefined)
  }

  /**
   * LevelDB that could not merge its tables refuses each write until it is opened anew, and then takes some until it has
   * tried to merge them again: opened and written to at once it would look sound, and refuse the next write, for ever.
   */
  #doubt(why: MeshError): void {
    this.#refusesUntried = true
    this.#setReadOnly(why)
  }

  /** What takes a write a while after it was opened anew has merged what it had to, or is still at it. */
  async #lookAgain(): Promise<void> {
    if (!this.#broken) {
      try {
        await this.#init.database.batch([NOTHING], true)
        this.#refusesUntried = false
        return this.#setReadOnly(undefined)
      } catch (error) {
        this.failed(error, this.#init.dir)
      }
    }
    await this.mend()
  }

  /**
   * Only while LevelDB is open since before the failure: a batch that failed is not among what it shows. With a write that
   * changes nothing: what was not synced is not written again, and only a write shows that LevelDB takes one.
   */
  async #readBefore(): Promise<Operation[]> {
    const before: Operation[] = [NOTHING]
    for (const key of this.#failedKeys) {
      const value = await this.get(key)
      before.push(value === undefined ? { type: 'del', key } : { type: 'put', key, value })
    }
    return before
  }

  /** A disk may be full of what was set aside for people to look at: that goes, the oldest first, before the node stands still. */
  async withRoom<T>(work: () => Promise<T>): Promise<T> {
    const { dir } = this.#init
    for (;;) {
      try {
        return await work()
      } catch (error) {
        // The floor, or the files, may lie on another disk, which that would not help.
        const full = isMeshError(error) && typeof error.details.dir === 'string' ? error.details.dir : dir
        const gone = faultOf(error) === 'full' ? await dropOldest(dir, full) : undefined
        if (gone === undefined) throw error
        this.#note('warn', 'STORE_FULL', `${dir}: no room; ${gone}, kept of a damaged store, is removed`)
      }
    }
  }

  #setReadOnly(why: MeshError | undefined): void {
    // Of what is damaged only the next start makes a new store.
    if (this.#readOnly?.code === why?.code || this.#readOnly?.code === 'STORE_CORRUPT') return
    this.#readOnly = why
    const isLost = why?.code === 'STORE_CORRUPT'
    if (why !== undefined) {
      const text = `${why.message}; what is stored is served on, ${isLost ? 'and nothing new is taken' : 'tried again by itself'}`
      this.#note('error', why.code, text)
    }
    if (why === undefined || isLost) this.#probe.stop()
    else this.#probe.start(why.code !== 'STORE_FULL')
    this.#init.onMode(why?.code)
  }

  /** Compaction met a table it cannot read, and will again: the next start sets the store aside. */
  async #markDamaged(): Promise<void> {
    await writeFile(damageMark(this.#init.dir), '').catch((error: unknown) => {
      this.#note('error', 'STORE_FAILED', storeError(error, this.#init.dir).message)
    })
  }

  #note(level: 'warn' | 'error', code: Code, text: string): void {
    this.#init.log.note({ kind: 'note', level, code, text })
  }
}
