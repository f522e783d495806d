/** The files that applications read, held against the store of the stopped node that put them there. */
import { ChannelFolder, releaseOf } from '../activate/channel-folder.ts'
import { diskGate } from '../activate/disk-gate.ts'
import { isShort } from '../activate/errors.ts'
import { type Materialize, ownershipOf } from '../activate/ownership.ts'
import { readManifest } from '../activate/read-manifest.ts'
import { differenceOf } from '../activate/tree.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Pattern } from '../model/ids.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import { matchesAny } from '../model/pattern.ts'
import { storeError } from '../store/faults.ts'
import type { Problem } from '../store/problem.ts'
import type { StoredContent } from '../store/verify.ts'

export interface Files extends Materialize {
  readonly dir: string
  /** Files of other channels stay as they are: the node does not look after them. */
  readonly patterns: readonly Pattern[]
}

const NEVER = new AbortController().signal

/**
 * What a start would build anew: each tree in sight whose files are not those of its release, one after another.
 * @param notes gets what cannot be judged
 * @param onTree called before each is looked at, with its path
 * @throws MeshError CONFIG_INVALID (no such group), STORE_FAILED
 */
export async function checkFiles(
  files: Files,
  stored: StoredContent,
  limits: Limits,
  notes: string[],
  onTree?: (path: string) => void,
): Promise<readonly Problem[]> {
  const ownership = await ownershipOf(files)
  const disk = diskGate(limits)
  const problems: Problem[] = []
  for (const [channel, active] of stored.channels) {
    if (!matchesAny(files.patterns, channel)) continue
    const folder = new ChannelFolder(files.dir, channel)
    try {
      const tree = await folder.activeTree()
      const release = releaseOf(tree)
      if (tree === undefined || release === undefined) {
        if (active !== undefined)
          problems.push({ where: folder.current, what: `shows no release; ${active} is active` })
        continue
      }
      const where = folder.treePath(tree)
      const manifest = await manifestOf(stored, release, limits)
      if (typeof manifest === 'string') {
        notes.push(`${where} was not looked at: ${manifest}`)
        continue
      }
      onTree?.(where)
      const difference = await disk.within((apart) => differenceOf(where, manifest, ownership, NEVER, apart))
      if (difference !== undefined) problems.push({ where, what: `was changed (${difference})` })
    } catch (error) {
      if (isShort(error)) throw storeError(error, folder.path)
      // One that cannot be read hides nothing of the others.
      const { message } = isMeshError(error) ? error : storeError(error, folder.path)
      problems.push({ where: folder.path, what: message })
    }
  }
  return problems
}

/** A string says why there is none: as of a store put back that is older than the files. */
async function manifestOf(
  stored: StoredContent,
  release: Parameters<StoredContent['readEnvelope']>[0],
  limits: Limits,
): Promise<readonly ManifestEntry[] | string> {
  try {
    return await readManifest(stored, release, undefined, limits)
  } catch (error) {
    if (!isMeshError(error)) throw error
    return error.message
  }
}
