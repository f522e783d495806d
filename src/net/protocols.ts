/** The protocols by name, and what each allows: the one place for their sizes, deadlines and stream limits. */
import { maxReplyBytes, maxRequestBytes } from '../codec/messages.ts'
import type { Limits } from '../limits.ts'
import type { AnyRequest, Protocol } from '../model/messages.ts'

export const PROTOCOL_IDS: Readonly<Record<Protocol, string>> = {
  admit: '/confmesh/admit/1',
  sync: '/confmesh/sync/1',
  blocks: '/confmesh/blocks/1',
  publish: '/confmesh/publish/1',
  bridge: '/confmesh/bridge/1',
}

export const PROTOCOLS = [
  'admit',
  'sync',
  'blocks',
  'publish',
  'bridge',
] as const satisfies readonly Protocol[]

export interface ProtocolRules {
  readonly id: string
  readonly maxRequestBytes: number
  readonly maxReplyBytes: number
  /** All replies to one request together. */
  readonly maxRunBytes: number
  /** For one message, from its first byte to its last. */
  readonly messageDeadlineMs: number
  /** For the answer to a request of theirs. */
  readonly answerDeadlineMs: number
  /** Each way, per connection. */
  readonly maxStreams: number
  /** Requests by their type, which go before others. */
  readonly urgent: readonly AnyRequest['message']['type'][]
  /** Of `maxStreams`, for what is urgent: others may be kept for long by questions that have no answer yet. */
  readonly spare: number
  /** Without a request for so long a stream is closed by the side that answers; the asker gives it up at half of that. */
  readonly idleMs: number
  readonly admittedOnly: boolean
  /** A request counts as one more for so many bytes of it. */
  readonly bytesAsOne: number
}

/** The things a gateway says it has are many small values: 256 of them, 20 KiB, take 5 ms to decode. */
export const BRIDGE_BYTES_AS_ONE = 2_048

/**
 * Requests for which a stream is kept: who waited for one would be taken for silent. Between seeds, answered at once and asked for
 * a second at most; and that this node lives, while all that it asks for itself has no answer.
 */
const URGENT: Readonly<Partial<Record<Protocol, readonly AnyRequest['message']['type'][]>>> = {
  publish: ['lease', 'free'],
  blocks: ['holds'],
}

/** A fifteenth on top for what surrounds the envelopes: older builds fill the bound with those alone. */
const syncRunBytes = ({ maxSyncRunBytes }: Limits): number => Math.ceil((maxSyncRunBytes * 16) / 15)

export type RulesOf = Readonly<Record<Protocol, ProtocolRules>>

export function protocolRules(limits: Limits): RulesOf {
  const rules = (protocol: Protocol, rest: Pick<ProtocolRules, 'messageDeadlineMs' | 'answerDeadlineMs'>) => {
    const admittedOnly = protocol !== 'admit' && protocol !== 'publish'
    const urgent = URGENT[protocol] ?? []
    return {
      id: PROTOCOL_IDS[protocol],
      maxRequestBytes: maxRequestBytes(protocol, limits),
      maxReplyBytes: maxReplyBytes(protocol, limits),
      maxRunBytes: protocol === 'sync' ? syncRunBytes(limits) : maxReplyBytes(protocol, limits),
      maxStreams: limits.maxStreams[protocol],
      urgent,
      spare: urgent.length > 0 && limits.maxStreams[protocol] > 1 ? 1 : 0,
      idleMs: admittedOnly ? limits.admittedStreamIdleMs : limits.streamIdleMs,
      admittedOnly,
      bytesAsOne: protocol === 'bridge' ? BRIDGE_BYTES_AS_ONE : Number.POSITIVE_INFINITY,
      ...rest,
    }
  }
  const { admitDeadlineMs, syncDeadlineMs, blockDeadlineMs, publishDeadlineMs, answerDeadlineMs } = limits
  const { bridgeDeadlineMs } = limits
  return {
    admit: rules('admit', { messageDeadlineMs: admitDeadlineMs, answerDeadlineMs: admitDeadlineMs }),
    sync: rules('sync', { messageDeadlineMs: syncDeadlineMs, answerDeadlineMs: blockDeadlineMs }),
    blocks: rules('blocks', { messageDeadlineMs: blockDeadlineMs, answerDeadlineMs: blockDeadlineMs }),
    publish: rules('publish', { messageDeadlineMs: publishDeadlineMs, answerDeadlineMs }),
    bridge: rules('bridge', { messageDeadlineMs: bridgeDeadlineMs, answerDeadlineMs: bridgeDeadlineMs }),
  }
}
