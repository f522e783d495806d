/**
 * What a stage may take part in. `core/dispatcher.ts` calls these in the journey's order; a stage
 * keeps its own slice of state and reaches the rest of the node only through the `Journey` it is handed.
 */
import type { Address, Channel, Digest, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply } from '../model/messages.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import type { GossipVerdict } from './effects.ts'
import type { EventOf, RequestId, Topic } from './events.ts'
import type { Journey, Source, Verdict } from './journey.ts'
import type { OverLimit } from './over-limit.ts'
import type { Session } from './session.ts'
import type { Step } from './step.ts'

/** A release that order took in just now. */
export interface OrderedRelease {
  readonly release: Release
  readonly envelope: Uint8Array
  readonly verdict: Verdict
  readonly source: Source
  /** One of the node's own channels; others are relayed only. */
  readonly stored: boolean
}

/** A valid message that goes round on a topic of the region. */
export interface Said {
  readonly topic: Topic
  readonly bytes: Uint8Array
  /** This node said it, relays it, or heard a copy of what it knew: by sync, or in other bytes. */
  readonly how: 'own' | 'relayed' | 'known'
  /** Of a release that others said. */
  readonly release?: ReleaseId
}

/** The stage that knows peers, linked or not. */
export interface KnownPeers {
  /** Where another process with this node's identity is. */
  twin(monoMs: number): readonly Address[] | undefined
  /** Where others can dial this peer, as its own record says. */
  address?(peer: PeerId): Address | undefined
  /** What it stores, as its own record says. */
  patterns?(peer: PeerId): readonly Pattern[] | undefined
}

/** The stage that knows the regions' gateways; see `Journey`. */
export interface GatewayBook {
  of(region: string): readonly PeerId[]
  regions(): readonly string[]
  stands(peer: PeerId): boolean
  keeps(peer: PeerId): boolean
  heartbeats(): readonly Uint8Array[]
}

export interface Stage {
  /** Once, before anything else, with what the store held. Roots and channels are already restored. */
  onStarted?(step: Step, journey: Journey, event: EventOf<'started'>): void
  onConnected?(step: Step, journey: Journey, event: EventOf<'connected'>): void
  /** Right after an `admit` effect for this peer: gossip, sync and blocks are open. */
  onAdmitted?(step: Step, journey: Journey, peer: PeerId): void
  /** `session` is what it was; `journey.session(peer)` may be gone already. */
  onDisconnected?(step: Step, journey: Journey, event: EventOf<'disconnected'>, session?: Session): void
  /** Refused, and told to come back after so long, or for what it is; `onDisconnected` follows. */
  onRefused?(step: Step, journey: Journey, peer: PeerId, retryAfterMs: number | undefined): void
  onDialFailed?(step: Step, journey: Journey, event: EventOf<'dialFailed'>): void
  /** True: mine, answered or to be answered later. */
  onRequest?(step: Step, journey: Journey, event: EventOf<'request'>): boolean
  /** True: the request was mine. */
  onReply?(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean
  onRequestFailed?(
    step: Step,
    journey: Journey,
    id: RequestId,
    code: EventOf<'requestFailed'>['code'],
    alive: boolean,
  ): boolean
  /**
   * Some wake has come; look at `step.now` for what is due. Earlier wishes are forgotten when a tick comes: ask
   * again by `step.wakeAt` for everything still outstanding.
   */
  onTick?(step: Step, journey: Journey): void
  onPersisted?(step: Step, journey: Journey, event: EventOf<'persisted'>): void
  onPersistFailed?(step: Step, journey: Journey, event: EventOf<'persistFailed'>): void
  /** Answer to a `read` effect; every stage that reads hears of each and knows its own. */
  onBlockRead?(step: Step, journey: Journey, event: EventOf<'blockRead'>): void
  /** Stored blocks are gone: damaged or collected. */
  onBlocksLost?(step: Step, journey: Journey, digests: readonly Digest[]): void
  /** Order took in a release (NEW, TWIN, CONCURRENT); it is not durable yet. */
  onOrdered?(step: Step, journey: Journey, ordered: OrderedRelease): void
  /** What a publisher of this fleet signed is over a limit of this node's own, or its manifest is wrong: it will never be whole here. */
  onOverLimit?(step: Step, journey: Journey, release: ReleaseId, over: OverLimit): void
  /** The ordered state of a channel is on disk: sync may offer it. */
  onDurable?(step: Step, journey: Journey, channel: Channel): void
  /** Every page and block is on disk. */
  onWhole?(step: Step, journey: Journey, channel: Channel, release: ReleaseId): void
  /** A newer root counts from now on. */
  onRoot?(step: Step, journey: Journey, root: TrustRoot): void
  /** A peer named a root version we lack; at most one call a minute and peer reaches the stage that asks. */
  onAhead?(step: Step, journey: Journey, peer: PeerId): void
  /** Something goes round in the region from here on; called once the step's event is through. */
  onSaid?(step: Step, journey: Journey, said: Said): void
  /** A beacon or heartbeat off the control topic; undefined: not mine. */
  onControl?(
    step: Step,
    journey: Journey,
    kind: 'beacon' | 'heartbeat',
    envelope: Uint8Array,
    from: PeerId,
  ): GossipVerdict | undefined
}
