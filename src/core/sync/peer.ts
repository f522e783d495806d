/** What sync keeps of one admitted peer, from admission to the end of the connection. */
import { LIMITS, type Limits } from '../../limits.ts'
import type { Channel, Pattern, PeerId, ReleaseId } from '../../model/ids.ts'
import type { BeaconMark, ShortDigest, ShortHash, SyncReply, SyncRequest } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import type { ChannelFacts, Journey, Verdict } from '../journey.ts'
import { LatestMap, LatestSet } from '../latest.ts'
import { type Bucket, createBucket } from '../rate.ts'
import type { Step } from '../step.ts'
import { saltFrom } from './digests.ts'

/** First pause before the same envelopes are offered again, doubled each time up to the last. */
export const REOFFER_MS = 10_000
export const REOFFER_MAX_MS = 3_600_000

/**
 * New salts at once, one more as often as all is offered again at last. A salt keys what the peer remembers of its offers, so
 * with a new one it makes anew those that were not looked at or did not come; of what comes to nothing that would have no end.
 */
export const NEW_SALTS = 4

/** Requests for entries in one comparison: the short hashes of 20,000 channels fill so many messages. */
export const ENTRIES_SHARE = 8
/** Forgeries before the connection ends, one more each minute: each costs two checks of signatures. */
export const MAX_FORGED = 16
/** Of a newer format, or signed by keys unknown here: 0.2 ms each. A publisher of many channels may be ahead of us. */
export const VAIN_PER_SECOND = 100
export const VAIN_BURST = 200
export const IN_VAIN: ReadonlySet<Verdict> = new Set([
  'UNAUTHORISED',
  'UNSUPPORTED',
  'MISPLACED',
  'MALFORMED',
  'AHEAD',
])

/** With both questions, from the first on: what a peer has to answer. */
export const SLOW_MS = 10_000
/** The longest that any answer may take. */
export const SLOWEST_MS = 20_000

/** What was offered of a channel while both entries and the root were these. */
interface Offered {
  readonly mine: ShortDigest | undefined
  readonly theirs: ShortDigest | undefined
  readonly root: number
  readonly pauseMs: number
  readonly againMonoMs: number
}

export interface SyncPeer {
  readonly peer: PeerId
  readonly patterns: readonly Pattern[]
  /** By us. */
  readonly dialled: boolean
  /** To the end, by a comparison that we started. */
  compared: boolean
  /** On this connection it had nothing of what both store: what it has since may be ours. */
  cameEmpty: boolean
  /** Keys the digests of comparisons we start on this connection; another one only between two of them. */
  salt: Uint8Array
  readonly newSalts: Bucket
  theirSalt: Uint8Array | undefined
  /** Channels of which it was told, in its last comparison, that we may lack something: it pushes that. */
  lacking: number
  /** Requests in a row that went unanswered. */
  unanswered: number
  heardMonoMs: number
  /** Until a comparison that it begins finds the channel's bucket equal. */
  readonly offered: Map<ShortHash, Offered>
  /** Channels that a comparison found different and passed over, since they were not on disk: offered live once they are. */
  readonly unwritten: LatestSet<Channel>
  /** Releases the peer is known to have: never offered live. */
  readonly knows: LatestSet<ReleaseId>
  /** To be offered live, in order. */
  readonly offers: Set<ReleaseId>
  pushing: RequestId | undefined
  readonly comparisons: Bucket
  /** Requests for entries: a comparison of all channels takes a few. */
  readonly entries: Bucket
  /** Envelopes that no root ever let be: an honest peer passes on only what it verified. */
  readonly forged: Bucket
  /** Envelopes that came to nothing, whoever is to blame: each costs a check of signatures. */
  readonly vain: Bucket
  /** Until then its envelopes are not looked at; the next comparison brings them again. */
  deafUntilMonoMs: number
}

export function createSyncPeer(
  step: Step,
  peer: PeerId,
  patterns: readonly Pattern[],
  dialled = false,
): SyncPeer {
  const { limits, random } = step.config
  return {
    peer,
    patterns,
    dialled,
    compared: false,
    cameEmpty: false,
    salt: saltFrom(random),
    newSalts: createBucket(1_000 / REOFFER_MAX_MS, NEW_SALTS),
    theirSalt: undefined,
    lacking: 0,
    unanswered: 0,
    heardMonoMs: step.now.monoMs,
    offered: new LatestMap(limits.maxChannels),
    unwritten: new LatestSet(limits.maxOffers),
    knows: new LatestSet(limits.maxOffers),
    offers: new Set(),
    pushing: undefined,
    comparisons: createBucket(limits.syncPerSecond, limits.syncBurst),
    entries: createBucket(limits.syncPerSecond * ENTRIES_SHARE, limits.syncBurst * ENTRIES_SHARE),
    forged: createBucket(1 / 60, MAX_FORGED),
    vain: createBucket(VAIN_PER_SECOND, VAIN_BURST),
    deafUntilMonoMs: 0,
  }
}

/** Else the next comparison would be told nothing of what was lost in this one, and look like one with a peer that has no more. */
export function takeNewSalt({ now, config }: Step, of: SyncPeer): void {
  if (of.newSalts.take(now.monoMs)) of.salt = saltFrom(config.random)
}

/** Releases of a channel that a peer may lack, those of the winning place first: `ids` and heads. */
export function releasesOf({ floor, heads }: Pick<ChannelFacts, 'floor' | 'heads'>): ReleaseId[] {
  return [...new Set([...floor.ids, ...heads.map(({ id }) => id)])]
}

/** What the peer may lack of a channel is offered live from now on, as far as there is room. */
export function offerLive(to: SyncPeer, facts: ChannelFacts, { maxOffers }: Limits): void {
  to.unwritten.delete(facts.channel)
  for (const release of releasesOf(facts))
    if (!to.knows.has(release) && to.offers.size < maxOffers) to.offers.add(release)
}

/**
 * May this channel be offered now? Not twice while root and entries are what they were: an id answered otherwise than
 * by taking it in would come again and again. Only because an answer may have been lost on the way it is offered
 * again all the same, ever more rarely.
 */
export function mayOffer(
  step: Step,
  to: SyncPeer,
  channel: ShortHash,
  state: Pick<Offered, 'mine' | 'theirs' | 'root'>,
): boolean {
  const known = to.offered.get(channel)
  const same =
    known !== undefined &&
    known.mine === state.mine &&
    known.theirs === state.theirs &&
    known.root === state.root
  if (same && step.now.monoMs < known.againMonoMs) return false
  const pauseMs = same ? Math.min(known.pauseMs * 2, REOFFER_MAX_MS) : REOFFER_MS
  to.offered.set(channel, { ...state, pauseMs, againMonoMs: step.now.monoMs + pauseMs })
  return true
}

/** What surrounds the content takes the rest. */
const contentOf = (maxBytes: number): number => Math.floor((maxBytes * 15) / 16)

/** Bytes of content in one message: no more than others take, whose bounds are not known. */
export const messageBudget = ({ maxSyncMessageBytes }: Limits): number =>
  contentOf(Math.min(maxSyncMessageBytes, LIMITS.maxSyncMessageBytes))

/** The same of a run: whoever reads it counts whole messages. */
export const runBudget = ({ maxSyncRunBytes }: Limits): number =>
  contentOf(Math.min(maxSyncRunBytes, LIMITS.maxSyncRunBytes))

/** Alone in its message an envelope may be as long as this node takes them: whoever lacks it may take it, too. */
const aloneBudget = ({ maxSyncMessageBytes }: Limits): number => contentOf(maxSyncMessageBytes)
/** Alone in its run, all of a channel. */
export const aloneRunBudget = ({ maxSyncRunBytes }: Limits): number => contentOf(maxSyncRunBytes)

/** What an envelope takes of a budget: its head in the list is 5 bytes at most. */
export const budgeted = (envelope: Uint8Array): number => envelope.length + 8

/** Cuts envelopes into messages; one that is longer than a message by itself is left out. */
export function intoMessages(envelopes: readonly Uint8Array[], limits: Limits): Uint8Array[][] {
  const budget = messageBudget(limits)
  const messages: Uint8Array[][] = []
  let current: Uint8Array[] = []
  let bytes = 0
  for (const envelope of envelopes) {
    if (envelope.length > aloneBudget(limits)) continue
    if (bytes + envelope.length > budget && current.length > 0) {
      messages.push(current)
      current = []
      bytes = 0
    }
    current.push(envelope)
    bytes += budgeted(envelope)
  }
  if (current.length > 0) messages.push(current)
  return messages
}

/**
 * Of a push of its comparison: it took no more envelopes as long as the longest, and we may lack more than these. Said once
 * of a comparison, and of no more than it named: what is pushed later, of what is new, is no part of it.
 */
export function pushesMore({ config }: Step, from: SyncPeer, envelopes: readonly Uint8Array[]): boolean {
  const sizes = envelopes.map(budgeted)
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const isMore = from.lacking > sizes.length && bytes + Math.max(...sizes) > messageBudget(config.limits)
  from.lacking = isMore ? 0 : Math.max(0, from.lacking - sizes.length)
  return isMore
}

/** Of what is offered as much as one message takes, which the peer counts as knowing from now on. */
export function nextOffers(
  peer: SyncPeer,
  envelopeOf: (release: ReleaseId) => Uint8Array | undefined,
  limits: Limits,
): Uint8Array[] {
  const envelopes: Uint8Array[] = []
  let bytes = 0
  for (const release of peer.offers) {
    const envelope = peer.knows.has(release) ? undefined : envelopeOf(release)
    if (bytes + (envelope?.length ?? 0) > messageBudget(limits) && envelopes.length > 0) break
    peer.offers.delete(release)
    peer.knows.add(release)
    if (envelope === undefined || envelope.length > aloneBudget(limits)) continue
    envelopes.push(envelope)
    bytes += budgeted(envelope)
  }
  return envelopes
}

export function askSync(step: Step, to: SyncPeer, message: SyncRequest): RequestId {
  const id = step.nextRequest()
  const { peer } = to
  const timeoutMs = patienceMs(step.config.limits, to)
  step.emit({ kind: 'request', id, peer, request: { protocol: 'sync', message }, timeoutMs })
  return id
}

/**
 * The second answer may take longer: a seed that stands still for six seconds would lose all its peers at once, and to make
 * five hundred links anew is what keeps it busy. A black hole is found in ten, well within what healing may take. Whoever
 * lives is asked ever more patiently (RFC 6298, 5.5). Never less so than at first, however long that is set.
 */
function patienceMs({ syncDeadlineMs }: Limits, { unanswered }: SyncPeer): number {
  if (unanswered === 0) return syncDeadlineMs
  const secondMs = Math.max(SLOW_MS - syncDeadlineMs, syncDeadlineMs)
  return Math.min(secondMs * 2 ** (unanswered - 1), Math.max(SLOWEST_MS, syncDeadlineMs))
}

export function answerSync(step: Step, id: RequestId, message: SyncReply): void {
  step.emit({ kind: 'reply', id, reply: { protocol: 'sync', message } })
}

/** Some of these are of newer beacons than are known here. */
export function namesNewer(marks: readonly BeaconMark[], known: readonly BeaconMark[]): boolean {
  const own = new Map(known.map(({ key, at }) => [key, at]))
  return marks.some(({ key, at }) => at > (own.get(key) ?? 0))
}

/** Beacons as sync sees them; the stage that judges them keeps the book. */
export interface BeaconBook {
  marks(): readonly BeaconMark[]
  /** Envelopes of those later than `have`, as many as fit into `maxBytes`. */
  newerThan(have: readonly BeaconMark[], maxBytes: number): readonly Uint8Array[]
  take(step: Step, journey: Journey, envelope: Uint8Array, from: PeerId): void
  /** True once after a beacon named something that this node lacks. */
  takeDiffers(): boolean
  /** It still does. */
  lacks(step: Step, journey: Journey): boolean
}
