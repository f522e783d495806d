import { join } from 'node:path'
import { makeReadable } from '../activate/safe-directory.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import { storeError } from '../store/faults.ts'
import { startChain } from '../trust/chain.ts'
import type { NodeConfig } from './config.ts'

export interface Folders {
  /** LevelDB with everything the node holds. */
  readonly dir: string
  /** The second copy of floors and newest root: beside the materialized tree, so that a lost store leaves it. */
  readonly floorDir: string
  /** Folders beside the store's that one process alone may use. */
  readonly lockDirs: readonly string[]
}

/**
 * Where a node keeps what, as its configuration says; floors of two fleets on one host lie apart.
 * @param fleetId asked for only where the folder is named after the fleet
 */
export function foldersOf(config: NodeConfig, fleetId: () => FleetId): Folders {
  const { data, floorDir, materialize } = config
  const beside = materialize === undefined ? join(data, 'floor') : join(materialize.dir, '.confmesh')
  const lockDirs = materialize === undefined ? [] : [materialize.dir]
  return {
    dir: join(data, 'store'),
    floorDir: floorDir ?? join(beside, floorName(fleetId())),
    lockDirs,
  }
}

/** Of the folder with a fleet's second copy, among those of others. */
export const floorName = (fleetId: FleetId): string => fleetId.slice(0, 8)

/**
 * The folders that may be named apart from the data folder: one that is a file, or lies below one, is told by its key
 * before anything else is made.
 * @throws MeshError CONFIG_INVALID, STORE_FULL, ACTIVATE_UNSAFE_DIR
 */
export async function makeFolders({ data, materialize, floorDir }: NodeConfig): Promise<void> {
  const named = { 'materialize.dir': materialize?.dir, floorDir }
  for (const [key, path] of Object.entries(named)) {
    if (path === undefined) continue
    try {
      if (key === 'floorDir') await makeFolder(path, 0o755)
      else await makeReadable(path, data)
    } catch (error) {
      if (isMeshError(error)) throw error
      const fault = storeError(error, path)
      if (fault.code === 'STORE_FULL') throw fault
      const reason = (error as NodeJS.ErrnoException).code
      const text = `${key}: ${path} is no folder and cannot become one: ${reason}; name a folder of the node's own`
      throw new MeshError('CONFIG_INVALID', text, { key }, { cause: error })
    }
  }
}

/** The fleet that a root belongs to. @throws MeshError TRUST_* */
export const fleetOf = (root: Uint8Array, limits: Limits): FleetId => startChain(root, limits).current.fleetId
