/** Whether a node may join: its certificate chain, the root's removals, and the time, judged offline by every peer. */
import { formatTime } from '../codec/json-fields.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { type Admission, type PoolMemory, readChain } from './certificates.ts'

export type Judgement =
  | { readonly kind: 'admitted'; readonly admission: Admission }
  | { readonly kind: 'refused'; readonly code: Code; readonly text: string }

/** @param nowMs wall time, milliseconds since 1970; undefined where only the root is asked, as for who is admitted already */
export type Judge = (
  peer: PeerId,
  chain: readonly Uint8Array[],
  root: TrustRoot,
  nowMs: number | undefined,
) => Judgement

/** Pools are few and shared by many nodes: each is verified once under a root. */
export function createJudge(limits: Limits): Judge {
  const pools = new WeakMap<TrustRoot, PoolMemory>()
  return (peer, chain, root, nowMs) => {
    const known: PoolMemory = pools.get(root) ?? new Map()
    pools.set(root, known)
    try {
      if (isRemovedPeer(root, peer)) return refused('ADMIT_REMOVED', `the trust root removes node ${peer}`)
      const admission = readChain(chain, root, limits, known)
      return judged(peer, admission, root, nowMs, limits)
    } catch (error) {
      if (!isMeshError(error)) throw error
      return refused(error.code, error.message)
    }
  }
}

/** Quick, and without the chain: what a new root may have taken from a node that was admitted under an older one. */
export function isStillNamed(peer: PeerId, { issuer, pool }: Admission, root: TrustRoot): boolean {
  if (isRemovedPeer(root, peer) || (pool !== undefined && isRemovedPool(root, pool.key))) return false
  return root.admission.keys.includes(issuer)
}

export const isRemovedPeer = (root: TrustRoot, peer: PeerId): boolean =>
  root.removed.peers.some(({ id }) => id === peer)

const isRemovedPool = (root: TrustRoot, key: string): boolean =>
  root.removed.pools.some((pool) => pool.key === key)

function judged(
  peer: PeerId,
  admission: Admission,
  root: TrustRoot,
  nowMs: number | undefined,
  { admitSkewMs }: Limits,
): Judgement {
  const { pool, notBefore, notAfter } = admission
  if (admission.peer !== peer)
    return refused('ADMIT_REFUSED', `the certificate is of ${admission.peer}, not of ${peer}`)
  if (pool !== undefined && isRemovedPool(root, pool.key))
    return refused('ADMIT_REMOVED', `the trust root removes pool ${pool.name}, key ${pool.key.slice(0, 12)}`)
  if (nowMs === undefined) return { kind: 'admitted', admission }
  if (nowMs - admitSkewMs > notAfter)
    return refused('ADMIT_EXPIRED', `the certificate ended ${formatTime(notAfter)}`)
  if (nowMs + admitSkewMs < notBefore)
    return refused('ADMIT_EXPIRED', `the certificate begins ${formatTime(notBefore)}`)
  return { kind: 'admitted', admission }
}

const refused = (code: Code, text: string): Judgement => ({ kind: 'refused', code, text })
