import type { Limits } from '../limits.ts'
import type { AuditFile, AuditLine } from './audit-file.ts'
import type { Database, Operation } from './database.ts'
import { nameIn, PREFIX } from './keys.ts'
import { AUDIT, readRecord } from './records.ts'

/** Records moved with one batch: a few hundred kilobytes of memory. */
const BATCH = 1_000

/**
 * Earlier builds kept the audit log in the store, for ever. Each record becomes a line of the file, then goes; a crash
 * in between writes some lines twice. Damaged ones go as they are: nothing hangs on them.
 */
export async function moveAuditRecords(database: Database, audit: AuditFile, limits: Limits): Promise<void> {
  let lines: AuditLine[] = []
  let gone: Operation[] = []
  const flush = async (): Promise<void> => {
    await audit.append(lines)
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
