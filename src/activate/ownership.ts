import type { FileHandle } from 'node:fs/promises'
import { readFile } from 'node:fs/promises'
import { activateError } from './errors.ts'

/** Modes and group that files and folders of a tree get. */
export interface Ownership {
  /** Overrides 0444; a file that is to run gets an `x` beside each `r`. */
  readonly mode: number | undefined
  readonly gid: number | undefined
}

/** As the configuration says it. */
export interface Materialize {
  /** Octal text such as "0440", or its number; files of the manifest's own mode without. */
  readonly mode?: string | number | undefined
  /** Name or number. */
  readonly group?: string | number | undefined
}

/** @throws MeshError CONFIG_INVALID */
export async function ownershipOf({ mode, group }: Materialize): Promise<Ownership> {
  const octal = typeof mode === 'string' ? Number.parseInt(mode, 8) : mode
  return { mode: octal, gid: await groupId(group) }
}

const runnable = (mode: number): number => mode | ((mode & 0o444) >> 2)

export const fileMode = ({ mode }: Ownership, listed: number): number =>
  mode === undefined ? listed : (listed & 0o111) !== 0 ? runnable(mode) : mode & 0o666

/** Readable folders for whoever may read the files; ours to change. */
export const directoryMode = ({ mode }: Ownership): number =>
  mode === undefined ? 0o755 : 0o700 | runnable(mode & 0o444)

/** Through the open file, so that no name is looked up again. */
export async function own(handle: FileHandle, mode: number, { gid }: Ownership): Promise<void> {
  if (gid !== undefined) await handle.chown(process.geteuid?.() ?? -1, gid)
  // After chown, which may clear bits.
  await handle.chmod(mode)
}

/** A group by number or name. @throws MeshError CONFIG_INVALID */
async function groupId(group: string | number | undefined): Promise<number | undefined> {
  if (group === undefined || typeof group === 'number') return group
  if (/^\d+$/.test(group)) return Number(group)
  // An image for containers may have no such file: then it has no groups by name.
  const lines = (await readFile('/etc/group', 'utf8').catch(() => '')).split('\n')
  const fields = lines.map((line) => line.split(':')).find(([name]) => name === group)
  if (fields?.[2] === undefined)
    throw activateError('CONFIG_INVALID', `materialize.group: no group ${JSON.stringify(group)} on this host`)
  return Number(fields[2])
}
