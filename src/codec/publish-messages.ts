import type { PublishReply, PublishRequest } from '../model/messages.ts'
import { bool, type Form, int, list, optional, word } from './fields.ts'
import { channel, digest, peerId, place, releaseId, timeMs } from './ids.ts'
import { contentBytes, refused, releaseEnvelope, rootEnvelope, union } from './message-forms.ts'

/** A release is acknowledged by the seed it went to and one more; room for a rule that asks for more. */
export const MAX_ACKNOWLEDGED = 16

const part = { release: releaseId, bytes: contentBytes }
const need = list(digest, (limits) => limits.maxNeed)

export const publishRequest: Form<PublishRequest> = union({
  // 0 asks for the first root.
  roots: { since: int(0) },
  state: { channel },
  channels: { after: optional(channel) },
  header: { release: releaseId },
  root: { root: rootEnvelope },
  lease: { envelope: releaseEnvelope },
  free: { release: releaseId },
  submit: { envelope: releaseEnvelope },
  page: part,
  block: part,
  await: { release: releaseId },
})

export const publishReply: Form<PublishReply> = union({
  root: { root: optional(rootEnvelope), at: optional(timeMs) },
  state: {
    rootVersion: int(1),
    top: place,
    held: bool,
    // Of `ids` and heads: two of each publisher at most, and the message's bytes bound them sooner.
    envelopes: list(releaseEnvelope, (limits) => 2 * limits.maxPublishers + 2),
    target: optional(releaseId),
    whole: bool,
  },
  header: { envelope: optional(releaseEnvelope) },
  channels: { channels: list(channel, (limits) => limits.maxListed), more: bool },
  noted: {},
  need: { pages: need, blocks: need },
  done: {
    verdict: word('NEW', 'CONCURRENT', 'DUPLICATE'),
    acknowledgedBy: list(peerId, MAX_ACKNOWLEDGED),
  },
  refused,
})
