/** `/confmesh/bridge/1`: what gateways of different regions, and of one region, say to one another. */
import type { Limits } from '../limits.ts'
import type { BridgeItem, BridgeReply, BridgeRequest } from '../model/messages.ts'
import { bool, bytes, type Form, list, optional, record, word } from './fields.ts'
import { digest, name } from './ids.ts'
import { refused, union } from './message-forms.ts'

/** Own heartbeats in one message: the sender's, and room for a build that says more. */
export const MAX_TOLD = 8

const item: Form<BridgeItem> = record({ topic: word('releases', 'control'), id: digest, home: name })

const gossip = bytes((limits: Limits) => limits.maxControlGossipBytes, 1)
const pages = list(
  bytes((limits) => limits.maxHandedBytes, 1),
  (limits) => limits.maxPages,
  1,
)
export const heartbeatEnvelope = bytes((limits) => limits.maxHeartbeatBytes, 1)

export const bridgeRequest: Form<BridgeRequest> = union({
  announce: { item, bytes: optional(gossip), pages: optional(pages) },
  claim: { item, pages: optional(pages) },
  pull: { item },
  have: { items: list(item, (limits) => limits.maxBridgeHave, 1) },
  heartbeats: { heartbeats: list(heartbeatEnvelope, MAX_TOLD), want: bool },
})

export const bridgeReply: Form<BridgeReply> = union({
  noted: {},
  item: { bytes: gossip },
  gone: {},
  heartbeats: { heartbeats: list(heartbeatEnvelope, (limits) => limits.maxRegions * limits.maxGateways) },
  refused,
})
