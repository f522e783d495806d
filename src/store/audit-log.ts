import type { Limits } from '../limits.ts'
import type { LogPort } from '../runtime/ports.ts'
import { type AuditLine, auditFile } from './audit-file.ts'
import type { Database, Operation } from './database.ts'
import { storeError } from './faults.ts'
import { nameIn, PREFIX } from './keys.ts'
import { AUDIT, readRecord } from './records.ts'

/** Records moved with one batch: a few hundred kilobytes of memory. */
const BATCH = 1_000

/** Where they lie. What cannot be written must be known to whoever writes there next. */
export type AuditRecords = Pick<Database, 'entries' | 'batch'>

/** The audit log as the store keeps it. What was answered stands, also where its line cannot be written: that is said. */
export interface AuditLog {
  append(lines: readonly AuditLine[]): Promise<void>
  /**
   * Earlier builds kept the log in the store, for ever. Each record becomes a line on disk, then goes; a crash in
   * between writes some lines twice. Damaged ones go as they are: nothing hangs on them.
   */
  takeOver(database: AuditRecords): Promise<void>
}

/** @param dataDir where the files are; the log is told what is lost */
export function auditLog(dataDir: string, limits: Limits, log: LogPort): AuditLog {
  const file = auditFile(dataDir, limits)
  const say = (error: unknown, what: string): void => {
    const { code, message } = storeError(error, file.path)
    log.note({ kind: 'note', level: 'error', code, text: `${what}: ${message}` })
  }

  async function move(database: AuditRecords): Promise<void> {
    let lines: AuditLine[] = []
    let gone: Operation[] = []
    const flush = async (): Promise<void> => {
      await file.append(lines)
      // Before the records go, which is synced: a power cut between would leave neither.
      if (lines.length > 0) await file.sync()
      await database.batch(gone, true)
      lines = []
      gone = []
    }
    for await (const [key, sealed] of database.entries(PREFIX.audit)) {
      const at = Number.parseInt(nameIn(PREFIX.audit, key), 10)
      const record = readRecord(AUDIT, key, sealed, limits)
      if (record !== undefined && Number.isSafeInteger(at)) lines.push({ at, ...record })
      gone.push({ type: 'del', key })
      if (gone.length === BATCH) await flush()
    }
    if (gone.length > 0) await flush()
  }

  return {
    append: (lines) =>
      file.append(lines).catch((error) => say(error, `${lines.length} lines of the audit log are lost`)),
    takeOver: (database) =>
      move(database).catch((error) => say(error, 'the audit log of an earlier build stays in the store')),
  }
}
