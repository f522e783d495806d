import { join } from 'node:path'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
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
    floorDir: floorDir ?? join(beside, fleetId().slice(0, 8)),
    lockDirs,
  }
}

/** The fleet that a root belongs to. @throws MeshError TRUST_* */
export const fleetOf = (root: Uint8Array, limits: Limits): FleetId => startChain(root, limits).current.fleetId
