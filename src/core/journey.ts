/**
 * What stages may know of one another. `core/own-journey.ts` implements it and hands it to the stages, which never
 * import each other: a stage reads the rest of the node through this and asks it to take in what it received.
 */
import type { Code } from '../errors.ts'
import type { Floor } from '../model/floor.ts'
import type { Channel, Digest, FleetId, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import type { Place } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Adoption } from '../trust/chain.ts'
import type { EffectOf, GossipVerdict } from './effects.ts'
import type { Topic } from './events.ts'
import type { OverLimit } from './over-limit.ts'
import type { AdmittedSession, Session } from './session.ts'
import type { Step } from './step.ts'

/** It matches no pattern of this node, or that bound is reached. */
export type KeptOut = 'patterns' | 'maxChannels' | 'maxFormerChannels'

/** Outcome of order for one release; ordering rules in docs/architecture.md. */
export type Verdict =
  | 'NEW'
  | 'CONCURRENT'
  | 'TWIN'
  | 'DUPLICATE'
  | 'TWIN_KNOWN'
  | 'STALE'
  | 'STALE_EPOCH'
  | 'AHEAD'
  | 'UNAUTHORISED'
  | 'MISPLACED'
  | 'MALFORMED'
  | 'UNSUPPORTED'
  | 'RATE'

/** The release is one that was not known and may be held. */
export const ACCEPTED: ReadonlySet<Verdict> = new Set(['NEW', 'TWIN', 'CONCURRENT'])

export interface Ingested {
  readonly verdict: Verdict
  /** Known as soon as the header could be decoded. */
  readonly release?: Release
  /** UNAUTHORISED under the very root it names (kept here): the sender is to blame. */
  readonly provable: boolean
  /** Authorised under the root it names, too, which is kept: may be relayed by gossip. */
  readonly relayable: boolean
  /** Known already, but not whole here: the message brought what was missing. */
  readonly fills?: boolean
  /** Why it could not even be read. */
  readonly code?: Code
  /** Of what was judged only, and is refused: not said yet, for whoever asked says what comes of it, once. */
  readonly refusal?: EffectOf<'note'>
}

/** How a release came: who is blamed, whose attached blocks count, who is asked for missing roots. */
export type Source = {
  readonly via: 'gossip' | 'sync' | 'submit' | 'restore'
  readonly peer: PeerId | undefined
}

/** One channel as the other stages see it. */
export interface ChannelFacts {
  readonly channel: Channel
  /** Matches the node's own patterns; others are relayed only. */
  readonly stored: boolean
  readonly floor: Floor
  readonly epoch: number
  readonly held: boolean
  readonly target: ReleaseId | undefined
  readonly heads: readonly Release[]
  readonly active: ReleaseId | undefined
  /** The ordered state is on disk: sync may offer it. */
  readonly durable: boolean
}

/** What became of a message from another region. */
export interface Heard {
  readonly verdict: GossipVerdict
  /** A release's id, else the digest of the message; undefined where it could not be read. */
  readonly id: Digest | undefined
  /** Further copies are of no use either. */
  readonly known: boolean
  /** Nor are they for now: this node lacks the root, the format or the room for what `id` names. */
  readonly notNow?: boolean
  /** It came to nothing, and that is proven not to be the fault of whoever brought it. */
  readonly blameless?: boolean
  /** What was published of it already: it was accepted, and may not go on as it came. */
  readonly said?: Uint8Array
}

export interface Journey {
  readonly fleetId: FleetId
  root(): TrustRoot
  /** Every root kept, ascending; there may be holes. */
  roots(): Iterable<TrustRoot>
  /** No other valid root of its version is known, and one would have been recognised: its keys are beyond doubt. */
  isRootCertain(): boolean
  /** Digest of the current root's payload. */
  rootDigest(): Digest
  rootEnvelope(version: number): Uint8Array | undefined
  /** Of a root that is kept; a code: it cannot be written for now. */
  rootOnDisk(version: number): 'yes' | 'writing' | Code
  /** A peer whose root is newer than this version has one that we lack: the last below a hole, else the current version. */
  lacksRootAfter(): number
  adoptRoot(step: Step, envelope: Uint8Array, from: PeerId | undefined): Adoption
  /** This peer names a root that we lack: it is asked for it, once a minute, and nobody else. */
  askAhead(step: Step, peer: PeerId): void
  /** Decode, verify, order, start persisting. With `hold` nothing is ordered or stored: the verdict only (a submission in upload). */
  ingest(step: Step, envelope: Uint8Array, source: Source, hold?: 'judge-only'): Ingested
  /** A submission is complete: order it and write everything in one batch that ends with `whole`. The ticket proves it. */
  ingestWhole(
    step: Step,
    envelope: Uint8Array,
    content: ReadonlyMap<Digest, Uint8Array>,
    source: Source,
  ): Ingested & { readonly ticket: number }
  channels(): Iterable<ChannelFacts>
  channel(channel: Channel): ChannelFacts | undefined
  /** Undefined: its releases are ordered and kept here, or would be. Others are relayed only. */
  keptOut(channel: Channel): KeptOut | undefined
  envelope(release: ReleaseId): Uint8Array | undefined
  /** Of a release whose envelope is here. */
  channelOf(release: ReleaseId): Channel | undefined
  isWhole(release: ReleaseId): boolean
  /** It was heard of and will never be taken, or never be whole: the limit of this node that it is over, or what is wrong. */
  overLimit(release: ReleaseId): OverLimit | undefined
  /** Durable here: may be served. */
  hasBlock(digest: Digest): boolean
  /** Why its disk takes nothing: nothing is fetched for now. */
  readonly readOnly: Code | undefined
  /** Nor is it where there is too little room for blocks by themselves. */
  readonly takesNoBlocks: boolean
  sessions(): Iterable<Session>
  admitted(): Iterable<AdmittedSession>
  session(peer: PeerId): Session | undefined
  /** The node's own region by configuration. */
  readonly region: string
  /**
   * Live gateways of a region as far as known here, best rank for the region first, this node among them where it is
   * one; at most `maxGateways`. Empty: none is known.
   */
  gateways(region: string): readonly PeerId[]
  /** What a peer stores by its own word, linked or not; undefined: that is not known. */
  patternsOf(peer: PeerId): readonly Pattern[] | undefined
  /** The own region and every one of which a gateway or an admitted peer is known, sorted. */
  regions(): readonly string[]
  /** It said lately that it stands for gateway, whatever its rank in our view. */
  stands(peer: PeerId): boolean
  /** A link the bridge needs: it is never spare. */
  keeps(peer: PeerId): boolean
  /** Newest heartbeats of each region, for a hello. */
  heartbeats(): readonly Uint8Array[]
  /** Judges what the bridge brought exactly as gossip of that topic; saying it on is left to the caller. */
  hear(step: Step, topic: Topic, bytes: Uint8Array, from: PeerId): Heard
  /** Pages that came with a release's announcement: whoever fetches it need not ask for them. */
  hand(step: Step, pages: readonly Uint8Array[]): void
  /** All pages of a release, where they came so or were submitted here, and are few; else none. */
  handed(release: Release): readonly Uint8Array[]
  /** Place of a release under the current root. */
  place(release: Release): Place
  /** Those of releases that are fetched and of which no peer gave for so long what is missing. */
  stuckChannels(monoMs: number, ms: number): ReadonlySet<Channel>
  /**
   * Start fetching the content of a release we know only by its envelope, from this peer first (a seed told to pull).
   * False: it is of a channel that is not stored here.
   */
  fetchFrom(step: Step, release: ReleaseId, peer: PeerId): boolean
}
