/** The answering side of a comparison. It keeps nothing of a round but the salt, so that a peer costs no memory. */
import type { ChannelHash } from '../model/beacon.ts'
import type { BeaconMark, SyncRequest } from '../model/messages.ts'
import type { ChannelHashes } from './channel-hashes.ts'
import type { RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import type { Step } from './step.ts'
import { bucketDigests, isSalt, isSubs, type Row, rowsIn, subDigests, subsFor } from './sync-digests.ts'
import {
  answerSync,
  compareWith,
  intoMessages,
  mayOffer,
  messageBudget,
  releasesOf,
  type SyncPeer,
} from './sync-peer.ts'

type Asked<T extends SyncRequest['type']> = Extract<SyncRequest, { readonly type: T }>
const LACK_BYTES = 18

export function answerDigests(
  step: Step,
  journey: Journey,
  from: SyncPeer,
  id: RequestId,
  { salt, digest, buckets }: Asked<'digests'>,
  hashes: ChannelHashes,
  beacons: readonly BeaconMark[],
): void {
  if (!isSalt(salt)) {
    answerSync(step, id, { type: 'refused', code: 'NET_PROTOCOL', text: 'a salt has 8 to 32 bytes' })
    return
  }
  if (!from.comparisons.take(step.now.monoMs)) {
    const text = 'too many comparisons a second'
    answerSync(step, id, { type: 'refused', code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
    return
  }
  from.theirSalt = salt
  const table = compareWith(journey, from, salt, hashes)
  const own = bucketDigests(table)
  const subs = subsFor(table.rows.length)
  const differing =
    own.digest === digest ? [] : own.buckets.flatMap((d, at) => (d === buckets[at] ? [] : [at]))
  const root = journey.root().version
  answerSync(step, id, { type: 'differ', root, beacons, subs, buckets: subDigests(table, differing, subs) })
}

/** Envelopes the asker may lack, and where it may have more. What does not fit the run waits for the next round. */
export function answerEntries(
  step: Step,
  journey: Journey,
  from: SyncPeer,
  id: RequestId,
  { subBuckets, subs, entries }: Asked<'entries'>,
  hashes: ChannelHashes,
): void {
  if (from.theirSalt === undefined || !isSubs(subs)) {
    answerSync(step, id, { type: 'refused', code: 'NET_PROTOCOL', text: 'entries come after digests' })
    return
  }
  const theirs = new Map(entries.map(({ channel, entry }) => [channel, entry]))
  const table = compareWith(journey, from, from.theirSalt, hashes)
  const rows = rowsIn(table, new Set(subBuckets), subs)
  const root = journey.root().version
  const lacks: ChannelHash[] = []
  const envelopes: Uint8Array[] = []
  let bytes = 0
  for (const row of rows) {
    const entry = theirs.get(row.hash)
    theirs.delete(row.hash)
    if (entry === row.entry) continue
    const found = envelopesOf(journey, row)
    const size = found.reduce((sum, { length }) => sum + length, 0)
    if (bytes + size > step.config.limits.maxSyncRunBytes - LACK_BYTES * entries.length) continue
    if (!mayOffer(step, from, row.hash, { mine: row.entry, theirs: entry, root })) continue
    bytes += size
    envelopes.push(...found)
    if (entry !== undefined) lacks.push(row.hash)
  }
  // Channels that only the asker knows.
  for (const [hash, entry] of theirs)
    if (mayOffer(step, from, hash, { mine: undefined, theirs: entry, root })) lacks.push(hash)
  sendRun(step, id, envelopes, lacks)
}

/** Only what is on disk is offered. */
const envelopesOf = (journey: Journey, { facts }: Row): Uint8Array[] =>
  facts.durable ? releasesOf(facts).flatMap((release) => journey.envelope(release) ?? []) : []

function sendRun(
  step: Step,
  id: RequestId,
  envelopes: readonly Uint8Array[],
  lacks: readonly ChannelHash[],
): void {
  const { limits } = step.config
  const perMessage = Math.floor(messageBudget(limits) / LACK_BYTES)
  const messages: { envelopes: readonly Uint8Array[]; lacks: readonly ChannelHash[] }[] = []
  for (const part of intoMessages(envelopes, limits)) messages.push({ envelopes: part, lacks: [] })
  for (let at = 0; at < lacks.length; at += perMessage)
    messages.push({ envelopes: [], lacks: lacks.slice(at, at + perMessage) })
  if (messages.length === 0) messages.push({ envelopes: [], lacks: [] })
  for (const [at, message] of messages.entries())
    answerSync(step, id, { type: 'envelopes', ...message, more: at < messages.length - 1 })
}
