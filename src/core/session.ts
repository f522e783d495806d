import type { Address, Channel, Pattern, PeerId } from '../model/ids.ts'
import type { Hello } from '../model/messages.ts'
import { matchesAny, overlaps } from '../model/pattern.ts'
import type { Admission } from '../trust/certificates.ts'

/** A connection, from `connected` to `disconnected`. */
export interface Session {
  readonly peer: PeerId
  readonly direction: 'inbound' | 'outbound'
  readonly address: Address
  /** The connection comes from this very host (loopback or one of its own addresses). */
  readonly ownHost: boolean
  readonly sinceMonoMs: number
  /**
   * Set once both sides' hello went through: gossip, sync and blocks are open. Its region and zone are those of the
   * certificate, whatever the peer said, and never empty: `regionIn`.
   */
  readonly hello: Hello | undefined
  /** What its certificate chain says; set with `hello`. */
  readonly admission?: Admission
}

export interface AdmittedSession extends Session {
  readonly hello: Hello
}

/** Undefined where the peer dialled. */
export const dialledAt = ({ direction, address }: Session): Address | undefined =>
  direction === 'outbound' ? address : undefined

export const isAdmitted = (session: Session): session is AdmittedSession => session.hello !== undefined

/** All members of a pool are one identity: whoever has its key makes as many peer ids as it likes. */
export const identityOf = (peer: PeerId, admission: Admission | undefined): string =>
  admission?.pool?.key ?? peer

/** Patterns of a seed: it stores every channel. */
export const EVERYTHING = '**' as Pattern

/** A peer with these patterns stores the channel. */
export const storesChannel = (patterns: readonly Pattern[], channel: Channel): boolean =>
  patterns.includes(EVERYTHING) || matchesAny(patterns, channel)

/** Peers of these patterns and of those may store a channel in common. */
export const mayShare = (some: readonly Pattern[], others: readonly Pattern[]): boolean =>
  some.some((one) => others.some((other) => overlaps(one, other)))
