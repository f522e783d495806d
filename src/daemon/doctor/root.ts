import type { TrustRoot } from '../../model/root.ts'
import { readFloorFiles } from '../../store/floor-files.ts'
import { adopt, startChain } from '../../trust/chain.ts'
import type { NodeConfig } from '../config.ts'
import { readRoot } from '../documents.ts'
import { foldersOf } from '../folders.ts'
import { type Finding, fine, wrong } from './finding.ts'

const DAY_MS = 86_400_000
/** A root is renewed by people who must be found and gather: a month. */
const WARN_MS = 30 * DAY_MS

/** The newest root of configuration and data folder: valid, and valid for a while yet. */
export async function checkRoot(config: NodeConfig): Promise<Finding> {
  const check = 'trust root'
  let root: TrustRoot
  try {
    root = await newestRoot(config)
  } catch (error) {
    return wrong(check, (error as Error).message, 'take the root.json that the fleet handed out')
  }
  const left = root.expires - Date.now()
  const until = `version ${root.version}, expires ${new Date(root.expires).toISOString().slice(0, 10)}`
  const renew =
    'confmesh trust renew, then confmesh trust push; on this host alone: its clock is wrong, or it lacks a newer root'
  if (left <= 0) return wrong(check, `${until}: its time is over, nothing new is activated`, renew)
  if (left < WARN_MS) return wrong(check, `${until}: in ${Math.ceil(left / DAY_MS)} days`, renew)
  return fine(check, until)
}

/** @throws MeshError where the configured root cannot be used */
export async function newestRoot(config: NodeConfig): Promise<TrustRoot> {
  const { limitsInForce: limits } = config
  const configured = startChain(readRoot(config.root, limits), limits)
  const { floorDir } = foldersOf(config, () => configured.current.fleetId)
  // A folder that is not there, or that we may not read, is said elsewhere.
  const kept = await readFloorFiles(floorDir, limits).catch(() => undefined)
  if (kept?.root === undefined) return configured.current
  const next = adopt(configured, kept.root.envelope, limits)
  if (next.adoption.kind === 'adopted') return next.chain.current
  if (next.adoption.kind !== 'gap') return configured.current
  // Some versions on: the node adopted it link by link, and keeps only the newest outside its store.
  const { current } = startChain(kept.root.envelope, limits)
  return current.fleetId === configured.current.fleetId ? current : configured.current
}
