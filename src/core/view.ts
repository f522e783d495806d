/** What a node shows of itself: plain data for the HTTP interface, status and metrics. Decides nothing. */
import type { Code } from '../errors.ts'
import type { Freshness } from '../model/beacon.ts'
import type { ChannelState, Gate } from '../model/channel-state.ts'
import type { Address, Channel, Digest, FleetId, PeerId, ReleaseId } from '../model/ids.ts'
import type { Place } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import type { Judgement } from '../trust/admission.ts'
import type { Now } from './events.ts'
import type { Session } from './session.ts'

export interface LastError {
  readonly code: Code
  readonly text: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The one it is about, where it is about one. */
  readonly release?: ReleaseId
}

/** A release that is or was active; `release` is undefined where its envelope is gone. */
export interface ActiveFacts {
  readonly id: ReleaseId
  readonly release: Release | undefined
  /** Milliseconds since 1970. */
  readonly activatedAt: number
}

export interface CoreChannelView {
  readonly channel: Channel
  readonly state: ChannelState
  readonly gate: Gate
  readonly top: Place
  readonly epoch: number
  readonly target: ReleaseId | undefined
  readonly held: boolean
  /** The one or two releases at the winning place. */
  readonly ids: readonly ReleaseId[]
  readonly heads: readonly Release[]
  readonly active: (ActiveFacts & { readonly soaked: boolean }) | undefined
  /** What files show failed its health check here: it was active before, there was nothing to go back to, or the step back is not done yet. */
  readonly unhealthy: boolean
  readonly lastGood: ReleaseId | undefined
  /** Newest first, the active one excluded. */
  readonly history: readonly ActiveFacts[]
  readonly freshness: Freshness
  readonly lastError: LastError | undefined
  /** Blocks here and in all (pages included) of the target being fetched; `blocks` grows as pages are read. */
  readonly fetch: { readonly have: number; readonly blocks: number; readonly sinceMonoMs: number } | undefined
}

export interface CoreView {
  readonly self: PeerId
  readonly fleetId: FleetId
  readonly root: {
    readonly version: number
    readonly expires: number
    readonly digest: Digest
    /** Another valid root of this version was seen since start. */
    readonly forked: boolean
    /** Why the next one, which the fleet's root keys have signed, is beyond this build; undefined: none such came. */
    readonly unreadable: string | undefined
  }
  readonly sessions: readonly Session[]
  /** Ascending by channel; stored channels only. */
  readonly channels: readonly CoreChannelView[]
  /** Relayed for others, places only. */
  readonly relayedChannels: number
  readonly ready: boolean
  /** Channels (or configured patterns without any known channel) that have nothing active. */
  readonly waitingFor: readonly string[]
  /** Why the store takes no writes. */
  readonly readOnly: Code | undefined
  /** It has too little room for blocks by themselves. */
  readonly isShort: boolean
  /** Monotonic time at which the newest freshness beacon came; the start where none has yet. */
  readonly beaconMonoMs: number
  /** Some freshness beacon has come since the start. */
  readonly heardBeacon: boolean
  /** Freshness keys of the root, other than our own, of which nothing was heard for as long as it allows. */
  readonly silentKeys: number
  /** What peers make of this node's own certificate, by its own root and clock, a day ago at most. */
  readonly own?: Judgement | undefined
  /** Where another process with this node's identity is reached; undefined: none was heard of lately. */
  readonly twin: readonly Address[] | undefined
}

export type Readiness = Pick<CoreView, 'ready' | 'waitingFor'>

/** Single facts, each at the cost of one: the view of 20,000 channels takes some 20 ms, too long for every request. */
export interface CoreFacts {
  /** Undefined where the channel is not stored here. */
  channelView(channel: Channel, now: Now): CoreChannelView | undefined
  readiness(now: Now): Readiness
  /** Of a release kept here. */
  release(release: ReleaseId): Release | undefined
  envelope(release: ReleaseId): Uint8Array | undefined
}
