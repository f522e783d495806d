import { join } from 'node:path'
import type { FleetId } from '../model/ids.ts'
import { startChain } from '../trust/chain.ts'
import type { NodeConfig } from './config.ts'
import { readDocument } from './documents.ts'

export interface Folders {
  /** LevelDB with everything the node holds. */
  readonly dir: string
  /** The second copy of floors and newest root: beside the materialized tree, so that a lost store leaves it. */
  readonly floorDir: string
  /** Folders beside the store's that one process alone may use. */
  readonly lockDirs: readonly string[]
}

/** Where a node keeps what, as its configuration says; floors of two fleets on one host lie apart. */
export function foldersOf(config: NodeConfig): Folders {
  const { data, floorDir, materialize } = config
  const beside = materialize === undefined ? join(data, 'floor') : join(materialize.dir, '.confmesh')
  const lockDirs = materialize === undefined ? [] : [materialize.dir]
  return {
    dir: join(data, 'store'),
    floorDir: floorDir ?? join(beside, fleetOf(config).slice(0, 8)),
    lockDirs,
  }
}

/** The fleet that the configured root belongs to. @throws MeshError CONFIG_UNREADABLE, CONFIG_INVALID, TRUST_* */
export function fleetOf({ root, limitsInForce: limits }: NodeConfig): FleetId {
  return startChain(readDocument(root, 'root', limits), limits).current.fleetId
}
