import type { BlocksReply, BlocksRequest } from '../model/messages.ts'
import { bool, bytes, type Form, int, list, optional } from './fields.ts'
import { address, channel, digest, peerId, releaseId } from './ids.ts'
import { refused, union } from './message-forms.ts'

/** One bit for each page and block: 64 GiB in blocks of 256 KiB take 32 KiB; smaller blocks have room. */
const MAX_BITMAP_BYTES = 64 * 1024
const MAX_ADDRESSES = 16

export const blocksRequest: Form<BlocksRequest> = union({
  want: { digest, failed: optional(bool) },
  have: { release: releaseId, channel, whole: bool, bitmap: optional(bytes(MAX_BITMAP_BYTES, 1)) },
})

export const blocksReply: Form<BlocksReply> = union({
  block: { bytes: bytes((limits) => limits.maxBlockBytes, 1) },
  gone: {},
  busy: { retryAfterMs: int() },
  redirect: { peer: peerId, addresses: list(address, MAX_ADDRESSES) },
  noted: {},
  refused,
})
