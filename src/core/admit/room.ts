/** How many connections a node takes: strangers by address, admitted peers by identity. */
import type { Limits } from '../../limits.ts'
import type { Address, PeerId } from '../../model/ids.ts'
import { hostOf } from '../hosts.ts'
import { type AdmittedSession, identityOf, isAdmitted, type Session } from '../session.ts'
import type { Link } from './link.ts'

/**
 * Strangers hold a connection for seconds; still, one address must not use up all of them. Those that publish hold one for
 * minutes, and count half: the pipelines behind one address would else keep out the nodes behind it.
 */
export function isCrowded(
  address: Address,
  links: Iterable<Pick<Link, 'session' | 'publishedMonoMs'>>,
  limits: Limits,
): boolean {
  const host = hostOf(address)
  let all = 0
  let same = 0
  for (const { session, publishedMonoMs } of links) {
    if (isAdmitted(session) || session.direction === 'outbound') continue
    all += 1
    if (hostOf(session.address) === host) same += publishedMonoMs === undefined ? 1 : 0.5
  }
  return all >= limits.maxUnadmitted || same >= limits.maxUnadmittedPerAddress
}

export type Room =
  | { readonly kind: 'free' }
  /** The newest connection of the identity that has the most makes room. */
  | { readonly kind: 'instead'; readonly of: PeerId }
  | { readonly kind: 'none' }

/** Of those that came to us. */
export const newestOf = (sessions: readonly AdmittedSession[]): AdmittedSession | undefined =>
  sessions
    .filter(({ direction }) => direction === 'inbound')
    .sort((a, b) => b.sinceMonoMs - a.sinceMonoMs || (a.peer < b.peer ? -1 : 1))[0]

/**
 * Room for one more of this identity. In a full node no identity keeps others out: one that holds two connections
 * more than the newcomer's would then hold gives up its newest.
 */
export function roomFor(identity: string, sessions: Iterable<Session>, most: number): Room {
  const held = new Map<string, AdmittedSession[]>()
  let all = 0
  for (const session of sessions) {
    if (!isAdmitted(session)) continue
    all += 1
    const whose = identityOf(session.peer, session.admission)
    held.set(whose, [...(held.get(whose) ?? []), session])
  }
  if (all < most) return { kind: 'free' }
  const mine = held.get(identity)?.length ?? 0
  const [largest] = [...held].sort(
    ([a, some], [b, others]) => others.length - some.length || (a < b ? -1 : 1),
  )
  if (largest === undefined || largest[1].length < mine + 2) return { kind: 'none' }
  const newest = newestOf(largest[1])
  return newest === undefined ? { kind: 'none' } : { kind: 'instead', of: newest.peer }
}
