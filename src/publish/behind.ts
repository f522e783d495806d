/** A publish, and why it was refused where the root at hand is older than a seed's, and nobody leads from the one to the other. */
import { type Code, isMeshError, MeshError } from '../errors.ts'
import { type Published, type PublishOptions, publish } from './publish.ts'
import { askPatiently, type Seed } from './seeds.ts'

/** What an older root may lead to: keys and epochs that it does not know of. */
const BY_OLD_ROOT: ReadonlySet<Code> = new Set([
  'TRUST_UNAUTHORISED',
  'TRUST_ROOT_GAP',
  'ORDER_STALE',
  'ORDER_STALE_EPOCH',
])

/**
 * Of what has failed alone is asked what is behind it: a seed that lies about its root keeps nobody from publishing.
 * @throws MeshError as `publish`; TRUST_ROOT_GAP
 */
export async function publishFrom(options: PublishOptions): Promise<Published> {
  try {
    return await publish(options)
  } catch (error) {
    throw await orBehind(error, options)
  }
}

type Asked = Pick<PublishOptions, 'root' | 'channel' | 'seeds' | 'limits'>

/** The error itself, or one that says why. */
async function orBehind(error: unknown, asked: Asked): Promise<unknown> {
  if (!isMeshError(error) || !BY_OLD_ROOT.has(error.code)) return error
  for (const seed of asked.seeds) {
    try {
      const version = await isAhead(seed, asked)
      if (version === undefined) continue
      const own = asked.root.version
      return new MeshError(
        'TRUST_ROOT_GAP',
        `${error.message}; seed ${seed.peer} is at root ${version} and has none that follows root ${own}, which is at hand; name another seed as well, or take the newest root.json (confmesh trust fetch, from a seed that has the steps; then --root FILE)`,
        { seed: seed.peer, version: own },
        { cause: error },
      )
    } catch (silent) {
      if (!isMeshError(silent)) throw silent
    }
  }
  return error
}

/** The version of its root, where that is newer and it lacks the next after ours. */
async function isAhead(seed: Seed, { root, channel, limits }: Asked): Promise<number | undefined> {
  const { rootVersion } = await askPatiently(seed, { type: 'state', channel }, ['state'], limits)
  if (rootVersion <= root.version) return undefined
  const next = await askPatiently(seed, { type: 'roots', since: root.version }, ['root'], limits)
  return next.root === undefined ? rootVersion : undefined
}
