/** The protocols by name, and what each allows: the one place for their sizes, deadlines and stream limits. */
import type { Limits } from '../limits.ts'
import type { Protocol } from '../model/messages.ts'

export const PROTOCOL_IDS: Readonly<Record<Protocol, string>> = {
  admit: '/confmesh/admit/1',
  sync: '/confmesh/sync/1',
  blocks: '/confmesh/blocks/1',
  publish: '/confmesh/publish/1',
}

export const PROTOCOLS = ['admit', 'sync', 'blocks', 'publish'] as const satisfies readonly Protocol[]

export interface ProtocolRules {
  readonly id: string
  readonly maxRequestBytes: number
  readonly maxReplyBytes: number
  /** All replies to one request together. */
  readonly maxRunBytes: number
  /** For one message, from its first byte to its last, and for writing one. */
  readonly messageDeadlineMs: number
  /** For the answer to a request of theirs. */
  readonly answerDeadlineMs: number
  /** Each way, per connection. */
  readonly maxStreams: number
  readonly admittedOnly: boolean
}

export type RulesOf = Readonly<Record<Protocol, ProtocolRules>>

export function protocolRules(limits: Limits): RulesOf {
  return {
    admit: {
      id: PROTOCOL_IDS.admit,
      maxRequestBytes: limits.maxAdmitMessageBytes,
      maxReplyBytes: limits.maxAdmitMessageBytes,
      maxRunBytes: limits.maxAdmitMessageBytes,
      messageDeadlineMs: limits.admitDeadlineMs,
      answerDeadlineMs: limits.admitDeadlineMs,
      maxStreams: limits.maxStreams.admit,
      admittedOnly: false,
    },
    sync: {
      id: PROTOCOL_IDS.sync,
      maxRequestBytes: limits.maxSyncMessageBytes,
      maxReplyBytes: limits.maxSyncMessageBytes,
      maxRunBytes: limits.maxSyncRunBytes,
      messageDeadlineMs: limits.syncDeadlineMs,
      answerDeadlineMs: limits.blockDeadlineMs,
      maxStreams: limits.maxStreams.sync,
      admittedOnly: true,
    },
    blocks: {
      id: PROTOCOL_IDS.blocks,
      maxRequestBytes: limits.maxSyncMessageBytes,
      maxReplyBytes: limits.maxBlockMessageBytes,
      maxRunBytes: limits.maxBlockMessageBytes,
      messageDeadlineMs: limits.blockDeadlineMs,
      answerDeadlineMs: limits.blockDeadlineMs,
      maxStreams: limits.maxStreams.blocks,
      admittedOnly: true,
    },
    publish: {
      id: PROTOCOL_IDS.publish,
      // a page or a block; the codec holds every other request to maxPublishMessageBytes
      maxRequestBytes: limits.maxBlockMessageBytes,
      maxReplyBytes: limits.maxPublishMessageBytes,
      maxRunBytes: limits.maxPublishMessageBytes,
      messageDeadlineMs: limits.publishDeadlineMs,
      answerDeadlineMs: limits.answerDeadlineMs,
      maxStreams: limits.maxStreams.publish,
      admittedOnly: false,
    },
  }
}
