import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../codec/digest.ts'
import type { Limits } from '../limits.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, FleetId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'
import { replaceFile, syncDirectory } from './durable-file.ts'
import { FLOOR, ROOT, readRecord, writeRecord } from './records.ts'

export interface RootCopy {
  readonly version: number
  readonly envelope: Uint8Array
}

export interface FloorFilesContent {
  readonly floors: readonly Floor[]
  readonly root: RootCopy | undefined
  /** Files set aside as `<name>.corrupt`. */
  readonly damaged: readonly string[]
  /** Floors of other fleets: as if they were absent. */
  readonly foreign: readonly Floor[]
}

/** The second copy of what must never be lowered. Tests put a faulty disk behind it. */
export interface FloorFiles {
  load(): Promise<FloorFilesContent>
  /** Durable when it resolves. A floor already higher here stays: what is given back is what is to be kept. */
  write(floors: readonly Floor[], root: RootCopy | undefined): Promise<ReadonlyMap<Channel, Floor>>
  /**
   * The floors are as before the last `write`: the batch that it went ahead of failed, and nobody has heard of them. Where
   * a file cannot be put back the next write of its channel does it.
   */
  takeBack(): Promise<void>
}

const ROOT_FILE = 'root'
const nameOf = (channel: Channel): string => sha256(new TextEncoder().encode(channel))

/**
 * One file per channel in `dir`, named by SHA-256 of the channel's name, holding fleet, channel and floor behind
 * a checksum; and one with the newest root. They lie beside the materialized tree, so that a lost store does not
 * take the floor with it.
 */
export function floorFiles(dir: string, fleetId: FleetId | undefined, limits: Limits): FloorFiles {
  const known = new Map<Channel, Floor>()
  /** What the last write found; undefined: no floor. */
  let before: ReadonlyMap<Channel, Floor | undefined> = new Map()
  let rootVersion = 0
  const fileOf = (floor: Floor): readonly [string, Uint8Array] => {
    const name = nameOf(floor.channel)
    return [name, writeRecord(FLOOR, name, floor)]
  }

  async function takeBack(): Promise<void> {
    const back = [...before]
    before = new Map()
    if (back.length === 0) return
    for (const [channel, floor] of back)
      if (floor === undefined) known.delete(channel)
      else known.set(channel, floor)
    const files = back.map(([channel, floor]) =>
      floor === undefined
        ? rm(join(dir, nameOf(channel)), { force: true })
        : replaceFile(join(dir, nameOf(channel)), fileOf(floor)[1]),
    )
    await all(files)
    await syncDirectory(dir)
  }

  return {
    async load() {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const { floors, root, damaged } = await readFloorFiles(dir, limits)
      for (const name of damaged) await rename(join(dir, name), join(dir, `${name}.corrupt`))
      const isOwn = (floor: Floor): boolean => fleetId === undefined || floor.fleet === fleetId
      for (const floor of floors.filter(isOwn)) known.set(floor.channel, floor)
      rootVersion = root?.version ?? 0
      return { floors: floors.filter(isOwn), root, damaged, foreign: floors.filter((floor) => !isOwn(floor)) }
    },

    async write(floors, root) {
      const raised = raise(known, floors)
      before = new Map([...raised.keys()].map((channel) => [channel, known.get(channel)]))
      const files = new Map([...raised.values()].map(fileOf))
      if (root !== undefined && root.version > rootVersion)
        files.set(ROOT_FILE, writeRecord(ROOT, ROOT_FILE, root))
      if (files.size === 0) return raised
      try {
        await all([...files].map(([name, bytes]) => replaceFile(join(dir, name), bytes)))
        await syncDirectory(dir)
      } catch (error) {
        // some of them are there
        await takeBack().catch(() => undefined)
        throw error
      }
      for (const floor of raised.values()) known.set(floor.channel, floor)
      if (root !== undefined) rootVersion = Math.max(rootVersion, root.version)
      return raised
    },

    takeBack,
  }
}

/** As Promise.all, but none of them is still at work when it rejects. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const done of await Promise.allSettled(work)) if (done.status === 'rejected') throw done.reason
}

/** The floors that `floors` leave, several of one channel among them. */
function raise(known: ReadonlyMap<Channel, Floor>, floors: readonly Floor[]): Map<Channel, Floor> {
  const raised = new Map<Channel, Floor>()
  for (const floor of floors) {
    const before = raised.get(floor.channel) ?? known.get(floor.channel)
    raised.set(floor.channel, before === undefined ? floor : joinFloors(before, floor))
  }
  return raised
}

/** What lies in the folder, each file checked, none touched. */
export async function readFloorFiles(
  dir: string,
  limits: Limits,
): Promise<Pick<FloorFilesContent, 'floors' | 'root' | 'damaged'>> {
  const floors: Floor[] = []
  const damaged: string[] = []
  let root: RootCopy | undefined
  for (const name of (await readdir(dir)).sort()) {
    if (name !== ROOT_FILE && !isDigest(name)) continue
    const bytes = await readFile(join(dir, name))
    if (name === ROOT_FILE) {
      root = readRecord(ROOT, name, bytes, limits)
      if (root === undefined) damaged.push(name)
      continue
    }
    const floor = readRecord(FLOOR, name, bytes, limits)
    if (floor !== undefined && nameOf(floor.channel) === name) floors.push(floor)
    else damaged.push(name)
  }
  return { floors, root, damaged }
}
