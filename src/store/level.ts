import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Code } from '../errors.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import { type CacheBound, isAlone, type Snapshot, type StorePort, type Write } from '../runtime/ports.ts'
import { type AuditLog, auditLog } from './audit-log.ts'
import { CommitBytes } from './commit-bytes.ts'
import { CommitQueue } from './commit-queue.ts'
import { CommitTimes } from './commit-times.ts'
import { DamagedRecords, type Found } from './damaged-records.ts'
import { type Database, levelDatabase } from './database.ts'
import { DeadSpace } from './dead-space.ts'
import { isDamage, storeError } from './faults.ts'
import { type FloorFiles, type FloorFilesContent, floorFiles, type PreparedFloors } from './floor-files.ts'
import { joinCopies, withRootCopy } from './floors-joined.ts'
import { FolderWatch } from './folder-watch.ts'
import { GuardedDatabase } from './guarded-database.ts'
import { StoreIndex } from './index-in-memory.ts'
import { envelopeKey, sizeKey } from './keys.ts'
import { type CollectedStore, collectFrom } from './level-collection.ts'
import type { LevelStoreInit } from './level-init.ts'
import { type Lock, lockAll } from './lock.ts'
import { checkMeta } from './meta.ts'
import { operationsOf, pick } from './operations.ts'
import { readAll, type StoreContent } from './read-all.ts'
import { ENVELOPE, readRecord } from './records.ts'
import { Reserve } from './reserve.ts'
import { isBlock } from './stray-blocks.ts'
import { checkWhole } from './whole-check.ts'

/** The store on disk: LevelDB, every record checksummed, floors and newest root a second time as files. */
export class LevelStore implements StorePort {
  readonly #init: LevelStoreInit
  readonly #raw: Database
  readonly #database: GuardedDatabase
  readonly #floors: FloorFiles
  readonly #audit: AuditLog
  readonly #watch: FolderWatch
  readonly #queue: CommitQueue
  readonly #times: CommitTimes
  readonly #bytes: CommitBytes
  readonly #damaged: DamagedRecords
  readonly #deadSpace: DeadSpace
  readonly #reserve: Reserve
  #index = new StoreIndex()
  #locks: readonly Lock[] = []

  constructor(init: LevelStoreInit) {
    this.#init = init
    this.#raw = (init.database ?? levelDatabase)(init.dir)
    this.#database = new GuardedDatabase({
      dir: init.dir,
      database: this.#raw,
      databaseAt: init.database ?? levelDatabase,
      limits: init.limits,
      log: init.log,
      onMode: (code) => {
        if (code === undefined) void this.#deadSpace.giveBack()
        this.#reserve.onMode(code)
      },
      checkPlace: () => this.#watch.check(),
      alone: (work) => this.#queue.run(work),
    })
    this.#damaged = new DamagedRecords({
      dir: init.dir,
      database: this.#database,
      maxQuarantined: init.limits.maxQuarantined,
      note: (level, code, text) => this.#note(level, code, text),
    })
    const { dir, log } = init
    this.#deadSpace = new DeadSpace({ dir, log, database: this.#database, index: () => this.#index })
    const demandRoom = (bytes: number, share: number) =>
      this.#database.withRoom(() => this.#raw.demandRoom(bytes, share))
    this.#reserve = new Reserve({ ...init, demandRoom })
    this.#floors = init.floors ?? floorFiles(init.floorDir, init.fleetId, init.limits)
    this.#audit = auditLog(dirname(init.dir), init.limits, init.log)
    this.#watch = new FolderWatch(init.limits.storeWatchMs, (gone) => init.onGone?.(gone), log)
    this.#queue = new CommitQueue((writes, sync) => this.#flush(writes, sync), init.limits.maxStoreBatchBytes)
    this.#times = new CommitTimes(`${dir} or ${init.floorDir}`, log)
    this.#bytes = new CommitBytes(`${dir} or ${init.floorDir}`, this.#times, log)
  }

  async open(): Promise<void> {
    const { dir, floorDir, lockDirs = [] } = this.#init
    await mkdir(dirname(dir), { recursive: true, mode: 0o700 }).catch((error: unknown) => {
      throw storeError(error, dir)
    })
    // A lock is a LevelDB of its own and takes room, too: none is written to that another process has.
    this.#locks = await this.#database.withRoom(() => lockAll([...new Set([floorDir, ...lockDirs])]))
    try {
      await this.#database.open()
      await checkMeta(this.#database, this.#init)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async load(): Promise<Snapshot> {
    const content = await this.#readContent()
    const copies = await this.#floors.load().catch((error: unknown) => {
      throw storeError(error, this.#init.floorDir)
    })
    await this.#damaged.load()
    await this.#audit.takeOver({
      entries: (prefix) => this.#raw.entries(prefix),
      batch: (operations, sync) => this.#database.write(operations, sync),
    })
    const snapshot = await this.#queue.run(() => this.#settle(content, copies))
    await this.#watch.start([this.#init.dir, ...this.#locks.map(({ path }) => path)])
    void this.#deadSpace.giveBack()
    return snapshot
  }

  commit(writes: readonly Write[], sync: boolean): Promise<void> {
    const queued = () => this.#bytes.of(writes, () => this.#queue.commit(writes, sync))
    return this.#times.of(this.#reserve.demand(writes)?.then(queued) ?? queued())
  }

  /** Of the oldest commit under way; 0 where there is none. */
  commitAgeMs(): number {
    return this.#times.ageMs()
  }

  async readBlock(digest: Digest): Promise<Uint8Array | undefined> {
    const bytes = await this.#readBlock(digest)
    // The core knows whether it had counted on it, and fetches it again then.
    if (bytes === undefined) this.#init.emit?.({ kind: 'blockLost', digest })
    return bytes
  }

  hasBlock(digest: Digest): boolean {
    return this.#index.blocks.has(digest)
  }

  async readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined> {
    if (!this.#index.envelopes.has(release)) return undefined
    const key = envelopeKey(release)
    const sealed = await this.#database.get(key)
    const record = sealed === undefined ? undefined : readRecord(ENVELOPE, key, sealed, this.#init.limits)
    if (record !== undefined) return record.bytes
    if (this.#index.envelopes.has(release)) {
      this.#index.removeEnvelope(release)
      await this.#setAside([{ key, value: sealed }])
      // Behind it: what is written anew must not be set aside.
      this.#init.emit?.({ kind: 'envelopeLost', release })
    }
    return undefined
  }

  async collect(
    keep: readonly ReleaseId[],
    bound: CacheBound,
    stop?: AbortSignal,
  ): Promise<readonly Digest[]> {
    const { dir, limits, log } = this.#init
    const store: CollectedStore = {
      dir,
      limits,
      log,
      index: this.#index,
      queue: this.#queue,
      beside: this,
      database: this.#database,
    }
    const gone = await collectFrom(store, keep, bound, stop)
    if (gone.length > 0 || bound.maxCacheBytes === 0) void this.#deadSpace.giveBack()
    return gone
  }

  bytes(): number {
    return this.#index.bytes
  }

  async close(): Promise<void> {
    this.#database.stopProbing()
    this.#reserve.stop()
    await this.#deadSpace.stop()
    await this.#queue.run(() => this.#database.close())
    this.#watch.stop()
    await Promise.allSettled(this.#locks.map((lock) => lock.release()))
    this.#locks = []
  }

  // Opening

  /** A table that LevelDB cannot read is found here where the store is too large to be read through from outside. */
  async #readContent(): Promise<StoreContent> {
    try {
      return await this.#readAll()
    } catch (error) {
      if (!isDamage(error)) throw storeError(error, this.#init.dir)
      await this.#database.replace('a table cannot be read')
      await checkMeta(this.#database, this.#init)
      return await this.#readAll().catch((again: unknown) => {
        throw storeError(again, this.#init.dir)
      })
    }
  }

  #readAll(): Promise<StoreContent> {
    this.#index = new StoreIndex()
    return readAll(this.#raw, this.#index, this.#init.limits)
  }

  // What was read becomes the snapshot

  async #settle(content: StoreContent, copies: FloorFilesContent): Promise<Snapshot> {
    const { fleetId, floorDir } = this.#init
    for (const floor of copies.foreign)
      this.#note(
        'warn',
        'STORE_FLOOR_LOST',
        `${floorDir}: the floor of ${floor.channel} belongs to fleet ${floor.fleet.slice(0, 12)} and counts as absent`,
      )
    if (copies.damaged.length > 0)
      this.#note(
        'error',
        'STORE_CORRUPT',
        `${floorDir}: ${copies.damaged.length} damaged files set aside as *.corrupt`,
      )
    const whole = await this.#checkWhole(content)

    const own = content.floors.filter((floor) => fleetId === undefined || floor.fleet === fleetId)
    const joined = joinCopies(own, copies.floors)
    const roots = withRootCopy(content.roots, copies)
    const missing = roots.filter(({ version }) => !content.roots.some((root) => root.version === version))
    await this.#heal({ floors: joined.forStore, roots: missing }, joined.forFiles, roots.at(-1))
    const withFloor = new Set(joined.floors.map((floor) => floor.channel))
    const used = content.used || this.#database.wasSetAside
    const lacking = [...content.channels, ...content.envelopes].some(({ channel }) => !withFloor.has(channel))
    const floorLost = (used && joined.floors.length === 0) || lacking
    if (floorLost)
      this.#note(
        'error',
        'STORE_FLOOR_LOST',
        `${floorDir} and ${this.#init.dir}: both copies of the floor are gone; asking peers for the newest before anything is activated`,
      )
    return {
      roots,
      floors: [...own, ...copies.floors],
      floorLost,
      channels: content.channels,
      envelopes: content.envelopes,
      whole,
      blocks: new Set(this.#index.blocks.keys()),
      beacons: content.beacons,
      leases: content.leases,
      peers: [],
      corrupt: content.damaged.length + copies.damaged.length + (this.#database.wasSetAside ? 1 : 0),
    }
  }

  /** What is damaged goes, and what counted on it is not whole. */
  async #checkWhole(content: StoreContent): Promise<readonly ReleaseId[]> {
    const { damaged } = content
    if (damaged.length === 0 && !this.#database.isDoubtful) return content.whole
    const { limits } = this.#init
    const { whole, lacking, operations } = await checkWhole(content, this.#index, this.#database, limits)
    if (lacking.length > 0)
      this.#note('error', 'STORE_CORRUPT', `${this.#init.dir}: ${lacking.length} releases lack blocks`)
    const isFound = damaged.length + operations.length > 0
    if (!isFound || (await this.#damaged.setAside(damaged, operations))) this.#database.setChecked()
    return whole
  }

  /**
   * Both copies hold the greater floor and the newest root again: a node may have died between writing the one and
   * the other. A full disk delays this, the core has what was joined anyway.
   */
  async #heal(
    forStore: Pick<Snapshot, 'floors' | 'roots'>,
    forFiles: Snapshot['floors'],
    root: Snapshot['roots'][number] | undefined,
  ): Promise<void> {
    try {
      await (await this.#floors.prepare(forFiles, root)).show()
      const writes: Write[] = forStore.floors.map((floor) => ({ kind: 'floor', floor }))
      for (const { version, envelope } of forStore.roots) writes.push({ kind: 'root', version, envelope })
      if (writes.length > 0)
        await this.#database.write(
          writes.flatMap((write) => operationsOf(write, this.#index)),
          true,
        )
    } catch (error) {
      const failed = storeError(error, this.#init.floorDir)
      this.#note('warn', failed.code, `floors not yet restored in both places: ${failed.message}`)
    }
  }

  // Writing

  /** Bytes in a folder that is gone are not durable, whatever LevelDB says; what is refused must not be there either. */
  async #flush(writes: readonly Write[], sync: boolean): Promise<void> {
    await this.#database.ready()
    try {
      await this.#write(writes, sync)
    } catch (error) {
      await this.#watch.checkGone()
      // At once, before it is answered: a crash would bring back what failed. Where the disk takes nothing yet, later.
      await this.#database.mend().catch(() => undefined)
      throw error
    }
  }

  async #write(writes: readonly Write[], sync: boolean): Promise<void> {
    const files = sync ? await this.#prepareSynced(writes) : await this.#prepareFiles(writes)
    const joined = writes.map((write): Write => {
      const floor = write.kind === 'floor' ? files.floors.get(write.floor.channel) : undefined
      return floor === undefined ? write : { kind: 'floor', floor }
    })
    const operations = joined.flatMap((write) => operationsOf(write, this.#index))
    try {
      await this.#database.write(operations, sync, isAlone(writes))
    } catch (error) {
      // A release that was refused leaves no trace: its floor alone would hold its place for ever.
      await files.drop().catch(() => undefined)
      throw error
    }
    // The store has them: where the files cannot be renamed, the next batch or the next start does it.
    const shown = files.show().catch((error: unknown) => {
      const { code, message } = storeError(error, this.#init.floorDir)
      this.#note('error', code, `floors lie in the store alone until the next write: ${message}`)
    })
    await shown
    if (sync) await this.#watch.checkGone()
    for (const write of joined) this.#index.apply(write)
    await this.#audit.append(pick(writes, 'audit'))
  }

  /**
   * All that a synced batch has to wait for, side by side: each is some trips to the disk, and beside a large release
   * each of them is late.
   */
  async #prepareSynced(writes: readonly Write[]): Promise<PreparedFloors> {
    await this.#checkPlace()
    const [files, settled] = await Promise.allSettled([
      this.#prepareFiles(writes),
      this.#database.settle(isAlone(writes)),
    ])
    if (settled.status === 'fulfilled' && files.status === 'fulfilled') return files.value
    if (files.status === 'fulfilled') await files.value.drop().catch(() => undefined)
    throw settled.status === 'rejected' ? settled.reason : (files as PromiseRejectedResult).reason
  }

  /** A folder that cannot be looked at is told as one that refuses writes. @throws MeshError STORE_* */
  async #checkPlace(): Promise<void> {
    try {
      await this.#watch.check()
    } catch (error) {
      throw this.#database.failed(error, this.#init.dir)
    }
  }

  /** What takes room, before anything is written: only a whole batch is to be seen, in the store and in the files. */
  async #prepareFiles(writes: readonly Write[]): Promise<PreparedFloors> {
    const floors = pick(writes, 'floor').map(({ floor }) => floor)
    const newest = pick(writes, 'root')
      .toSorted((a, b) => a.version - b.version)
      .at(-1)
    const prepare = () => this.#floors.prepare(floors, newest)
    try {
      return await prepare()
    } catch (error) {
      throw this.#database.failed(error, this.#init.floorDir, async () => (await prepare()).drop())
    }
  }

  // Reading

  async #readBlock(digest: Digest): Promise<Uint8Array | undefined> {
    const key = this.#index.keyOf(digest)
    if (key === undefined) return undefined
    const bytes = await this.#database.get(key)
    if (bytes !== undefined && isBlock(digest, bytes)) return bytes
    // Another reader may have seen it first, or collection took it meanwhile, and it may have come again elsewhere.
    if (this.#index.keyOf(digest) !== key) return this.#readBlock(digest)
    this.#index.loseBlock(digest)
    await this.#setAside(
      [
        { key, value: bytes },
        { key: sizeKey(digest), value: undefined },
      ],
      () => this.hasBlock(digest),
    )
    // In a commit that was under way it may have come again.
    return this.#readBlock(digest)
  }

  /** @param isBack asked when its turn comes: it was written anew meanwhile, in the same place */
  #setAside(damaged: readonly Found[], isBack = () => false): Promise<void> {
    return this.#queue.run(async () => {
      if (!isBack()) await this.#damaged.setAside(damaged)
    })
  }

  #note(level: 'warn' | 'error', code: Code, text: string): void {
    this.#init.log.note({ kind: 'note', level, code, text })
  }
}
