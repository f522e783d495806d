import type { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
import type { EventOf, LogPort } from '../runtime/ports.ts'
import type { Database } from './database.ts'
import type { FloorFiles } from './floor-files.ts'

export interface LevelStoreInit {
  /** `<data>/store`. */
  readonly dir: string
  /** Where floors and the newest root lie a second time. */
  readonly floorDir: string
  /** Further folders that only this process may use: `materialize.dir`. */
  readonly lockDirs?: readonly string[]
  /** Floors of other fleets count as absent. */
  readonly fleetId?: FleetId
  readonly limits: Limits
  readonly log: LogPort
  /** A block or an envelope turned out to be damaged; the store takes writes no longer, or again. */
  readonly emit?: (event: EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>) => void
  /** A folder was taken away: nothing can be kept any more, and a second node may come. STORE_GONE. */
  readonly onGone?: (gone: MeshError) => void
  /** Another disk behind the store, for tests. */
  readonly database?: (dir: string) => Database
  readonly floors?: FloorFiles
}
