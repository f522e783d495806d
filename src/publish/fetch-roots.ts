/** The newest root of a running fleet, for whoever has an older one: seeds lead there step by step, or say why not. */
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, PeerId } from '../model/ids.ts'
import type { PublishReply } from '../model/messages.ts'
import { ADOPTION_CODES, adopt, type RootChain } from '../trust/chain.ts'
import { catchUp, rootAt } from './roots.ts'
import { askPatiently, type Seed } from './seeds.ts'

export interface AtRoot {
  readonly peer: PeerId
  /** The newest that it has. */
  readonly version: number
  /** Its root of the version at hand is another, and what it has now follows from both. */
  readonly forked?: number
}

export interface Fetched {
  /** From the root at hand to the newest that is proven from it. */
  readonly chain: RootChain
  readonly seeds: readonly AtRoot[]
  /** One of them has the newest: those that are behind have nothing against it, and do not say that it is the fleet's. */
  readonly isHeld: boolean
  /** Of whose roots the newest cannot be proven from here, and why; or that fell silent. */
  readonly refused: readonly Refused[]
}

interface Refused {
  readonly peer: PeerId
  readonly error: MeshError
  /** Its own newest follows from the root at hand just as well: only people can tell which is the fleet's. */
  readonly isRival: boolean
}

export async function fetchRoots(
  start: RootChain,
  reached: readonly Seed[],
  limits: Limits,
): Promise<Fetched> {
  const seeds = reached.map(askedOnce)
  let chain = start
  // One that lacks the next step may lead on from where another has led to.
  for (let rounds = 0; rounds < seeds.length; rounds += 1) {
    const before = chain
    chain = await catchUp(before, seeds, limits)
    if (chain === before) break
  }
  const agreed: AtRoot[] = []
  const refused: Refused[] = []
  for (const seed of seeds) {
    const rival = await rivalAt(seed, start, chain, limits)
    try {
      const at = await judge(seed, start, chain, limits)
      if (rival === undefined) agreed.push(at)
      else throw another(seed.peer, rival, { isReplaced: false, isFetched: true })
    } catch (error) {
      if (!isMeshError(error)) throw error
      refused.push({ peer: seed.peer, error, isRival: rival !== undefined })
    }
  }
  const isHeld = agreed.some(({ version }) => version >= chain.current.version)
  return { chain, seeds: agreed, isHeld, refused }
}

/**
 * A root that the seed has shown is not asked for again: questions are rationed, and a chain of years has hundreds. That it has
 * none is asked anew, for one may come just now.
 */
function askedOnce(seed: Seed): Seed {
  const shown = new Map<number, PublishReply>()
  return {
    peer: seed.peer,
    async ask(request, timeoutMs) {
      if (request.type !== 'roots') return seed.ask(request, timeoutMs)
      const known = shown.get(request.since)
      if (known !== undefined) return known
      const reply = await seed.ask(request, timeoutMs)
      if (reply.type === 'root' && reply.root !== undefined) shown.set(request.since, reply)
      return reply
    },
    askInOrder: (requests, timeoutMs, onReply) => seed.askInOrder(requests, timeoutMs, onReply),
    close: () => seed.close(),
  }
}

/**
 * Where the seed's own roots lead from the one at hand, if that is none of those that others led to, and what they have does not
 * follow from it. One that is silent leads nowhere.
 */
async function rivalAt(
  seed: Seed,
  start: RootChain,
  chain: RootChain,
  limits: Limits,
): Promise<number | undefined> {
  const own = await catchUp(start, [seed], limits)
  const { version } = own.current
  // It goes on from there: what came just now.
  if (own.roots.get(chain.current.version)?.digest === chain.currentDigest) return undefined
  if (chain.roots.get(version)?.digest === own.currentDigest) return undefined
  const next = chain.roots.get(version + 1)
  const heals = next !== undefined && adopt(own, next.envelope, limits).adoption.kind === 'adopted'
  return heals ? undefined : version
}

/** @throws MeshError TRUST_ROOT_*, CODEC_UNSUPPORTED where it has what does not follow; ORDER_MISPLACED, NET_* */
async function judge(seed: Seed, start: RootChain, chain: RootChain, limits: Limits): Promise<AtRoot> {
  const { peer } = seed
  const { version, fleetId } = chain.current
  const its = await rootAt(seed, version, fleetId, limits)
  const { root: next } = await askPatiently(seed, { type: 'roots', since: version }, ['root'], limits)
  if (its !== undefined && its.currentDigest !== chain.currentDigest)
    throw another(peer, version, { isReplaced: next !== undefined, isFetched: chain !== start })
  if (next !== undefined) {
    const { adoption } = adopt(chain, next, limits)
    if (adoption.kind === 'adopted') return { peer, version: version + 1 } // it came just now
    throw new MeshError(ADOPTION_CODES[adoption.kind], `seed ${peer}: ${adoption.text}`, { seed: peer })
  }
  if (its === undefined) return behind(seed, chain, limits)
  const first = start === chain ? undefined : await rootAt(seed, start.current.version, fleetId, limits)
  const isForked = first !== undefined && first.currentDigest !== start.currentDigest
  return { peer, version, ...(isForked ? { forked: start.current.version } : {}) }
}

/** Any: asked for the version alone that comes with it. */
const CHANNEL = 'root' as Channel

/** It has neither the newest nor the next: it is older, or lacks the steps between. @throws MeshError TRUST_ROOT_GAP, ORDER_MISPLACED */
async function behind(seed: Seed, { current, currentDigest }: RootChain, limits: Limits): Promise<AtRoot> {
  const { peer } = seed
  const { rootVersion } = await askPatiently(seed, { type: 'state', channel: CHANNEL }, ['state'], limits)
  const its = await rootAt(seed, rootVersion, current.fleetId, limits)
  // Or it comes just now, and is not written yet.
  const isSame = its === undefined ? rootVersion === current.version : its.currentDigest === currentDigest
  if (rootVersion < current.version || isSame) return { peer, version: rootVersion }
  throw new MeshError(
    'TRUST_ROOT_GAP',
    `seed ${peer} is at root ${rootVersion} and has none that follows root ${current.version}; name another seed as well, or begin with a newer root, as a host's own may be`,
    { seed: peer, version: current.version },
  )
}

/** @param how isFetched: the one at hand is another seed's */
function another(
  peer: PeerId,
  version: number,
  how: { readonly isReplaced: boolean; readonly isFetched: boolean },
): MeshError {
  const more = how.isReplaced ? ', and newer ones that do not follow from it' : ''
  const [than, advice] = how.isFetched
    ? ["than another seed's", '']
    : [
        'than the one here',
        `where this one was never handed out, move its file away and begin with the version before it (--root root.${version - 1}.json); else `,
      ]
  return new MeshError(
    how.isReplaced ? 'TRUST_ROOT_OLD' : 'TRUST_ROOT_FORK',
    `seed ${peer} has another root ${version} ${than}${more}: ${advice}see docs/operations.md#root-fork`,
    { seed: peer, version },
  )
}
