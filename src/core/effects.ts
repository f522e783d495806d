/** Everything a node does. The core only says so; the driver (`runtime/driver.ts`) carries it out in order. */
import type { Code } from '../errors.ts'
import type { Address, Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import type { Durable } from './durable.ts'
import type { RequestId, Ticket, Topic } from './events.ts'
import type { Write } from './writes.ts'

export type GossipVerdict = 'accept' | 'ignore' | 'reject'

export type Effect =
  /** Answer to one `gossip` event: `accept` relays it. */
  | {
      readonly kind: 'verdict'
      readonly id: string
      readonly from: PeerId
      readonly topic: Topic
      readonly verdict: GossipVerdict
      /** Relayed at once, though it then goes to some who have it: a root may take a key or a node away. */
      readonly urgent?: true
    }
  /** Say something on a topic ourselves. */
  | { readonly kind: 'publish'; readonly topic: Topic; readonly bytes: Uint8Array }
  /** Answered by `reply` or `requestFailed` events, but for a notice (`holds`), of which nothing more is heard. */
  | {
      readonly kind: 'request'
      readonly id: RequestId
      readonly peer: PeerId
      readonly request: AnyRequest
      readonly timeoutMs: number
    }
  | { readonly kind: 'reply'; readonly id: RequestId; readonly reply: AnyReply }
  /** Answer the request with this block from the store (`block`), or `gone`. */
  | { readonly kind: 'serveBlock'; readonly id: RequestId; readonly digest: Digest }
  /** The peer proved itself: gossip, sync and blocks open for it. */
  | { readonly kind: 'admit'; readonly peer: PeerId; readonly region: string }
  | { readonly kind: 'dial'; readonly address: Address }
  /** Close the connection; what is queued for it (a refusal) goes out first. */
  | {
      readonly kind: 'hangUp'
      readonly peer: PeerId
      readonly code: Code | 'done'
      /** The peer refused us and said when to come back. */
      readonly retryAfterMs?: number
      /** One of the two does not admit the other as it is: another connection would end alike. */
      readonly judged?: true
    }
  /** Write all or nothing, synced to disk where `sync`; answered by `persisted` or `persistFailed`. */
  | {
      readonly kind: 'persist'
      readonly ticket: Ticket
      readonly writes: readonly Write[]
      readonly sync: boolean
    }
  /** Read a block; answered by `blockRead`. */
  | { readonly kind: 'read'; readonly digest: Digest }
  /** Make these files the ones applications see; answered by `activated`. Possible only once the whole is durable. */
  | {
      readonly kind: 'activate'
      readonly channel: Channel
      readonly release: ReleaseId
      readonly pages: readonly Digest[]
      /** What applications saw before; `release` itself after start: check the files, build them anew where they differ. */
      readonly previous: ReleaseId | undefined
      /** After start: newer than the record of what is active. Where files show it, it stays until the target is active. */
      readonly ahead: ReleaseId | undefined
      readonly after: Durable
      /** Back to last-known-good: no hooks decide, no further step down. */
      readonly fallback: boolean
    }
  /** The activation under way is not wanted any more: unless files show the release already, it ends as `failed`. */
  | { readonly kind: 'withdraw'; readonly channel: Channel; readonly release: ReleaseId }
  /**
   * Remove what nothing keeps any more, down to the cache's bound. `keep` is complete. What `uploads` under way
   * name stays though no release names it; all else is cache: an upload was given up. Pages of those `awaited` are on their
   * way. Of those in `envelopes` only the content may go. `short`: the disk needs the room of the cache, and none stays.
   * Answered by `collected`; until then there is no second one.
   */
  | {
      readonly kind: 'collect'
      readonly keep: readonly ReleaseId[]
      readonly envelopes: readonly ReleaseId[]
      readonly awaited: readonly ReleaseId[]
      readonly uploads: readonly Digest[]
      readonly short?: boolean
    }
  /** Remember a peer for the next start. */
  | { readonly kind: 'rememberPeer'; readonly peer: PeerId; readonly record: Uint8Array }
  | { readonly kind: 'forgetPeer'; readonly peer: PeerId }
  /** One log line with a stable code, also counted where it is a refusal. `peer`, `channel` are fields, never labels. */
  | {
      readonly kind: 'note'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly code: Code | Note
      readonly text: string
      readonly peer?: PeerId
      readonly channel?: Channel
      readonly release?: ReleaseId
    }
  /** Add to a metric; names and labels are closed sets. */
  | { readonly kind: 'count'; readonly metric: Counter; readonly by: number; readonly label?: string }
  /** Publish → stage latencies, milliseconds by the wall clock of `created`, and ages. */
  | { readonly kind: 'observe'; readonly metric: Histogram; readonly ms: number }
  /** Wake me by a `tick` at this monotonic time; a later call replaces it. */
  | { readonly kind: 'wake'; readonly atMonoMs: number }

/** Log lines that are no refusal. */
export type Note =
  | 'RELEASE_NEW'
  | 'RELEASE_ACTIVE'
  | 'ROOT_ADOPTED'
  | 'PEER_ADMITTED'
  | 'PEER_GONE'
  | 'SUBMIT'
  | 'CHANNEL_FRESH'
  | 'ROOT_EXPIRES'
  | 'CERTIFICATE_EXPIRES'
  | 'POOL_EXPIRES'

export type Counter =
  | 'gossip_received'
  | 'gossip_verdicts'
  | 'duplicates'
  | 'verified'
  | 'ordered'
  | 'blocks_sent'
  | 'blocks_received'
  | 'blocks_in_vain'
  | 'offers'
  | 'busy'
  | 'redirects'
  | 'sync_rounds'
  | 'submissions'
  | 'activations'
  | 'bridge_announced'
  | 'bridge_pushed'
  | 'bridge_pulled'
  | 'bridge_received'
  | 'bridge_claims'
  | 'refused'

export type Histogram =
  | 'publish_to_ordered'
  | 'publish_to_whole'
  | 'publish_to_active'
  | 'fetch'
  | 'sync_round'

export type EffectOf<K extends Effect['kind']> = Extract<Effect, { readonly kind: K }>
