/** What seeds have in the place of the roots at hand: looked at before any of them is handed the newest. */
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import { ADOPTION_CODES, adopt, type KeptRoot, type RootChain, startChain } from '../trust/chain.ts'
import { toFollow, toOutrank } from '../trust/root-rules.ts'
import { AnotherRoot, inItsPlace, type RootEnvelope, rootAt } from './roots.ts'
import { askPatiently, type Seed } from './seeds.ts'

/** Of one seed, in the versions at hand. */
interface Found {
  /** The newest that it has as it is here; 0: none, so that nothing else of it is proven. */
  readonly same: number
  /** From there to its own newest, where that is another than ours. */
  readonly other?: RootChain
  /** It has one of a newer version than the newest at hand, too. */
  readonly isReplaced?: boolean
}

/** What a seed shows in the place of ours is nobody's: the root keys of what both have did not sign it. */
class Unproven extends MeshError {}

/**
 * Whatever one seed must refuse would leave the fleet in two for good, as the others had it by then. A seed that is silent
 * is passed over, and so is one with a root that the fleet's keys did not sign: anybody could keep all others from theirs.
 * @param roots ascending, without a gap, the newest last
 * @returns seeds to hand nothing, and why
 * @throws AnotherRoot TRUST_ROOT_FORK, TRUST_ROOT_OLD
 */
export async function requireTakenByAll(
  roots: readonly RootEnvelope[],
  seeds: readonly Seed[],
  limits: Limits,
): Promise<ReadonlyMap<Seed, MeshError>> {
  const left = new Map<Seed, MeshError>()
  const looks = seeds.map(async (seed) => {
    try {
      return [seed, await look(roots, seed, limits)] as const
    } catch (error) {
      if (!isMeshError(error)) throw error
      if (error instanceof Unproven) left.set(seed, error)
      return undefined
    }
  })
  const found = (await Promise.all(looks)).filter((one) => one !== undefined)
  const known = Math.max(0, ...found.map(([, { same }]) => same))
  for (const [seed, one] of found) {
    const error = cutOff(seed.peer, one, roots, known, limits)
    if (error !== undefined) left.set(seed, error)
  }
  return left
}

/** All of its answers have the time of one. @throws Unproven; MeshError NET_*, ORDER_MISPLACED */
async function look(roots: readonly RootEnvelope[], seed: Seed, limits: Limits): Promise<Found> {
  const endMs = performance.now() + limits.publishDeadlineMs
  const inTime = (): Limits => {
    const publishDeadlineMs = Math.ceil(endMs - performance.now())
    if (publishDeadlineMs > 0) return { ...limits, publishDeadlineMs }
    throw new MeshError('NET_TIMEOUT', `seed ${seed.peer} has not said in time which roots it has`)
  }
  const theirs: RootChain[] = []
  for (const { version, envelope } of roots.toReversed()) {
    const ours = startChain(envelope, limits)
    const its = await rootAt(seed, version, ours.current.fleetId, inTime())
    if (its?.currentDigest === ours.currentDigest) {
      if (theirs.length === 0) return { same: version }
      const since = roots.at(-1)?.version ?? version
      const { root: newer } = await askPatiently(seed, { type: 'roots', since }, ['root'], inTime())
      return { same: version, other: follow(ours, theirs, seed, limits), isReplaced: newer !== undefined }
    }
    if (its !== undefined) theirs.unshift(its)
  }
  return { same: 0 }
}

/** @throws Unproven */
function follow(start: RootChain, theirs: readonly RootChain[], { peer }: Seed, limits: Limits): RootChain {
  let chain = start
  for (const { roots, current } of theirs) {
    const { envelope } = roots.get(current.version) as KeptRoot
    const { adoption, chain: next } = adopt(chain, envelope, limits)
    if (adoption.kind !== 'adopted')
      throw new Unproven(
        ADOPTION_CODES[adoption.kind],
        `seed ${peer} has another root ${current.version}, which does not follow from root ${chain.current.version}: ${adoption.text}`,
        { seed: peer, version: current.version },
      )
    chain = next
  }
  return chain
}

/**
 * Its own root lets the next of ours not follow.
 * @param known the newest of ours that any seed has
 * @returns why nothing that is handed out reaches it, where others have that next one already
 * @throws AnotherRoot where they have not
 */
function cutOff(
  peer: PeerId,
  { same, other, isReplaced = false }: Found,
  roots: readonly RootEnvelope[],
  known: number,
  limits: Limits,
): AnotherRoot | undefined {
  if (other === undefined) return undefined
  const { version } = other.current
  const at = roots.findIndex((root) => root.version === version)
  const [ours, next] = [roots[at], roots[at + 1]]
  if (ours === undefined) return undefined
  if (next === undefined) {
    if (known <= same) throw inItsPlace(peer, version, isReplaced)
    // Others have ours already: who shows a longer line, be it signed with older keys that were stolen, keeps it from nobody.
    return new AnotherRoot(
      'TRUST_ROOT_FORK',
      `seed ${peer} has other roots than the rest since version ${same}: leave it out, or end the fork with a next root that is signed for both (docs/operations.md#root-fork)`,
      { seed: peer, version },
    )
  }
  const { adoption } = adopt(other, next.envelope, limits)
  if (adoption.kind === 'adopted') return undefined
  const says = `seed ${peer} has another root ${version} and would refuse root ${version + 1}: ${adoption.text}`
  const rootOf = ({ envelope }: RootEnvelope) => startChain(envelope, limits).current
  // Made anew beside that it would be one fork more.
  if (known > version) {
    const above = toOutrank(other.current, rootOf(roots.at(-1) ?? next))
    const first =
      above.length === 0
        ? ''
        : `raise the epoch of ${above.map((pattern) => `'${pattern}'`).join(', ')} (confmesh trust raise-epoch), push and publish there again, `
    return new AnotherRoot(
      'TRUST_ROOT_FORK',
      `${says}; others have that one already, so that no later root brings this seed back: leave it out, ${first}and start it on an empty store with the newest root (docs/operations.md#root-fork)`,
      { seed: peer, version, raise: above.join(' ') },
    )
  }
  const raise = toFollow(other.current, rootOf(ours), rootOf(next))
  const options = raise.map((pattern) => ` --raise '${pattern}'`).join('')
  const after = at + 2 < roots.length ? ' (and those after it)' : ''
  throw new AnotherRoot(
    'TRUST_ROOT_FORK',
    `${says}; nothing was handed out: where nobody has root ${version + 1} yet, put root.${version}.json back in place of the newest and make root ${version + 1}${after} anew${options === '' ? ', signed for both' : ` with${options}`}; else leave that seed out (docs/operations.md#root-fork)`,
    { seed: peer, version, raise: raise.join(' ') },
  )
}
