import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel } from '../model/ids.ts'
import { comparePlaces } from '../model/place.ts'
import type { Snapshot } from '../runtime/ports.ts'
import type { FloorFilesContent } from './floor-files.ts'

const byChannel = (floors: readonly Floor[]): ReadonlyMap<Channel, Floor> =>
  new Map(floors.map((floor) => [floor.channel, floor]))

const same = (a: Floor, b: Floor | undefined): boolean =>
  b !== undefined && comparePlaces(a.top, b.top) === 0 && a.ids.join() === b.ids.join()

export interface JoinedFloors {
  readonly floors: readonly Floor[]
  /** What each copy lacks. */
  readonly forStore: readonly Floor[]
  readonly forFiles: readonly Floor[]
}

/** The greater of the two copies of each floor, by channel, and what must be written so that both hold it again. */
export function joinCopies(store: readonly Floor[], files: readonly Floor[]): JoinedFloors {
  const [inStore, inFiles] = [byChannel(store), byChannel(files)]
  const floors = [...new Set([...inStore.keys(), ...inFiles.keys()])].sort().flatMap((channel) => {
    const [a, b] = [inStore.get(channel), inFiles.get(channel)]
    return a !== undefined && b !== undefined
      ? [joinFloors(a, b)]
      : [a ?? b].filter((floor) => floor !== undefined)
  })
  return {
    floors,
    forStore: floors.filter((floor) => !same(floor, inStore.get(floor.channel))),
    forFiles: floors.filter((floor) => !same(floor, inFiles.get(floor.channel))),
  }
}

/** The newest root of the second copy, where the store lacks it. */
export function withRootCopy(roots: Snapshot['roots'], { root }: FloorFilesContent): Snapshot['roots'] {
  const known = root === undefined || roots.some(({ version }) => version === root.version)
  return known ? roots : [...roots, root].sort((a, b) => a.version - b.version)
}
