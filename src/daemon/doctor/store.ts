import { constants, type Stats } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { checkPlace } from '../../activate/safe-directory.ts'
import { isMeshError } from '../../errors.ts'
import { nearestFolder } from '../../runtime/nearest-folder.ts'
import { levelDatabase } from '../../store/database.ts'
import { isDamage, storeError } from '../../store/faults.ts'
import { isLost } from '../../store/level-files.ts'
import { isInUse } from '../../store/lock.ts'
import { checkItsFormat } from '../../store/meta.ts'
import { seenDamage } from '../../store/seen-damage.ts'
import { uncleanEnds } from '../../store/unclean-ends.ts'
import type { NodeConfig } from '../config.ts'
import { readRoot } from '../documents.ts'
import { fleetOf, foldersOf } from '../folders.ts'
import { AS_ITS_USER, type Finding, fine, wrong } from './finding.ts'

/** `running`: another process has the store, most likely this very node. `unknown`: this user may not look. */
export type StoreState = 'none' | 'stopped' | 'running' | 'unknown'

const MIB = 1024 * 1024
/** Room for LevelDB's own rewriting and some releases; below it STORE_FULL is near. */
const MIN_FREE_BYTES = 512 * MIB
/** Of disks with no store on them: floors are small, and files as large as whoever publishes makes them, often kilobytes. */
const MIN_FREE_ELSEWHERE_BYTES = 16 * MIB

/** Folders that the node writes: ours, and where files are materialized, ours alone. */
export async function checkFolders(config: NodeConfig, state: StoreState): Promise<readonly Finding[]> {
  const findings = [await checkWritable('data folder', config.data)]
  const floorDir = floorFolder(config)
  if (floorDir !== undefined) findings.push(await checkOwn('floor folder', floorDir, state))
  if (config.materialize !== undefined) {
    const check = 'materialize.dir'
    const own = await checkOwn(check, config.materialize.dir, state)
    findings.push(own.ok ? await checkSafe(check, config.materialize.dir, own) : own)
  }
  return findings
}

/** Undefined where only a root that cannot be used would tell, which is said elsewhere. */
function floorFolder(config: NodeConfig): string | undefined {
  const { root, limitsInForce: limits } = config
  try {
    return foldersOf(config, () => fleetOf(readRoot(root, limits), limits)).floorDir
  } catch {
    return undefined
  }
}

/** Apart from its store a node locks these, too. While it runs, or may run, it is the one that has them. */
async function checkOwn(check: string, path: string, state: StoreState): Promise<Finding> {
  const writable = await checkWritable(check, path)
  if (!writable.ok || state === 'running' || state === 'unknown' || !(await isHeld(path))) return writable
  return wrong(check, `${path}: in use by another node`, 'give each node its own')
}

/** A lock that is not there would be made by looking, and one of another user's is not looked at. */
async function isHeld(folder: string): Promise<boolean> {
  const lock = join(folder, '.lock')
  const owner = await stat(join(lock, 'CURRENT')).catch(() => undefined)
  return owner !== undefined && !isAnothers(owner) && (await isInUse(lock))
}

/** LevelDB makes files anew when it opens: made by another user, the node could not open its own store again. */
const isAnothers = ({ uid }: Stats): boolean => process.geteuid !== undefined && uid !== process.geteuid()

async function checkWritable(check: string, path: string): Promise<Finding> {
  const there = await nearestFolder(path)
  try {
    await access(there, constants.W_OK | constants.X_OK)
    return fine(check, there === path ? path : `${path} is made at the first start`)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'not writable'
    return wrong(check, `${there}: ${reason}`, "give it to the node's user")
  }
}

/** In a pod the node's user can give nothing to itself. */
const UNSAFE =
  "name a folder that only the node's user and root may change, no link of others on the way; in a pod see docs/operations.md#in-kubernetes"

async function checkSafe(check: string, path: string, writable: Finding): Promise<Finding> {
  try {
    await checkPlace(path)
    return writable
  } catch (error) {
    return wrong(check, (error as Error).message, UNSAFE)
  }
}

/** Of each disk that the node writes to, once: files and floors lie often on others than the store does. */
export async function checkSpace({ data, floorDir, materialize }: NodeConfig): Promise<readonly Finding[]> {
  const disks = new Map<number, string>()
  for (const folder of [data, floorDir, materialize?.dir]) {
    if (folder === undefined) continue
    const there = await nearestFolder(folder)
    const { dev } = await stat(there)
    if (!disks.has(dev)) disks.set(dev, there)
  }
  const least = (at: number): number => (at === 0 ? MIN_FREE_BYTES : MIN_FREE_ELSEWHERE_BYTES)
  return Promise.all([...disks.values()].map((folder, at) => checkDisk(folder, least(at))))
}

async function checkDisk(folder: string, leastBytes: number): Promise<Finding> {
  const check = 'disk space'
  const { blocks, bavail, bsize, files, ffree } = await statfs(folder)
  const free = bavail * bsize
  // Some file systems have no size, or no fixed number of files, and say 0.
  const text = `${folder}: ${blocks > 0 ? `${Math.floor(free / MIB)} MiB` : 'unknown how much is'} free`
  if (blocks > 0 && free < leastBytes)
    return wrong(check, text, `free space: less than ${leastBytes / MIB} MiB is little`)
  if (files > 0 && ffree < 1_000)
    return wrong(check, `${folder}: ${ffree} more files fit`, 'remove small files: inodes run out')
  return fine(check, text)
}

/** Who the store belongs to, also one that has lost its `CURRENT`. @returns undefined: there is none */
async function ownerOf(dir: string): Promise<Stats | undefined> {
  try {
    return await stat(join(dir, 'CURRENT'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return (await isLost(dir)) ? stat(dir) : undefined
  }
}

const DAMAGED = 'confmesh verify says what is damaged; check the disk'

/** Opens and closes the store, as a start would. */
export async function checkStore(config: NodeConfig): Promise<{ state: StoreState; finding: Finding }> {
  const check = 'store'
  const dir = join(config.data, 'store')
  const owner = await ownerOf(dir).catch(({ code }: NodeJS.ErrnoException) => String(code))
  if (owner === undefined) return { state: 'none', finding: fine(check, 'none yet; made at the first start') }
  if (typeof owner === 'string') {
    const advice = owner === 'EACCES' ? AS_ITS_USER : 'check the disk'
    return { state: 'unknown', finding: wrong(check, `${dir}: ${owner}`, advice) }
  }
  if (isAnothers(owner)) {
    const advice = `run confmesh doctor as user ${owner.uid}`
    return { state: 'unknown', finding: wrong(check, `${dir} belongs to user ${owner.uid}`, advice) }
  }
  const database = levelDatabase(dir, { mustExist: true })
  try {
    // Opening would drop what stands behind the damage, and with it the evidence.
    const damage = (await isInUse(dir))
      ? undefined
      : await seenDamage(dir, await uncleanEnds(dir), config.limitsInForce.maxCheckedStoreBytes)
    if (damage !== undefined)
      return { state: 'stopped', finding: wrong(check, `${damage.where}: ${damage.what}`, DAMAGED) }
    await database.open()
    try {
      await checkItsFormat(database, dir, config.limitsInForce)
    } finally {
      await database.close()
    }
    return { state: 'stopped', finding: fine(check, `${dir} opens, no node is running on it`) }
  } catch (error) {
    if (isMeshError(error) && error.code === 'STORE_VERSION')
      return { state: 'stopped', finding: wrong(check, error.message, 'run the build that wrote it') }
    const { code, message } = storeError(error, dir)
    if (code === 'STORE_LOCKED')
      return { state: 'running', finding: fine(check, `${dir} is in use: a node is running on it`) }
    const advice = isDamage(error) ? DAMAGED : 'check the disk'
    return { state: 'stopped', finding: wrong(check, message, advice) }
  }
}
