import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import { matchesAny } from '../model/pattern.ts'
import type { Header } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { meets } from './threshold.ts'

/**
 * The release's publisher may publish on its channel under this root, and enough of its keys signed the envelope.
 * The release must be what was decoded from this very envelope; of a header of an unknown version these two names are
 * enough.
 * @throws MeshError TRUST_TYPE (the envelope holds no release), LIMIT_SIGNATURES
 */
export function authorised(
  root: TrustRoot,
  envelope: Envelope,
  release: { readonly header: Pick<Header, 'publisher' | 'channel'> },
  limits: Limits,
): boolean {
  const publisher = root.publishers.get(release.header.publisher)
  if (publisher === undefined || !matchesAny(publisher.patterns, release.header.channel)) return false
  return meets(publisher, root.keys, envelope, 'release', limits)
}
