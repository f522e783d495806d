/** Messages of the protocols ↔ bytes. The length prefix around them is the transport's. */
import type { Limits } from '../limits.ts'
import type { AnyReply, AnyRequest, Protocol, ReplyOf, RequestOf } from '../model/messages.ts'
import { admitReply, admitRequest } from './admit-messages.ts'
import { decodeBlockReply, encodeBlockReply } from './block-reply.ts'
import { blocksReply, blocksRequest } from './blocks-messages.ts'
import { bridgeReply, bridgeRequest } from './bridge-messages.ts'
import { checkBytes, decodeStrict, encode } from './cbor.ts'
import type { Form } from './fields.ts'
import { blockMessageBytes } from './message-forms.ts'
import { publishReply, publishRequest } from './publish-messages.ts'
import { syncReply, syncRequest } from './sync-messages.ts'

const requests: { readonly [P in Protocol]: Form<RequestOf[P]> } = {
  admit: admitRequest,
  sync: syncRequest,
  blocks: blocksRequest,
  publish: publishRequest,
  bridge: bridgeRequest,
}
const replies: { readonly [P in Protocol]: Form<ReplyOf[P]> } = {
  admit: admitReply,
  sync: syncReply,
  blocks: blocksReply,
  publish: publishReply,
  bridge: bridgeReply,
}

/** The most bytes one request may have, for the reader of length prefixes. */
export function maxRequestBytes(protocol: Protocol, limits: Limits): number {
  // A page or block is uploaded by `publish`, too.
  return protocol === 'publish' ? blockMessageBytes(limits) : maxReplyBytes(protocol, limits)
}

export function maxReplyBytes(protocol: Protocol, limits: Limits): number {
  if (protocol === 'blocks') return blockMessageBytes(limits)
  if (protocol === 'publish') return limits.maxPublishMessageBytes
  if (protocol === 'bridge') return limits.maxBridgeMessageBytes
  return protocol === 'sync' ? limits.maxSyncMessageBytes : limits.maxAdmitMessageBytes
}

export const encodeRequest = <P extends Protocol>(protocol: P, message: RequestOf[P]): Uint8Array =>
  encode(requests[protocol].write(message))

export const encodeReply = <P extends Protocol>(protocol: P, message: ReplyOf[P]): Uint8Array =>
  encode(replies[protocol].write(message))

/** In parts that follow one another: a block is not copied. */
export function encodeReplyParts({ protocol, message }: AnyReply): readonly Uint8Array[] {
  if (protocol === 'blocks' && message.type === 'block') return encodeBlockReply(message.bytes)
  return [encodeReply(protocol, message as never)]
}

/**
 * What strangers send has little text in it, whatever it carries: 64 patterns of 200 bytes in a hello, the name of a channel
 * in a question. A hundred kilobytes of text or keys would take 40 ms to decode, before anybody asks whose they are.
 */
export const MAX_ADMIT_TEXT_BYTES = 16 * 1024
export const MAX_PUBLISH_TEXT_BYTES = 2 * 1024
/**
 * Of admitted peers, who ask far more often: twice and more of what the longest has in this build. That is a list of 512 ranges,
 * 64 marks of beacons, 256 items with the names of regions.
 */
export const MAX_BLOCKS_TEXT_BYTES = 8 * 1024
export const MAX_SYNC_TEXT_BYTES = 4 * 1024
export const MAX_BRIDGE_TEXT_BYTES = 48 * 1024
/** Of one item that a gateway names, with twice the room that it takes. */
const BRIDGE_ITEM_TEXT_BYTES = 192
const maxTextBytes: Readonly<Record<Protocol, (limits: Limits) => number>> = {
  admit: () => MAX_ADMIT_TEXT_BYTES,
  publish: () => MAX_PUBLISH_TEXT_BYTES,
  blocks: () => MAX_BLOCKS_TEXT_BYTES,
  sync: () => MAX_SYNC_TEXT_BYTES,
  bridge: ({ maxBridgeHave }) => Math.max(MAX_BRIDGE_TEXT_BYTES, BRIDGE_ITEM_TEXT_BYTES * maxBridgeHave),
}

/** Only what carries content may be as long as a block. */
function checkPublish(bytes: Uint8Array, request: AnyRequest, limits: Limits): void {
  const { protocol, message } = request
  if (protocol === 'publish' && message.type !== 'page' && message.type !== 'block')
    checkBytes(bytes, limits.maxPublishMessageBytes, `publish ${message.type}`)
}

/**
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, or CODEC_UNSUPPORTED (version or type of a newer build: answer
 *   with the code, keep the connection)
 */
export function decodeRequest(protocol: Protocol, bytes: Uint8Array, limits: Limits): AnyRequest {
  const what = `${protocol} request`
  const maxBytes = maxRequestBytes(protocol, limits)
  const bounds = { maxBytes, maxTextBytes: maxTextBytes[protocol](limits), limits, what }
  const value = decodeStrict(bytes, bounds)
  const request = { protocol, message: requests[protocol].read(value, what, limits) } as AnyRequest
  checkPublish(bytes, request, limits)
  return request
}

/** @throws MeshError as `decodeRequest` */
export function decodeReply(protocol: Protocol, bytes: Uint8Array, limits: Limits): AnyReply {
  const block = protocol === 'blocks' ? decodeBlockReply(bytes, limits) : undefined
  if (block !== undefined) return { protocol: 'blocks', message: { type: 'block', bytes: block } }
  const what = `${protocol} reply`
  const value = decodeStrict(bytes, { maxBytes: maxReplyBytes(protocol, limits), limits, what })
  return { protocol, message: replies[protocol].read(value, what, limits) } as AnyReply
}

/** Said and never answered. */
export const isNotice = ({ message }: AnyRequest): boolean => message.type === 'holds'

/** False while further replies of the same run follow. A list of channels with `more` is whole: its rest is asked for. */
export const isLast = ({ message }: AnyReply): boolean => message.type !== 'envelopes' || !message.more
