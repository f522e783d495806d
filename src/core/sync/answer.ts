/** The answering side of a comparison. Of a round it keeps the salt alone; of the answer before, what it offered and what was not on disk. */
import type { BeaconMark, ShortDigest, ShortHash, SyncRequest } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'
import type { SyncIndex } from './channel-index.ts'
import { BUCKETS, bucketOf, keyed, NOTHING, type Row, subsFor } from './digests.ts'
import {
  aloneRunBudget,
  answerSync,
  budgeted,
  intoMessages,
  mayOffer,
  messageBudget,
  namesNewer,
  releasesOf,
  runBudget,
  type SyncPeer,
} from './peer.ts'

type Asked<T extends SyncRequest['type']> = Extract<SyncRequest, { readonly type: T }>
/** A channel named in a reply. */
const LACK_BYTES = 8

/**
 * `refused`: nothing it says is looked at. `behind`: of a new connection most of what both store is not the same, and the
 * other has newer beacons, so it is probably we who were cut off: to ask for all that is quicker than to have it pushed.
 */
export function answerDigests(
  step: Step,
  journey: Journey,
  from: SyncPeer,
  id: RequestId,
  { salt, digest, buckets, beacons: theirBeacons }: Asked<'digests'>,
  index: SyncIndex,
  beacons: readonly BeaconMark[],
): 'refused' | 'answered' | 'behind' {
  if (!from.comparisons.take(step.now.monoMs)) {
    const text = 'too many comparisons a second'
    answerSync(step, id, { type: 'refused', code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
    return 'refused'
  }
  const isFirst = from.theirSalt === undefined
  from.theirSalt = salt
  from.lacking = 0
  from.cameEmpty ||= buckets.every((group) => group === NOTHING)
  const view = index.view(journey, from.patterns, step.now.monoMs)
  const own = view.digests(salt)
  const subs = subsFor(view.size)
  const differing =
    own.digest === digest ? [] : own.buckets.flatMap((d, at) => (d === buckets[at] ? [] : [at]))
  forgetOffered(from, differing)
  const digests = view.subDigests(salt, differing, subs)
  const root = journey.root().version
  answerSync(step, id, { type: 'differ', root, beacons, subs, buckets: differing, digests })
  const isMost = differing.length > BUCKETS / 2
  return isFirst && isMost && namesNewer(theirBeacons, beacons) ? 'behind' : 'answered'
}

/**
 * What was offered in buckets that are equal by now came to something, or nobody lacks it any more. A peer that joined with
 * nothing was offered all there is, and would be remembered with it for as long as it is connected.
 */
function forgetOffered({ offered }: SyncPeer, differing: readonly number[]): void {
  if (differing.length === BUCKETS) return
  const differ = new Set(differing)
  for (const channel of offered.keys()) if (!differ.has(bucketOf(channel))) offered.delete(channel)
}

/** Envelopes the asker may lack, and where it may have more. What does not fit the run waits for the next round. */
export function answerEntries(
  step: Step,
  journey: Journey,
  from: SyncPeer,
  id: RequestId,
  { subBuckets, subs, entries }: Asked<'entries'>,
  index: SyncIndex,
): void {
  if (from.theirSalt === undefined) {
    answerSync(step, id, { type: 'refused', code: 'NET_PROTOCOL', text: 'entries come after digests' })
    return
  }
  if (!from.entries.take(step.now.monoMs)) {
    const text = 'too many requests for entries a second'
    answerSync(step, id, { type: 'refused', code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
    return
  }
  const salt = from.theirSalt
  const theirs = byChannel(entries)
  const rows = index.view(journey, from.patterns, step.now.monoMs).rowsIn(subBuckets, subs).flat()
  const root = journey.root().version
  const known = new Set<ShortHash>()
  const lacks = new Set<ShortHash>()
  const envelopes: Uint8Array[] = []
  const { limits } = step.config
  const lackBytes = LACK_BYTES * entries.length
  const maxBytes = runBudget(limits) - lackBytes
  const maxOfOne = aloneRunBudget(limits) - lackBytes
  let bytes = 0
  for (const row of rows) {
    const mine = keyed(salt, row.digest)
    const said = theirs.get(row.key) ?? []
    known.add(row.key)
    if (said.includes(mine)) continue
    const found = envelopesOf(journey, row)
    if (found === undefined) from.unwritten.add(row.channel)
    const size = (found ?? []).reduce((sum, envelope) => sum + budgeted(envelope), 0)
    if (bytes + size > (bytes === 0 ? maxOfOne : maxBytes)) continue
    // That it came to be on disk is a change, too: what could not be offered before does not wait.
    const offered = found === undefined ? undefined : mine
    if (!mayOffer(step, from, row.key, { mine: offered, theirs: said[0], root })) continue
    bytes += size
    envelopes.push(...(found ?? []))
    if (said.length > 0) lacks.add(row.key)
  }
  // Channels that only the asker knows.
  for (const [key, [entry]] of theirs)
    if (!known.has(key) && mayOffer(step, from, key, { mine: undefined, theirs: entry, root })) lacks.add(key)
  from.lacking += lacks.size
  sendRun(step, id, envelopes, [...lacks])
}

/** Two channels of one short hash are rare, not impossible: both are looked at. */
function byChannel(entries: Asked<'entries'>['entries']): Map<ShortHash, ShortDigest[]> {
  const said = new Map<ShortHash, ShortDigest[]>()
  for (const { channel, entry } of entries) {
    const known = said.get(channel)
    if (known === undefined) said.set(channel, [entry])
    else known.push(entry)
  }
  return said
}

/** Undefined: not on disk yet, and only what is there is offered. */
function envelopesOf(journey: Journey, { channel }: Row): Uint8Array[] | undefined {
  const facts = journey.channel(channel)
  if (facts?.durable !== true) return undefined
  return releasesOf(facts).flatMap((release) => journey.envelope(release) ?? [])
}

function sendRun(
  step: Step,
  id: RequestId,
  envelopes: readonly Uint8Array[],
  lacks: readonly ShortHash[],
): void {
  const { limits } = step.config
  const perMessage = Math.floor(messageBudget(limits) / LACK_BYTES)
  const messages: { envelopes: readonly Uint8Array[]; lacks: readonly ShortHash[] }[] = []
  for (const part of intoMessages(envelopes, limits)) messages.push({ envelopes: part, lacks: [] })
  for (let at = 0; at < lacks.length; at += perMessage)
    messages.push({ envelopes: [], lacks: lacks.slice(at, at + perMessage) })
  if (messages.length === 0) messages.push({ envelopes: [], lacks: [] })
  for (const [at, message] of messages.entries())
    answerSync(step, id, { type: 'envelopes', ...message, more: at < messages.length - 1 })
}
