/** Trust roots and seeds: brought up to date from them, handed out to them. A root proves itself, whoever carries it. */
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, PeerId } from '../model/ids.ts'
import { adopt, type RootChain, startChain } from '../trust/chain.ts'
import { askPatiently, RefusedBySeed, type Seed } from './seeds.ts'

/** Roots taken from one seed in one run of the tool: decades of changes. */
export const MAX_ROOTS = 1_000

/** The newest root that the seeds can prove from this one. A seed that is silent or offers a bad one is passed over. */
export async function catchUp(chain: RootChain, seeds: readonly Seed[], limits: Limits): Promise<RootChain> {
  let newest = chain
  for (const seed of seeds) {
    try {
      newest = await catchUpFrom(newest, seed, limits)
    } catch (error) {
      if (!isMeshError(error)) throw error
    }
  }
  return newest
}

/**
 * The newest root that seeds can prove to be of a fleet, by its id alone: that is the digest of its first root.
 * Undefined where none of them holds that one.
 */
export async function rootsOf(
  fleet: FleetId,
  seeds: readonly Seed[],
  limits: Limits,
): Promise<RootChain | undefined> {
  for (const seed of seeds) {
    try {
      const { root } = await askPatiently(seed, { type: 'roots', since: 0 }, ['root'], limits)
      const chain = root === undefined ? undefined : startChain(root, limits)
      // A later root only says of which fleet it is.
      if (chain?.current.version === 1 && chain.current.fleetId === fleet)
        return await catchUp(chain, seeds, limits)
    } catch (error) {
      if (!isMeshError(error)) throw error
    }
  }
  return undefined
}

async function catchUpFrom(chain: RootChain, seed: Seed, limits: Limits): Promise<RootChain> {
  let newest = chain
  for (let taken = 0; taken < MAX_ROOTS; taken++) {
    const { root } = await askPatiently(
      seed,
      { type: 'roots', since: newest.current.version },
      ['root'],
      limits,
    )
    if (root === undefined) return newest
    const { adoption, chain: next } = adopt(newest, root, limits)
    if (adoption.kind !== 'adopted') return newest
    newest = next
  }
  return newest
}

export interface PushedTo {
  readonly peer: PeerId
  /** The version the seed has now. */
  readonly version: number
  /** Roots it took just now. */
  readonly adopted: number
}

export interface RootEnvelope {
  readonly version: number
  readonly envelope: Uint8Array
}

/**
 * Gives a seed every root it lacks, in order.
 * @param roots ascending, without a gap, the newest last
 * @throws MeshError the seed's refusal; TRUST_ROOT_GAP where the seed is older than the oldest root at hand; NET_*
 */
export async function pushRoots(
  roots: readonly RootEnvelope[],
  seed: Seed,
  limits: Limits,
): Promise<PushedTo> {
  const newest = roots.at(-1)
  if (newest === undefined) throw new MeshError('USAGE', 'there is no root to hand out')
  let first = roots.length - 1
  // From the newest down to the first whose forerunner the seed knows: it tells by having what follows it.
  while (first >= 0 && !(await knows(seed, roots[first]?.version ?? 0, limits))) first -= 1
  let adopted = 0
  for (const { envelope } of roots.slice(first + 1)) {
    try {
      await askPatiently(seed, { type: 'root', root: envelope }, ['noted'], limits)
      adopted += 1
    } catch (error) {
      // Handed to it by another seed in the meantime.
      if (!(error instanceof RefusedBySeed && error.code === 'TRUST_ROOT_OLD')) throw error
    }
  }
  return { peer: seed.peer, version: newest.version, adopted }
}

/** The newest of these that one of the seeds has; undefined where none has any, or says so. */
export async function newestKnown(
  roots: readonly RootEnvelope[],
  seeds: readonly Seed[],
  limits: Limits,
): Promise<RootEnvelope | undefined> {
  for (const root of roots.toReversed()) {
    for (const seed of seeds) {
      try {
        if (await knows(seed, root.version, limits)) return root
      } catch (error) {
        if (!isMeshError(error)) throw error
      }
    }
  }
  return undefined
}

async function knows(seed: Seed, version: number, limits: Limits): Promise<boolean> {
  const { root } = await askPatiently(seed, { type: 'roots', since: version - 1 }, ['root'], limits)
  return root !== undefined
}
