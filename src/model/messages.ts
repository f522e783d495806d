/**
 * Every message of our own protocols, decoded. On the wire each is a length-prefixed dag-cbor map that starts
 * with `v: 1` and `type`; `codec/messages.ts` is the only place that knows its bytes. A request has one reply,
 * or a run of `envelopes` of which all but the last say `more: true`.
 */
import type { Address, Channel, Digest, KeyId, Name, Pattern, PeerId, ReleaseId } from './ids.ts'
import type { Place } from './place.ts'

export type Protocol = 'admit' | 'sync' | 'blocks' | 'publish' | 'bridge'

/** Encoded DSSE envelope, kept as received: signatures are checked over exactly these bytes. */
export type EnvelopeBytes = Uint8Array

/** A coded refusal: no time-out, no reason to close. `text` is one line for the peer's log. */
export interface Refused {
  readonly type: 'refused'
  readonly code: string
  readonly text: string
  /** Set where coming back later makes sense. */
  readonly retryAfterMs?: number
  /**
   * With `ORDER_PLACE_TAKEN`: of the greatest place in the channel that the release's publisher holds or has leased. With
   * `ORDER_STALE`, to a seed that asks for a lease: of the greatest of all.
   */
  readonly envelope?: EnvelopeBytes
}

/** What a peer says of itself once roots agree. */
export interface Hello {
  readonly type: 'hello'
  /** Certificate chain, node first, ≤ 2 envelopes. */
  readonly chain: readonly EnvelopeBytes[]
  readonly patterns: readonly Pattern[]
  readonly region: string
  readonly zone: string
  /** Takes submissions from anywhere: a seed. */
  readonly submit: boolean
  /** Newest heartbeats known of each region. */
  readonly heartbeats: readonly EnvelopeBytes[]
}

export type AdmitRequest =
  /** First on a connection, from the dialler: newest root by version and digest. */
  | { readonly type: 'open'; readonly version: number; readonly digest: Digest }
  /** The root that follows `since`, from either side. */
  | { readonly type: 'root'; readonly since: number }
  /** The root that the fleet is named after. A type of its own: a build that does not know it answers so. */
  | { readonly type: 'firstRoot' }
  /** Same version, other digest: each sends its own once. */
  | { readonly type: 'fork'; readonly root: EnvelopeBytes }
  /** The dialler does not admit the other: a code and a line for its log; the connection ends. */
  | { readonly type: 'refuse'; readonly code: string; readonly text: string }
  | Hello

export type AdmitReply =
  | { readonly type: 'opened'; readonly version: number; readonly digest: Digest }
  | { readonly type: 'root'; readonly root?: EnvelopeBytes }
  | { readonly type: 'noted' }
  | Hello
  | Refused

export interface BeaconMark {
  readonly key: KeyId
  readonly at: number
}

/** 8 bytes keyed by the session's salt. */
export type ShortDigest = string & { readonly shortDigest: true }

/**
 * First 8 bytes of a channel's hash, as 16 hex digits. Two channels that share them cost a needless comparison, no
 * more: what is compared is keyed by the whole hash.
 */
export type ShortHash = string & { readonly shortHash: true }

export interface SyncEntry {
  readonly channel: ShortHash
  readonly entry: ShortDigest
}

export type SyncRequest =
  /** Over the channels that match both hellos: one digest, 64 buckets. Roots and beacons first. */
  | {
      readonly type: 'digests'
      readonly salt: Uint8Array
      readonly root: number
      readonly beacons: readonly BeaconMark[]
      readonly digest: ShortDigest
      readonly buckets: readonly ShortDigest[]
    }
  /** Own entries of the sub-buckets that differ, each named `bucket * subs + sub`, ascending. */
  | {
      readonly type: 'entries'
      readonly subBuckets: readonly number[]
      readonly subs: number
      readonly entries: readonly SyncEntry[]
    }
  /** What the other lacks. */
  | { readonly type: 'push'; readonly envelopes: readonly EnvelopeBytes[] }
  /** Signed peer records known here (most recent first), to be answered with the other's. */
  | { readonly type: 'peers'; readonly records: readonly Uint8Array[] }
  /** Beacons of these keys, if newer. */
  | { readonly type: 'beacons'; readonly have: readonly BeaconMark[] }

export type SyncReply =
  | {
      readonly type: 'differ'
      readonly root: number
      readonly beacons: readonly BeaconMark[]
      /** Sub-buckets per bucket, a power of two. */
      readonly subs: number
      /** Buckets that differ, ascending, and `subs` digests for each of them in turn. */
      readonly buckets: readonly number[]
      readonly digests: readonly ShortDigest[]
    }
  /** Envelopes the asker lacks, and the answerer's entries where the asker may have more; a run. */
  | {
      readonly type: 'envelopes'
      readonly envelopes: readonly EnvelopeBytes[]
      /** Channels for which the answerer lacks something the asker named. */
      readonly lacks: readonly ShortHash[]
      readonly more: boolean
    }
  | { readonly type: 'noted' }
  | { readonly type: 'peers'; readonly records: readonly Uint8Array[] }
  | { readonly type: 'beacons'; readonly beacons: readonly EnvelopeBytes[] }
  | Refused

export type BlocksRequest =
  /** A block or a manifest page (a page is fetched as a block). `failed`: a redirect was tried in vain. */
  | { readonly type: 'want'; readonly digest: Digest; readonly failed?: boolean }
  /** The sender holds these of a release: everything, or a bitmap over pages, then blocks in manifest order. */
  | {
      readonly type: 'have'
      readonly release: ReleaseId
      readonly channel: Channel
      readonly whole: boolean
      readonly bitmap?: Uint8Array
    }
  /**
   * The same said unasked, and never answered; `ranges`: pairs of first place and count, what is new since the last. Of no place
   * at all it is a sign that the sender lives.
   */
  | {
      readonly type: 'holds'
      readonly release: ReleaseId
      readonly channel: Channel
      readonly whole: boolean
      readonly bitmap?: Uint8Array
      readonly ranges?: readonly number[]
    }

export type BlocksReply =
  | { readonly type: 'block'; readonly bytes: Uint8Array }
  | { readonly type: 'gone' }
  | { readonly type: 'busy'; readonly retryAfterMs: number }
  | { readonly type: 'redirect'; readonly peer: PeerId; readonly addresses: readonly Address[] }
  /** To a `have`: whether the answerer holds the whole release. */
  | { readonly type: 'noted'; readonly whole?: boolean }
  | Refused

export type PublishRequest =
  | { readonly type: 'roots'; readonly since: number }
  | { readonly type: 'state'; readonly channel: Channel }
  /** Names of the channels that hold something here, ascending, those after `after`; for who must issue them again. */
  | { readonly type: 'channels'; readonly after?: Channel }
  | { readonly type: 'header'; readonly release: ReleaseId }
  | { readonly type: 'root'; readonly root: EnvelopeBytes }
  | { readonly type: 'lease'; readonly envelope: EnvelopeBytes }
  | { readonly type: 'free'; readonly release: ReleaseId }
  | { readonly type: 'submit'; readonly envelope: EnvelopeBytes }
  | { readonly type: 'page'; readonly release: ReleaseId; readonly bytes: Uint8Array }
  | { readonly type: 'block'; readonly release: ReleaseId; readonly bytes: Uint8Array }
  | { readonly type: 'await'; readonly release: ReleaseId }

export type PublishReply =
  /** The next root, or none: the asker is up to date. `at`: the answerer's clock, milliseconds since 1970; builds before it say none. */
  | { readonly type: 'root'; readonly root?: EnvelopeBytes; readonly at?: number }
  /** Envelopes of `ids` and heads, the target first. */
  | {
      readonly type: 'state'
      readonly rootVersion: number
      readonly top: Place
      readonly held: boolean
      readonly envelopes: readonly EnvelopeBytes[]
      readonly target?: ReleaseId
      readonly whole: boolean
    }
  | { readonly type: 'header'; readonly envelope?: EnvelopeBytes }
  | { readonly type: 'channels'; readonly channels: readonly Channel[]; readonly more: boolean }
  | { readonly type: 'noted' }
  /** Pages, then blocks the seed lacks (≤ 1,024 digests at a time, more follow when these have come). Empty: it has all. */
  | { readonly type: 'need'; readonly pages: readonly Digest[]; readonly blocks: readonly Digest[] }
  | {
      readonly type: 'done'
      readonly verdict: 'NEW' | 'CONCURRENT' | 'DUPLICATE'
      readonly acknowledgedBy: readonly PeerId[]
    }
  | Refused

/** What crosses a region border: a release by its id; a root or beacon by the digest of its gossip message. */
export interface BridgeItem {
  readonly topic: 'releases' | 'control'
  readonly id: Digest
  /** Region of the seed that took it in: its gateways alone carry it over borders. */
  readonly home: Name
}

export type BridgeRequest =
  /**
   * The sender has verified this; with it the gossip message itself, towards the gateway of rank 0; or, behind that, the
   * pages of a release in blocks while they are few.
   */
  | {
      readonly type: 'announce'
      readonly item: BridgeItem
      readonly bytes?: Uint8Array
      readonly pages?: readonly Uint8Array[]
    }
  /** To the other gateways of a region: the sender has it, or is about to. Pages as above. */
  | { readonly type: 'claim'; readonly item: BridgeItem; readonly pages?: readonly Uint8Array[] }
  | { readonly type: 'pull'; readonly item: BridgeItem }
  /** A second after these were said, over all border links: whoever lacks one may pull it. */
  | { readonly type: 'have'; readonly items: readonly BridgeItem[] }
  /** Own heartbeats; with `want` all that the other knows come back. */
  | { readonly type: 'heartbeats'; readonly heartbeats: readonly EnvelopeBytes[]; readonly want: boolean }

export type BridgeReply =
  | { readonly type: 'noted' }
  | { readonly type: 'item'; readonly bytes: Uint8Array }
  | { readonly type: 'gone' }
  | { readonly type: 'heartbeats'; readonly heartbeats: readonly EnvelopeBytes[] }
  | Refused

export type RequestOf = {
  admit: AdmitRequest
  sync: SyncRequest
  blocks: BlocksRequest
  publish: PublishRequest
  bridge: BridgeRequest
}
export type ReplyOf = {
  admit: AdmitReply
  sync: SyncReply
  blocks: BlocksReply
  publish: PublishReply
  bridge: BridgeReply
}
export type AnyRequest = {
  [P in Protocol]: { readonly protocol: P; readonly message: RequestOf[P] }
}[Protocol]
export type AnyReply = { [P in Protocol]: { readonly protocol: P; readonly message: ReplyOf[P] } }[Protocol]
