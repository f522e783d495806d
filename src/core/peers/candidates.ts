/** Whom a node might dial for want of a link. */
import { regionIn } from '../../model/certificate.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Candidate } from '../degree.ts'
import type { Journey } from '../journey.ts'
import { identityOf } from '../session.ts'
import type { PeerBook } from './book.ts'

/** Seeds left out. Where nobody is linked none counts as gone: it may be this host that is cut off. */
export function candidatesOf(
  book: PeerBook,
  journey: Journey,
  removed: ReadonlySet<PeerId>,
  isLinked: boolean,
  monoMs: number,
): Candidate[] {
  return book.all().flatMap(({ record: { peer, patterns, addresses }, admission }) => {
    const free = journey.session(peer) === undefined && !removed.has(peer) && !book.isSeed(peer)
    if (!free || addresses.length === 0) return [] // who listens nowhere dials others
    const [region, identity] = [regionIn(admission.labels), identityOf(peer, admission)]
    return [{ peer, region, patterns, identity, gone: isLinked && book.isGone(peer, monoMs) }]
  })
}

export const seedsAway = (book: PeerBook, journey: Journey, removed: ReadonlySet<PeerId>): PeerId[] =>
  [...book.seeds()].filter((peer) => journey.session(peer) === undefined && !removed.has(peer))
