/**
 * Which MANIFEST of LevelDB is in use, and which tables that names. A kill while a table is written leaves a file that no
 * MANIFEST names yet, cut anywhere: no damage, LevelDB's next start removes it. Source: db_impl.cc, version_edit.cc and
 * version_set.cc of LevelDB.
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { partsOf } from './level-log.ts'
import { varintAt } from './level-number.ts'

/** Of the very first start, where a kill may come before there is a `CURRENT`: nothing is in that store yet. */
const FIRST_MANIFEST = 'MANIFEST-000001'

/**
 * LevelDB takes a folder without `CURRENT` for one without a store, begins one there, and removes the tables that are left.
 * @param names of all files there
 */
export const hasLostCurrent = (names: readonly string[]): boolean =>
  !names.includes('CURRENT') &&
  names.some((name) => /^(MANIFEST-\d+|\d+\.(ldb|log))$/.test(name) && name !== FIRST_MANIFEST)

/** So that what is sound can be read: which MANIFEST is in use is known where there is one alone. */
export async function restoreCurrent(dir: string): Promise<void> {
  const names = await readdir(dir)
  const [manifest, ...others] = names.filter((name) => /^MANIFEST-\d+$/.test(name))
  if (manifest === undefined || others.length > 0 || !hasLostCurrent(names)) return
  // Whole or not at all: LevelDB does not open one that is cut short. Names that it does not know it leaves alone.
  const aside = join(dir, 'CURRENT.new')
  await writeFile(aside, `${manifest}\n`, { mode: 0o600, flush: true })
  await rename(aside, join(dir, 'CURRENT'))
}

/** @returns the numbers of the tables in use; undefined where that cannot be read: each may be in use then */
export async function tablesInUse(dir: string): Promise<ReadonlySet<number> | undefined> {
  try {
    const name = (await readFile(join(dir, 'CURRENT'), 'latin1')).trimEnd()
    if (!/^MANIFEST-\d+$/.test(name)) return undefined
    return tablesOf(await readFile(join(dir, name)))
  } catch {
    // What is wrong with these files is said by those who need them: the check of the log, and LevelDB itself.
    return undefined
  }
}

/** @throws Error where it is damaged or holds an edit that we do not know */
function tablesOf(manifest: Buffer): ReadonlySet<number> {
  const tables = new Set<number>()
  let edit: Buffer[] = []
  for (const { isLast, data } of partsOf(manifest)) {
    edit.push(data)
    if (!isLast) continue
    apply(Buffer.concat(edit), tables)
    edit = []
  }
  return tables
}

/** An edit is a row of fields, each a tag and what the tag says. */
function apply(edit: Buffer, tables: Set<number>): void {
  let at = 0
  const number = (): number => {
    const { value, next } = varintAt(edit, at)
    at = next
    return value
  }
  const text = (): void => {
    const length = number()
    at += length
  }
  while (at < edit.length) {
    const tag = number()
    if (tag === TAG.comparator) text()
    else if (COUNTERS.has(tag)) number()
    else if (tag === TAG.compactPointer) [number(), text()]
    else if (tag === TAG.deletedFile) [number(), tables.delete(number())]
    else if (tag === TAG.newFile) [number(), tables.add(number()), number(), text(), text()]
    else throw new Error(`tag ${tag} in an edit is not one that LevelDB writes`)
  }
}

const TAG = { comparator: 1, compactPointer: 5, deletedFile: 6, newFile: 7 } as const
/** Of the log, the next file, the last sequence, the log before. */
const COUNTERS = new Set([2, 3, 4, 9])
