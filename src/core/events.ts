/** Everything that can happen to a node. One union, one dispatcher (`core/dispatcher.ts`). */
import type { Code } from '../errors.ts'
import type { Address, Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, AnyRequest } from '../model/messages.ts'
import type { Snapshot } from './snapshot.ts'

/** Time of an event. Timeouts use the monotonic one alone; the wall clock serves expiry, beacons and people. */
export interface Now {
  /** Milliseconds, never goes back, restarts with the process. */
  readonly monoMs: number
  /** Milliseconds since 1970; may jump. */
  readonly wallMs: number
}

export type Topic = 'releases' | 'control'

/** A request of ours or theirs, and a write: small integers, unique within one run of the process. */
export type RequestId = number
export type Ticket = number

export type ActivationOutcome =
  /** Files swapped, hooks and health check passed. */
  | { readonly kind: 'healthy'; readonly changed: number }
  /** The health check or a hook failed; the files of `release` are still in place. */
  | { readonly kind: 'unhealthy'; readonly code: Code; readonly text: string }
  /**
   * Tried again later. Nothing was swapped: disk, unsafe directory. Or, `shown`: files of `release` are in sight, and a stop
   * or a host short of processes cut its hooks or its check short.
   */
  | { readonly kind: 'failed'; readonly code: Code; readonly text: string; readonly shown?: true }

export type Event =
  /**
   * First event: what the store held, both floor copies listed.
   * @param shown what files show, of channels where `inDoubt` or `formerlyActive` asks for it
   */
  | {
      readonly kind: 'started'
      readonly snapshot: Snapshot
      readonly shown?: ReadonlyMap<Channel, ReleaseId>
    }
  /** The time asked for by `wake` has come (or later; a spurious one does nothing). */
  | { readonly kind: 'tick' }
  | {
      readonly kind: 'connected'
      readonly peer: PeerId
      readonly direction: 'inbound' | 'outbound'
      readonly address: Address
      readonly ownHost: boolean
    }
  /** `replaced`: another connection to it is taken in its stead, and `connected` comes at once. */
  | { readonly kind: 'disconnected'; readonly peer: PeerId; readonly replaced?: true }
  /** `text`: the address and the reason, for people. */
  | { readonly kind: 'dialFailed'; readonly address: Address; readonly code: Code; readonly text?: string }
  /** A gossip message; `id` names it in the `verdict` that must follow. */
  | {
      readonly kind: 'gossip'
      readonly topic: Topic
      readonly from: PeerId
      readonly id: string
      readonly bytes: Uint8Array
    }
  /** A peer asks: answered by `reply` effects with the same id, or `serveBlock`. */
  | { readonly kind: 'request'; readonly id: RequestId; readonly peer: PeerId; readonly request: AnyRequest }
  /** An answer to our request; for a run one event each, the last without `more`. */
  | { readonly kind: 'reply'; readonly id: RequestId; readonly reply: AnyReply }
  /**
   * No answer: timed out, reset, malformed (`code` says), or the peer is gone. Ends the request.
   * `alive`: something came on the connection since the request was made, so the peer is there, and late.
   */
  | { readonly kind: 'requestFailed'; readonly id: RequestId; readonly code: Code; readonly alive?: boolean }
  /** The peer broke a protocol (oversize, malformed): already logged and counted by the transport. */
  | { readonly kind: 'misbehaved'; readonly peer: PeerId; readonly code: Code }
  /** A write is durable. */
  | { readonly kind: 'persisted'; readonly ticket: Ticket }
  | { readonly kind: 'persistFailed'; readonly ticket: Ticket; readonly code: Code }
  /** What `serveBlock` asked for is read off the disk, and begins to leave; not where nothing could be read. */
  | { readonly kind: 'serving'; readonly id: RequestId }
  /** What `serveBlock` asked for is on its way, so many bytes: none where the asker has gone, or nothing could be read. Its place is free. */
  | { readonly kind: 'served'; readonly id: RequestId; readonly bytes: number }
  /** Answer to `read`: undefined where the store lacks it, found it corrupt, or cannot read it however often it tries. */
  | { readonly kind: 'blockRead'; readonly digest: Digest; readonly bytes: Uint8Array | undefined }
  /** Answer to `collect`: what was removed with the cache, of no release that counts; nothing where that failed. */
  | { readonly kind: 'collected'; readonly digests: readonly Digest[] }
  /** A block was read in vain: corrupt (quarantined), or not stored at all; not one that the disk refuses for now. One that counted as here is fetched again if it is wanted. */
  | { readonly kind: 'blockLost'; readonly digest: Digest }
  /** A stored envelope turned out to be corrupt (quarantined): write it again if it is kept. */
  | { readonly kind: 'envelopeLost'; readonly release: ReleaseId }
  | {
      readonly kind: 'activated'
      readonly channel: Channel
      readonly release: ReleaseId
      readonly outcome: ActivationOutcome
    }
  /**
   * The store takes writes again, or no longer; `code` says why not: without one the disk is full. `short`: so little room is
   * left that it takes no blocks by themselves; all else it does.
   */
  | { readonly kind: 'storeMode'; readonly readOnly: boolean; readonly code?: Code; readonly short?: boolean }

export type EventOf<K extends Event['kind']> = Extract<Event, { readonly kind: K }>
