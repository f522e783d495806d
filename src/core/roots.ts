/** The node's own trust roots: what it was configured with, what its store kept, and everything adopted since. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeRoot } from '../codec/root.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, PeerId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { type Adoption, adopt, type KeptRoot, type RootChain, startChain } from '../trust/chain.ts'
import { LatestMap } from './latest.ts'
import { restoreRoots } from './roots/stored.ts'
import type { Snapshot } from './snapshot.ts'

/** A peer that names a root we lack is asked for it once in this time; 10,000 such messages cost one question. */
export const ASK_EVERY_MS = 60_000

export interface Roots {
  /** From the last hole on: without one, every root kept. */
  chain(): RootChain
  /** Every root kept, ascending. */
  all(): ReadonlyMap<number, KeptRoot>
  fleetId(): FleetId
  current(): TrustRoot
  /** Root of that version if it is kept and no other valid one of the version is known: then nothing may be blamed on it. */
  undisputed(version: number): TrustRoot | undefined
  kept(version: number): TrustRoot | undefined
  adopt(envelope: Uint8Array): Adoption
  /** Why the root after the current one is beyond this build, if one came that the fleet's root keys have signed. */
  unreadable(): string | undefined
  /** Peers are asked for the root after this one: the last below a hole, 0 where the first is to be fetched, else the current one. */
  lacksAfter(): number
  /** An old root may belong into a hole. @returns what closes it, all at once, to be written; it changes nothing else. */
  fill(envelope: Uint8Array): readonly KeptRoot[]
  mayAsk(peer: PeerId, monoMs: number): boolean
  /** @returns what could not be used of the stored roots, one line each. */
  restore(stored: Snapshot['roots']): readonly string[]
}

/**
 * @param fromFirst whether those before the first one at hand are fetched, too: seeds prove the current root to whoever
 * has any, be it root 1
 * @throws MeshError where the configured root is no valid root.
 */
export function createRoots(configured: Uint8Array, limits: Limits, fromFirst = false): Roots {
  let chain = startChain(configured, limits)
  /** Below the holes that damage left, ascending. */
  let below: readonly RootChain[] = []
  /** The last of `below` with what peers gave so far: a stranger's word until the newest chain follows from it. */
  let filling: RootChain | undefined
  let all = chain.roots
  let unreadable: string | undefined
  const forked = new Set<number>()
  const asked = new LatestMap<PeerId, number>(limits.maxKnownPeers)

  function set(newest: RootChain, older: readonly RootChain[]): void {
    chain = newest
    below = older
    filling = older.at(-1)
    all = older.length === 0 ? chain.roots : new Map([...older, chain].flatMap(({ roots }) => [...roots]))
  }

  function take(envelope: Uint8Array): Adoption {
    const result = adopt(chain, envelope, limits)
    if (result.adoption.kind === 'unsupported') unreadable = result.adoption.text
    if (result.chain !== chain) {
      chain = result.chain
      unreadable = undefined
      all = below.length === 0 ? chain.roots : new Map(all).set(...newestOf(chain))
    }
    return result.adoption
  }

  const lacksFirst = (): boolean => fromFirst && below.length === 0 && !chain.roots.has(1)

  /** It proves itself: the fleet is named after it. What lies between is a hole like others. */
  function takeFirst(envelope: Uint8Array): readonly KeptRoot[] {
    const first = firstOf(chain.current.fleetId, envelope, limits)
    if (first === undefined) return []
    const joined = chain.roots.has(2) ? joinChains(first, chain, limits) : undefined
    if (joined !== undefined) set(joined, [])
    else set(chain, [first])
    return [...first.roots.values()]
  }

  function fill(envelope: Uint8Array): readonly KeptRoot[] {
    if (lacksFirst()) return takeFirst(envelope)
    const under = below.at(-1)
    if (under === undefined || filling === undefined) return []
    const longer = adopt(filling, envelope, limits).chain
    // Another one of the first version, too: what came before it may have led nowhere.
    filling = longer === filling ? retried(under, filling, envelope, limits) : longer
    const [first] = chain.roots.keys()
    if (first === undefined || filling.current.version < first - 1) return []
    const joined = joinChains(filling, chain, limits)
    if (joined === undefined) {
      filling = under
      return []
    }
    const closes = [...filling.roots.values()].slice(under.roots.size)
    set(joined, below.slice(0, -1))
    return closes
  }

  return {
    chain: () => chain,
    all: () => all,
    fleetId: () => chain.current.fleetId,
    current: () => chain.current,
    kept: (version) => all.get(version)?.root,
    undisputed: (version) => (forked.has(version) ? undefined : all.get(version)?.root),
    adopt(envelope) {
      const adoption = take(envelope)
      // It was just found to be a valid root, so it can be read.
      if (adoption.kind === 'fork' || adoption.kind === 'old-fork') forked.add(versionOf(envelope, limits))
      return adoption
    },
    unreadable: () => unreadable,
    lacksAfter: () => (lacksFirst() ? 0 : (filling ?? chain).current.version),
    fill,
    mayAsk(peer, monoMs) {
      const last = asked.get(peer)
      if (last !== undefined && monoMs - last < ASK_EVERY_MS) return false
      asked.set(peer, monoMs)
      return true
    },
    restore(stored) {
      const { runs, unused } = restoreRoots(configured, stored, limits)
      set(runs.at(-1) ?? chain, runs.slice(0, -1))
      return unused
    },
  }
}

const versionOf = (envelope: Uint8Array, limits: Limits): number =>
  decodeRoot(decodeEnvelope(envelope, limits.maxRootBytes, limits).payload, limits).version

const newestOf = ({ roots, current }: RootChain): [number, KeptRoot] => [
  current.version,
  roots.get(current.version) as KeptRoot,
]

/** Undefined where it is not the root that the fleet is named after. */
function firstOf(fleet: FleetId, envelope: Uint8Array, limits: Limits): RootChain | undefined {
  try {
    const chain = startChain(envelope, limits)
    return chain.current.version === 1 && chain.current.fleetId === fleet ? chain : undefined
  } catch (error) {
    if (!isMeshError(error)) throw error
    return undefined
  }
}

function retried(under: RootChain, filling: RootChain, envelope: Uint8Array, limits: Limits): RootChain {
  const again = adopt(under, envelope, limits).chain
  return again === under || again.currentDigest === filling.roots.get(again.current.version)?.digest
    ? filling
    : again
}

/** Undefined where the upper chain does not follow from the lower. */
function joinChains(lower: RootChain, upper: RootChain, limits: Limits): RootChain | undefined {
  const [first] = upper.roots.values()
  if (first === undefined || adopt(lower, first.envelope, limits).adoption.kind !== 'adopted')
    return undefined
  return { ...upper, roots: new Map([...lower.roots, ...upper.roots]) }
}
