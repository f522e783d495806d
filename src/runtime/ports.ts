/**
 * What the driver needs from the world. Real ones: `net`, `store`, `activate`, and clocks; simulated ones: `sim`.
 * Each port has one contract suite, run on every implementation.
 */
import type { Effect, EffectOf } from '../core/effects.ts'
import type { ActivationOutcome, Event, EventOf, Now, RequestId } from '../core/events.ts'
import type { Snapshot } from '../core/snapshot.ts'
import type { Write } from '../core/writes.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'

export { bytesOf, isAlone, RECORD_BYTES } from '../core/writes.ts'
export type { ActivationOutcome, Effect, EffectOf, Event, EventOf, Now, Snapshot, Write }

/** 24.8 days. A timer of Node that is set for longer is over at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface ClockPort {
  now(): Now
  /** Call `wake` once at this monotonic time or soon after; a later call replaces it. */
  wakeAt(monoMs: number, wake: () => void): void
  stop(): void
}

/**
 * What a cached block counts beside its bytes. As long as it is here its name is in memory, of which there is less than of disk:
 * a fleet that publishes small files would fill the heap with the names of what nobody needs long before they fill the cache. So
 * 2 GiB of cache are at most 262,144 blocks, whose names take 64 MiB; of blocks of 256 KiB it holds 3 % fewer.
 */
export const CACHED_BLOCK_BYTES = 8 * 1024

/** What so many blocks of so many bytes in all count in the cache. */
export const cachedBytes = (bytes: number, blocks: number): number => bytes + blocks * CACHED_BLOCK_BYTES

export interface CacheBound {
  /** Of `cachedBytes`. */
  readonly maxCacheBytes: number
  /** What uploads under way name: it stays though no release names it, whoever had it written. */
  readonly uploads: readonly Digest[]
  /** Releases whose missing pages are on their way here: until they come, a block that none names may be theirs. */
  readonly awaited: readonly ReleaseId[]
  /** Releases whose envelopes stay, though their content is cache. */
  readonly envelopes: readonly ReleaseId[]
}

export interface StorePort {
  /** @throws MeshError STORE_LOCKED, STORE_VERSION, STORE_CORRUPT (directory unusable), STORE_FAILED */
  open(): Promise<void>
  /** Everything the core needs at start. Damaged records are left out, counted, and quarantined. */
  load(): Promise<Snapshot>
  /** All or nothing; resolved once durable (`sync`). Floors and roots reach their second copy in the same call. @throws MeshError STORE_FULL, STORE_FAILED */
  commit(writes: readonly Write[], sync: boolean): Promise<void>
  /** Checked against its checksum and digest; undefined where absent or damaged (then quarantined), told as `blockLost`. */
  readBlock(digest: Digest): Promise<Uint8Array | undefined>
  hasBlock(digest: Digest): boolean
  readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined>
  /**
   * Drop releases not in `keep` and blocks only they use, oldest first, until the cache is within its bound. Gone digests are
   * returned, also where the disk then failed. One at a time.
   * @param stop nothing is removed where that has not begun by then
   */
  collect(keep: readonly ReleaseId[], bound: CacheBound, stop?: AbortSignal): Promise<readonly Digest[]>
  /** Bytes on disk, roughly. */
  bytes(): number
  close(): Promise<void>
}

export type TransportEvent = EventOf<
  | 'connected'
  | 'disconnected'
  | 'dialFailed'
  | 'gossip'
  | 'request'
  | 'reply'
  | 'requestFailed'
  | 'misbehaved'
>

/** Carries effects of these kinds out; what comes of them arrives as events at the sink given to `start`. */
export type TransportEffect = EffectOf<
  'verdict' | 'publish' | 'request' | 'reply' | 'admit' | 'dial' | 'hangUp' | 'rememberPeer' | 'forgetPeer'
>

export interface TransportPort {
  start(sink: (event: TransportEvent) => void): Promise<void>
  perform(effect: TransportEffect): void
  /** Signed peer records kept by `rememberPeer` in earlier lives, newest first; once started. */
  rememberedPeers?(): Promise<readonly Uint8Array[]>
  /** Answer an inbound blocks request with bytes read by the driver. Resolves once they are on their way, with false once the asker has gone; undefined: at once. */
  replyBlock(id: RequestId, bytes: Uint8Array | undefined): Promise<boolean> | undefined
  stop(): Promise<void>
}

export interface ActivatorPort {
  /** Never rejects: every failure is an outcome. Calls of one channel come one after another. */
  activate(effect: EffectOf<'activate'>): Promise<ActivationOutcome>
  /**
   * At start: is what `current` shows exactly this release? Rebuilds where it is not (drift).
   * @param ahead stays where `current` shows it: it is newer, and its record is lost
   */
  restore(
    channel: Channel,
    release: ReleaseId,
    pages: readonly Digest[],
    ahead: ReleaseId | undefined,
  ): Promise<ActivationOutcome>
  /** An order of this channel for this release that has not been shown yet ends as `failed`; what has goes on. */
  withdraw(channel: Channel, release: ReleaseId): void
  /**
   * At start: the release that `current` shows, unless it failed its check; undefined where there is none, or it cannot be
   * told. Never rejects.
   */
  shown(channel: Channel): Promise<ReleaseId | undefined>
  stop(): Promise<void>
}

export interface MetricsPort {
  count(effect: EffectOf<'count'>): void
  observe(effect: EffectOf<'observe'>): void
}

export interface LogPort {
  note(effect: EffectOf<'note'>): void
}

export interface Ports {
  readonly clock: ClockPort
  readonly store: StorePort
  readonly transport: TransportPort
  readonly activator: ActivatorPort
  readonly metrics: MetricsPort
  readonly log: LogPort
}
