import { open as openFile, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { NO_KEY, rangeOf } from './keys.ts'
import { syncLogs } from './log-sync.ts'

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

/** The few operations the store needs of LevelDB; tests put a faulty disk behind it. Errors are LevelDB's own. */
export interface Database {
  open(): Promise<void>
  get(key: string): Promise<Uint8Array | undefined>
  /**
   * All or nothing, in the order of calls; `sync`: on disk when it resolves, and never before what went before it. `alone`: but
   * for records that were only put there, on which it does not count; those in the log it is written to are on disk with it.
   */
  batch(operations: readonly Operation[], sync: boolean, alone?: boolean): Promise<void>
  /** What batches without `sync` wrote is on disk when it resolves: work that such a synced batch need not wait for any more. */
  settle(alone?: boolean): Promise<void>
  /** Ascending by key; all of them without a prefix. */
  entries(prefix?: string): AsyncIterable<readonly [string, Uint8Array]>
  /** As `entries`, without what lies under them. */
  keys(prefix: string): AsyncIterable<string>
  /** What its tables have in this range, with what is gone from there and not yet merged away; roughly, and without its logs. */
  sizeOf(from: string, to: string): Promise<number>
  /**
   * Merges the tables of this range at once, so that what is gone gives its room back. Writes and reads go on, `close` waits
   * for it. That it could not, LevelDB says to the next write alone.
   */
  compact(from: string, to: string): Promise<void>
  /** Throws while the disk takes no bytes. */
  probe(bytes: number): Promise<void>
  /** Throws where the disk says that it has fewer left, and less than this share of all of it. */
  demandRoom(bytes: number, share: number): Promise<void>
  close(): Promise<void>
}

/** The types of `level` have only what browsers have as well. */
type NodeLevel = Level<string, Uint8Array> & {
  approximateSize(from: string, to: string): Promise<number>
  compactRange(from: string, to: string): Promise<void>
}

const view = (buffer: Uint8Array): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)

/**
 * @param share of the whole disk, which is enough where that is less
 * @throws ENOSPC where the disk has fewer bytes left, and what the system says where it cannot be asked
 */
export async function demandRoom(dir: string, bytes: number, share = 1): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(dir)
  // Some file systems have no size and say 0 of all.
  if (blocks > 0 && bavail * bsize < Math.min(bytes, blocks * bsize * share))
    throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
}

/** @throws what the system says while the disk under this folder takes no bytes */
export async function probeFolder(dir: string, bytes: number): Promise<void> {
  // Looked up before it is tried, so that probing takes the last bytes from nobody else.
  await demandRoom(dir, bytes)
  const path = join(dir, 'probe')
  try {
    const file = await openFile(path, 'w', 0o600)
    try {
      await file.write(new Uint8Array(bytes))
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}

/**
 * What is taken away must not come back beside what was written later: a release would count as whole whose blocks are gone,
 * and a place be leased to two.
 */
const takesAway = ({ type, key }: Operation): boolean => type === 'del' && key !== NO_KEY

export interface Opening {
  readonly mustExist?: boolean
  /** Records read ahead are lost with the one that cannot be read: none are, where each counts. */
  readonly oneByOne?: boolean
}

/**
 * Snappy is off: one flipped bit in a compressed table block makes LevelDB refuse all its records, in a plain
 * one it costs a single record, which the checksums find.
 */
export function levelDatabase(dir: string, { mustExist = false, oneByOne = false }: Opening = {}): Database {
  let level: NodeLevel | undefined
  /** Written since they were synced last, in logs that LevelDB may have left since, or leaves with the next batch. */
  let unsynced: 'nothing' | 'additions' | 'removals' = 'nothing'
  const opened = (): NodeLevel => {
    if (level === undefined) throw new Error('the store is not open')
    return level
  }
  const settle = async (alone = false) => {
    if (unsynced === 'nothing' || (alone && unsynced === 'additions')) return
    await syncLogs(dir)
    unsynced = 'nothing'
  }
  return {
    async open() {
      // Its constructor opens at once, hence not before here.
      level ??= new Level<string, Uint8Array>(dir, {
        keyEncoding: 'utf8',
        valueEncoding: 'view',
        compression: false,
        createIfMissing: !mustExist,
      }) as NodeLevel
      await level.open()
    },
    async get(key) {
      const value = await opened().get(key)
      return value === undefined ? undefined : view(value)
    },
    async batch(operations, sync, alone) {
      // The log it is in now as well: LevelDB may leave it in this very batch.
      if (sync) await settle(alone)
      else if (operations.some(takesAway)) unsynced = 'removals'
      else if (unsynced === 'nothing') unsynced = 'additions'
      await opened().batch([...operations], { sync })
    },
    settle,
    async *entries(prefix) {
      const range = prefix === undefined ? {} : rangeOf(prefix)
      const options = oneByOne ? { ...range, highWaterMarkBytes: 0 } : range
      for await (const [key, value] of opened().iterator(options)) yield [key, view(value)] as const
    },
    async *keys(prefix) {
      yield* opened().keys(rangeOf(prefix))
    },
    sizeOf: async (from, to) => opened().approximateSize(from, to),
    compact: async (from, to) => opened().compactRange(from, to),
    probe: (bytes) => probeFolder(dir, bytes),
    demandRoom: (bytes, share) => demandRoom(dir, bytes, share),
    close: async () => level?.close(),
  }
}
