/** What a node says of a channel: the words of the core's view, of the HTTP interface and of `status`. */

export type ChannelState = 'active' | 'fetching' | 'conflict' | 'held' | 'stale' | 'empty'

export const GATES = [
  'content',
  'unsupported',
  'rollout',
  'expired',
  'root-expired',
  'read-only',
  'health',
] as const

/** Why the target is not active yet: "not yet", never "another one". Null: every gate is open. */
export type Gate = (typeof GATES)[number] | null
