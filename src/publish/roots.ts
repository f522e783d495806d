/** Trust roots and seeds: brought up to date from them, handed out to them. A root proves itself, whoever carries it. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Code, isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, PeerId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { adopt, type RootChain, startChain } from '../trust/chain.ts'
import { askPatiently, RefusedBySeed, type Seed } from './seeds.ts'

/** Roots taken from one seed in one run of the tool: decades of changes. */
export const MAX_ROOTS = 1_000

/** A second in all, for a write that is under way. */
const WRITE_TRIES = 6
const WRITE_PAUSE_MS = 200

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
  /** Its root of this version was another than the one at hand, and the newest follows it all the same. */
  readonly forked?: number
  /** So many before its own it had not, and has now: it began with a later one. */
  readonly older?: number
  /** Nor has it this one by now, the first that it was sent of those before its own. */
  readonly lacks?: number
  /** Why it is not known whether it has those before its own. */
  readonly unknown?: Code
}

export interface RootEnvelope {
  readonly version: number
  readonly envelope: Uint8Array
}

/** A seed has another root in the place of ours, or is of another fleet: the same root once more would change nothing. */
export class AnotherRoot extends MeshError {}

/**
 * Gives a seed every root it lacks, in order.
 * @param roots ascending, without a gap, the newest last
 * @throws AnotherRoot, MeshError the seed's refusal; TRUST_ROOT_GAP where the seed is older than the oldest root at hand; NET_*
 */
export async function pushRoots(
  roots: readonly RootEnvelope[],
  seed: Seed,
  limits: Limits,
): Promise<PushedTo> {
  const newest = roots.at(-1)
  if (newest === undefined) throw new MeshError('USAGE', 'there is no root to hand out')
  const { peer } = seed
  const { version } = newest
  if (await has(seed, newest, limits))
    return { peer, version, adopted: 0, ...(await olderAt(roots.slice(0, -1), seed, limits)) }
  const lacking = [newest]
  let forked: { forked?: number } = {}
  // Down to the first whose forerunner the seed knows. Of another one it judges itself whether the next follows: so forks end.
  for (const root of roots.slice(0, -1).reverse()) {
    const its = await compare(seed, root, limits)
    if (its === 'other') forked = { forked: root.version }
    if (its !== undefined) break
    lacking.unshift(root)
  }
  let adopted = 0
  for (const root of lacking) {
    try {
      await askPatiently(seed, { type: 'root', root: root.envelope }, ['noted'], limits)
      adopted += 1
    } catch (error) {
      if (!(error instanceof RefusedBySeed && error.code === 'TRUST_ROOT_OLD')) throw error
      // Handed to it by another seed in the meantime; or it has another, or is past ours and cannot say that ours was its own.
      if (root === newest && !(await has(seed, newest, limits))) throw error
    }
  }
  return { peer, version, adopted, ...forked }
}

/** The newest is there, and is what counts: what goes wrong with those before it is told, and ends nothing. */
async function olderAt(
  roots: readonly RootEnvelope[],
  seed: Seed,
  limits: Limits,
): Promise<Pick<PushedTo, 'older' | 'lacks' | 'unknown'>> {
  try {
    return await pushOlder(roots, seed, limits)
  } catch (error) {
    if (!isMeshError(error)) throw error
    return { unknown: error.code }
  }
}

/**
 * A seed may have begun with a later root, where no other has those before: then it takes no release that names one of them.
 * They prove themselves from the fleet's first on, and change nothing else.
 * @param roots ascending, without a gap, all older than one that the seed has
 */
async function pushOlder(
  roots: readonly RootEnvelope[],
  seed: Seed,
  limits: Limits,
): Promise<Pick<PushedTo, 'older' | 'lacks'>> {
  const lacking: RootEnvelope[] = []
  let follows = roots[0]?.version === 1
  for (const root of roots) {
    const isThere = (await compare(seed, root, limits)) !== undefined
    if (!isThere && follows) lacking.push(root)
    follows ||= isThere
  }
  const [first, last] = [lacking[0], lacking.at(-1)]
  if (first === undefined || last === undefined) return {}
  for (const { envelope } of lacking) {
    try {
      await askPatiently(seed, { type: 'root', root: envelope }, ['noted'], limits)
    } catch (error) {
      // What it is past is no news to a seed, and kept all the same: what it has in the end is what counts.
      if (!(error instanceof RefusedBySeed)) throw error
    }
  }
  // That one closes the hole: all of them are written with it, a moment after the answer.
  for (let tries = 1; (await compare(seed, last, limits)) === undefined; tries += 1) {
    if (tries === WRITE_TRIES) return { lacks: first.version }
    await delay(WRITE_PAUSE_MS)
  }
  return { older: lacking.length }
}

/**
 * What the newest of these takes the place of at the seeds: where they have another root in the place of one of ours, that
 * is theirs, as far as it is proven from what both have. Undefined where none has any of ours, or says so.
 */
export async function rootAtSeeds(
  roots: readonly RootEnvelope[],
  seeds: readonly Seed[],
  limits: Limits,
): Promise<TrustRoot | undefined> {
  const known = await newestKnown(roots, seeds, limits)
  if (known === undefined) return undefined
  const ours = startChain(known.envelope, limits)
  const newest = roots.at(-1)?.version ?? known.version
  if (known.version === newest) return ours.current
  const { current } = await catchUp(ours, seeds, limits)
  // One that has another in the place of the newest takes that one from nobody.
  return current.version < newest ? current : ours.current
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
        if ((await compare(seed, root, limits)) === 'same') return root
      } catch (error) {
        if (!isMeshError(error)) throw error
      }
    }
  }
  return undefined
}

/** Of the seeds that answer, there being one, none has this root or another in its place: it was never handed out. */
export async function isWithheld(
  root: RootEnvelope,
  seeds: readonly Seed[],
  limits: Limits,
): Promise<boolean> {
  let answered = 0
  for (const seed of seeds) {
    try {
      if ((await compare(seed, root, limits)) !== undefined) return false
      answered += 1
    } catch (error) {
      if (!isMeshError(error)) throw error
    }
  }
  return answered > 0
}

/**
 * Before one more root is built on these: the newest of them that a seed knows of is its own, too. A seed that is silent is
 * passed over.
 * @throws AnotherRoot
 */
export async function requireOurs(
  roots: readonly RootEnvelope[],
  seeds: readonly Seed[],
  limits: Limits,
): Promise<void> {
  for (const seed of seeds) {
    try {
      for (const root of roots.toReversed()) if (await has(seed, root, limits)) break
    } catch (error) {
      if (!isMeshError(error) || error instanceof AnotherRoot) throw error
    }
  }
}

/** @throws AnotherRoot TRUST_ROOT_FORK where another is in its place, TRUST_ROOT_OLD where that is replaced, ORDER_MISPLACED; MeshError NET_* */
export async function has(seed: Seed, root: RootEnvelope, limits: Limits): Promise<boolean> {
  const its = await compare(seed, root, limits)
  if (its !== 'other') return its === 'same'
  const { root: next } = await askPatiently(seed, { type: 'roots', since: root.version }, ['root'], limits)
  throw inItsPlace(seed.peer, root.version, next !== undefined)
}

/** @param isReplaced the seed's own has one after it */
export function inItsPlace(peer: PeerId, version: number, isReplaced: boolean): AnotherRoot {
  return new AnotherRoot(
    isReplaced ? 'TRUST_ROOT_OLD' : 'TRUST_ROOT_FORK',
    `seed ${peer} has another root ${version}${isReplaced ? ', and newer ones' : ''}: somebody else changed the root, or this file is of an old backup; fetch the newest (confmesh trust fetch --root FILE --seed ADDRESS) and make the change again`,
    { seed: peer, version },
  )
}

/** What a seed has in the place of a root; undefined: nothing. By what is signed: other signatures make no other root. */
async function compare(
  seed: Seed,
  { version, envelope }: RootEnvelope,
  limits: Limits,
): Promise<'same' | 'other' | undefined> {
  const ours = startChain(envelope, limits)
  const its = await rootAt(seed, version, ours.current.fleetId, limits)
  if (its === undefined) return undefined
  return ours.currentDigest === its.currentDigest ? 'same' : 'other'
}

/** A seed's root of a version, which proves nothing but itself; undefined: it has none. @throws AnotherRoot ORDER_MISPLACED; MeshError NET_* */
export async function rootAt(
  seed: Seed,
  version: number,
  fleet: FleetId,
  limits: Limits,
): Promise<RootChain | undefined> {
  const { root } = await askPatiently(seed, { type: 'roots', since: version - 1 }, ['root'], limits)
  if (root === undefined) return undefined
  const its = startChain(root, limits)
  const other = its.current.fleetId
  if (fleet !== other)
    throw new AnotherRoot(
      'ORDER_MISPLACED',
      `seed ${seed.peer} is of fleet ${other.slice(0, 12)}, and this root of ${fleet.slice(0, 12)}; name a seed of this fleet`,
      { seed: seed.peer, fleet: other },
    )
  if (its.current.version === version) return its
  throw new MeshError(
    'NET_PROTOCOL',
    `seed ${seed.peer} was asked for root ${version} and sent root ${its.current.version}`,
    { seed: seed.peer, version },
  )
}
