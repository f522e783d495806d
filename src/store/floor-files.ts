import { mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeRoot } from '../codec/root.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, FleetId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'
import { ASIDE, type AsideFile, durablyIn, writeAside } from './durable-file.ts'
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
  /**
   * Written aside and synced: until they are shown the files are as before, for nobody may see a floor of a batch that
   * fails. A floor already higher here stays.
   */
  prepare(floors: readonly Floor[], root: RootCopy | undefined): Promise<PreparedFloors>
}

export interface PreparedFloors {
  /** What is to be kept of each floor that was given. */
  readonly floors: ReadonlyMap<Channel, Floor>
  /** Durable when it resolves; where it rejects the next `prepare` has them again. */
  show(): Promise<void>
  drop(): Promise<void>
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
  /** Kept elsewhere, and not shown here yet. */
  const behind = new Map<Channel, Floor>()
  let rootBehind: RootCopy | undefined
  let rootVersion = 0
  const fileOf = (floor: Floor): readonly [string, Uint8Array] => {
    const name = nameOf(floor.channel)
    return [name, writeRecord(FLOOR, name, floor)]
  }

  const { maxParallelFiles } = limits

  async function show(asides: readonly AsideFile[], floors: ReadonlyMap<Channel, Floor>): Promise<void> {
    for (const [channel, floor] of floors) behind.set(channel, floor)
    if (asides.length === 0) return
    await durablyIn(dir, () => eachOf(asides, maxParallelFiles, (aside) => aside.show()))
    for (const [channel, floor] of floors) known.set(channel, floor)
    for (const channel of floors.keys()) behind.delete(channel)
  }

  return {
    async load() {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const { floors, root, damaged } = await readFloorFiles(dir, limits)
      for (const name of damaged) await rename(join(dir, name), join(dir, `${name}.corrupt`))
      const isOwn = (floor: Floor): boolean => fleetId === undefined || floor.fleet === fleetId
      for (const floor of floors.filter(isOwn)) known.set(floor.channel, floor)
      const own = isOfOther(root, fleetId, limits) ? undefined : root
      rootVersion = own?.version ?? 0
      const foreign = floors.filter((floor) => !isOwn(floor))
      return { floors: floors.filter(isOwn), root: own, damaged, foreign }
    },

    async prepare(floors, root) {
      const raised = raise(known, [...behind.values(), ...floors])
      const files = new Map([...raised.values()].map(fileOf))
      const newest = (root?.version ?? 0) > (rootBehind?.version ?? 0) ? root : rootBehind
      const isNewer = newest !== undefined && newest.version > rootVersion
      if (isNewer) files.set(ROOT_FILE, writeRecord(ROOT, ROOT_FILE, newest))
      const asides = await allAside(dir, [...files], maxParallelFiles)
      return {
        floors: raised,
        async show() {
          if (isNewer) rootBehind = newest
          await show(asides, raised)
          if (!isNewer) return
          rootVersion = newest.version
          rootBehind = undefined
        },
        drop: () => eachOf(asides, maxParallelFiles, (aside) => aside.drop()),
      }
    },
  }
}

/** Another fleet's root counts as absent, as its floors do, and gives way; one that cannot be read may be of a newer build. */
function isOfOther(root: RootCopy | undefined, fleetId: FleetId | undefined, limits: Limits): boolean {
  if (root === undefined || fleetId === undefined) return false
  try {
    const { payload } = decodeEnvelope(root.envelope, limits.maxRootBytes, limits)
    return decodeRoot(payload, limits).fleetId !== fleetId
  } catch (error) {
    if (isMeshError(error)) return false
    throw error
  }
}

/** All of them or none: what of them is there goes where one fails. */
async function allAside(
  dir: string,
  files: readonly (readonly [string, Uint8Array])[],
  width: number,
): Promise<readonly AsideFile[]> {
  const there: AsideFile[] = []
  try {
    await eachOf(files, width, async ([name, bytes]) => {
      there.push(await writeAside(join(dir, name), bytes))
    })
    return there
  } catch (error) {
    await eachOf(there, width, (aside) => aside.drop()).catch(() => undefined)
    throw error
  }
}

/**
 * A bounded number at a time, one at least: a new epoch raises the floor of every channel at once, and a process may hold
 * a few thousand files open. All are tried, and none is still at work when it rejects, with the first failure.
 */
async function eachOf<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item).catch((error: unknown) => failures.push(error))
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(width, items.length)) }, lane))
  if (failures.length > 0) throw failures[0]
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
    if (name === ROOT_FILE) {
      root = readRecord(ROOT, name, await readFile(join(dir, name)), limits)
      if (root === undefined) damaged.push(name)
      continue
    }
    const floor = await floorIn(dir, name, name, limits)
    if (floor === undefined) damaged.push(name)
    else floors.push(floor)
  }
  return { floors, root, damaged }
}

/**
 * Floors written aside, whole and synced, and not shown: the process was killed between its batch and the renaming. The
 * next start shows them.
 */
export async function readFloorsAside(dir: string, limits: Limits): Promise<readonly Floor[]> {
  const floors: Floor[] = []
  for (const name of (await readdir(dir)).filter((name) => name.endsWith(ASIDE)).sort()) {
    const floor = await floorIn(dir, name.slice(0, -ASIDE.length), name, limits)
    if (floor !== undefined) floors.push(floor)
  }
  return floors
}

/** @param name of the file that it is or shall be, which the checksum covers; undefined: it is no floor of that name */
async function floorIn(dir: string, name: string, file: string, limits: Limits): Promise<Floor | undefined> {
  if (!isDigest(name)) return undefined
  const floor = readRecord(FLOOR, name, await readFile(join(dir, file)), limits)
  return floor !== undefined && nameOf(floor.channel) === name ? floor : undefined
}
