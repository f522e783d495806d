import type { Address, Channel, Pattern, PeerId } from '../model/ids.ts'
import type { Hello } from '../model/messages.ts'
import { matchesAny } from '../model/pattern.ts'

/** A connection, from `connected` to `disconnected`. */
export interface Session {
  readonly peer: PeerId
  readonly direction: 'inbound' | 'outbound'
  readonly address: Address
  /** The connection comes from this very host (loopback or one of its own addresses). */
  readonly ownHost: boolean
  readonly sinceMonoMs: number
  /** Set once both sides' hello went through: gossip, sync and blocks are open. */
  readonly hello: Hello | undefined
}

export interface AdmittedSession extends Session {
  readonly hello: Hello
}

export const isAdmitted = (session: Session): session is AdmittedSession => session.hello !== undefined

/** Patterns of a seed: it stores every channel. */
export const EVERYTHING = '**' as Pattern

/** A node that names no region is in this one. */
export const regionOf = (label: string): string => (label === '' ? 'default' : label)

/** A peer with these patterns stores the channel. */
export const storesChannel = (patterns: readonly Pattern[], channel: Channel): boolean =>
  patterns.includes(EVERYTHING) || matchesAny(patterns, channel)
