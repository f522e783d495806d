/** By what the bridge knows a thing: a release by its id, a root or beacon by the digest of its gossip message. */
import { sha256 } from '../../codec/digest.ts'
import { decodeControlGossip, decodeReleaseGossip } from '../../codec/gossip.ts'
import type { Limits } from '../../limits.ts'
import type { Digest, ReleaseId } from '../../model/ids.ts'
import { readRelease } from '../release-bytes.ts'
import type { Said } from '../stage.ts'

const asDigest = (release: ReleaseId): Digest => release as string as Digest
export const asRelease = (id: Digest): ReleaseId => id as string as ReleaseId

/** Undefined: heartbeats stay where they are, and what cannot be read is not carried. */
export function idOf({ topic, bytes, release }: Said, limits: Limits): Digest | undefined {
  if (topic === 'control')
    return decodeControlGossip(bytes, limits).kind === 'heartbeat' ? undefined : sha256(bytes)
  if (release !== undefined) return asDigest(release)
  const read = readRelease(decodeReleaseGossip(bytes, limits).envelope, limits)
  return read.kind === 'read' ? asDigest(read.release.id) : undefined
}
