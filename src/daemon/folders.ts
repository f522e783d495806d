import { join } from 'node:path'
import type { NodeConfig } from './config.ts'

export interface Folders {
  /** LevelDB with everything the node holds. */
  readonly dir: string
  /** The second copy of floors and newest root: beside the materialized tree, so that a lost store leaves it. */
  readonly floorDir: string
  /** Folders beside the store's that one process alone may use. */
  readonly lockDirs: readonly string[]
}

/** Where a node keeps what, as its configuration says. */
export function foldersOf(config: Pick<NodeConfig, 'data' | 'floorDir' | 'materialize'>): Folders {
  const { data, floorDir, materialize } = config
  const beside = materialize === undefined ? join(data, 'floor') : join(materialize.dir, '.confmesh')
  const lockDirs = materialize === undefined ? [] : [materialize.dir]
  return { dir: join(data, 'store'), floorDir: floorDir ?? beside, lockDirs }
}
