/** The node's own chain of trust roots: what it was configured with and everything adopted since. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeRoot } from '../codec/root.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, PeerId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { adopt, type RootChain, startChain } from '../trust/chain.ts'
import type { Adoption } from './journey.ts'
import { LatestMap } from './latest.ts'
import type { Snapshot } from './snapshot.ts'

/** A peer that names a root we lack is asked for it once in this time; 10,000 such messages cost one question. */
const ASK_EVERY_MS = 60_000

export interface Roots {
  chain(): RootChain
  fleetId(): FleetId
  current(): TrustRoot
  /** Root of that version if it is kept and no other valid one of the version is known: then nothing may be blamed on it. */
  undisputed(version: number): TrustRoot | undefined
  kept(version: number): TrustRoot | undefined
  adopt(envelope: Uint8Array): Adoption
  mayAsk(peer: PeerId, monoMs: number): boolean
  /** @returns what could not be used of the stored roots, one line each. */
  restore(stored: Snapshot['roots']): readonly string[]
}

/** @throws MeshError where the configured root is no valid root. */
export function createRoots(configured: Uint8Array, limits: Limits): Roots {
  let chain = startChain(configured, limits)
  const forked = new Set<number>()
  const asked = new LatestMap<PeerId, number>(limits.maxKnownPeers)

  function take(envelope: Uint8Array): Adoption {
    const result = adopt(chain, envelope, limits)
    chain = result.chain
    return result.adoption
  }

  return {
    chain: () => chain,
    fleetId: () => chain.current.fleetId,
    current: () => chain.current,
    kept: (version) => chain.roots.get(version)?.root,
    undisputed: (version) => (forked.has(version) ? undefined : chain.roots.get(version)?.root),
    adopt(envelope) {
      const adoption = take(envelope)
      // It was just found to be a valid root, so it can be read.
      if (adoption.kind === 'fork' || adoption.kind === 'old-fork') forked.add(versionOf(envelope, limits))
      return adoption
    },
    mayAsk(peer, monoMs) {
      const last = asked.get(peer)
      if (last !== undefined && monoMs - last < ASK_EVERY_MS) return false
      asked.set(peer, monoMs)
      return true
    },
    restore(stored) {
      const restored = restoreChain(chain, configured, stored, limits)
      chain = restored.chain
      return restored.unused
    },
  }
}

const versionOf = (envelope: Uint8Array, limits: Limits): number =>
  decodeRoot(decodeEnvelope(envelope, limits.maxRootBytes, limits).payload, limits).version

/**
 * The newest of configuration and store counts, as far as they are one chain: what the store holds may be damaged, or
 * somebody else's. Only where all between them was lost (a second copy of the newest root is kept apart) the store is
 * taken at its word, so that losing it brings no older root back.
 */
function restoreChain(
  configured: RootChain,
  configuredBytes: Uint8Array,
  stored: Snapshot['roots'],
  limits: Limits,
): { readonly chain: RootChain; readonly unused: readonly string[] } {
  const unused: string[] = []
  const sorted = [...stored].sort((a, b) => a.version - b.version)
  let chain: RootChain | undefined
  for (const { version, envelope } of sorted) {
    try {
      if (chain === undefined) chain = startChain(envelope, limits)
      else {
        const result = adopt(chain, envelope, limits)
        chain = result.chain
        if (result.adoption.kind !== 'adopted') unused.push(`stored root ${version}: ${result.adoption.text}`)
      }
    } catch (error) {
      if (!isMeshError(error)) throw error
      unused.push(`stored root ${version}: ${error.message}`)
    }
  }
  if (chain === undefined) return { chain: configured, unused }
  if (chain.current.fleetId !== configured.current.fleetId) {
    return {
      chain: configured,
      unused: [...unused, 'the stored roots are of another fleet; the configured one counts'],
    }
  }
  if (chain.current.version >= configured.current.version) return anchored(configured, chain, unused, limits)
  const next = adopt(chain, configuredBytes, limits)
  return { chain: next.adoption.kind === 'adopted' ? next.chain : configured, unused }
}

/** A stored chain that reaches the configured version or passes it. */
function anchored(
  configured: RootChain,
  stored: RootChain,
  unused: readonly string[],
  limits: Limits,
): { readonly chain: RootChain; readonly unused: readonly string[] } {
  const { version } = configured.current
  const digest = stored.roots.get(version)?.digest
  const first = Math.min(...stored.roots.keys())
  if (digest === configured.currentDigest || first > version + 1) return { chain: stored, unused }
  let chain = configured
  for (const { root, envelope } of stored.roots.values())
    if (root.version > version) chain = adopt(chain, envelope, limits).chain
  if (chain.current.version === stored.current.version) return { chain, unused }
  const text = `stored root ${chain.current.version + 1} does not follow from the configured root ${version}, which counts`
  return { chain, unused: [...unused, text] }
}
