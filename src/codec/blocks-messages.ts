import type { BlocksReply, BlocksRequest } from '../model/messages.ts'
import { peerOf } from '../model/names.ts'
import { bool, bytes, convert, type Form, int, list, malformed, optional } from './fields.ts'
import { address, channel, digest, peerId, releaseId } from './ids.ts'
import { contentBytes, refused, union } from './message-forms.ts'

/** One bit for each page and block: 64 GiB in blocks of 256 KiB take 32 KiB; smaller blocks have room. */
export const MAX_BITMAP_BYTES = 64 * 1024
export const MAX_ADDRESSES = 16
/** Pairs of first place and count: a batch of 64 blocks apart from one another has room four times. */
export const MAX_RANGES = 512
export const MAX_PLACE = 2 ** 24

export const blocksRequest: Form<BlocksRequest> = union({
  want: { digest, failed: optional(bool) },
  have: { release: releaseId, channel, whole: bool, bitmap: optional(bytes(MAX_BITMAP_BYTES, 1)) },
  holds: {
    release: releaseId,
    channel,
    whole: bool,
    bitmap: optional(bytes(MAX_BITMAP_BYTES, 1)),
    ranges: optional(list(int(0, MAX_PLACE), MAX_RANGES)),
  },
})

const reply: Form<BlocksReply> = union({
  block: { bytes: contentBytes },
  gone: {},
  busy: { retryAfterMs: int() },
  redirect: { peer: peerId, addresses: list(address, MAX_ADDRESSES) },
  noted: { whole: optional(bool) },
  refused,
})

/** Whom a seed sends on dials these addresses: each must end at the peer that is named, or it could be sent anywhere. */
export const blocksReply: Form<BlocksReply> = convert(
  reply,
  (message, at) => {
    if (message.type === 'redirect' && message.addresses.some((one) => peerOf(one) !== message.peer))
      throw malformed(`${at}.addresses`, 'an address names another peer than the redirect')
    return message
  },
  (message) => message,
)
