/** The narrow view of a node that the HTTP API needs; the daemon implements it, tests fake it. Read-only. */
import type { ChannelState, Gate } from '../model/channel-state.ts'
import type { Channel, Digest, FleetId, Name, Pattern, PeerId, ReleaseId } from '../model/ids.ts'

export interface ActiveView {
  readonly release: ReleaseId
  readonly clock: Readonly<Record<string, number>>
  readonly publisher: Name
  readonly message: string
  /** RFC 3339. */
  readonly activatedAt: string
}

export interface HeadView {
  readonly release: ReleaseId
  readonly clock: Readonly<Record<string, number>>
  readonly publisher: Name
  readonly message: string
  readonly created: string
}

export interface ChannelView {
  readonly channel: Channel
  readonly active: ActiveView | null
  readonly heads: readonly HeadView[]
  readonly state: ChannelState
  readonly gate: Gate
  /** Code and text of the last failure on this channel. */
  readonly lastError: { readonly code: string; readonly message: string; readonly release?: ReleaseId } | null
  /** Blocks here and in all (pages included) of the release on its way; `blocks` grows as the manifest comes. */
  readonly fetch: { readonly have: number; readonly blocks: number } | null
}

export interface HistoryView {
  readonly release: ReleaseId
  readonly clock: Readonly<Record<string, number>>
  readonly message: string
  readonly activatedAt: string
}

/** The node's own certificate as its peers judge it. */
export interface CertificateView {
  readonly valid: boolean
  /** Why it is refused: code and text; null where it is not. */
  readonly problem: { readonly code: string; readonly message: string } | null
  readonly labels: Readonly<Record<string, string>>
  readonly pool: string | null
  /** RFC 3339; null where it could not be read. */
  readonly expires: string | null
}

export interface StatusView {
  readonly peerId: PeerId
  readonly fleetId: FleetId
  readonly version: string
  readonly uptimeSeconds: number
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: readonly string[]
  /** Where it listens itself: on its own host it is reached there, whatever it announces. */
  readonly listening: readonly string[]
  readonly peers: { readonly connected: number; readonly byRegion: Readonly<Record<string, number>> }
  readonly root: { readonly version: number; readonly expires: string }
  readonly certificate?: CertificateView
  /** Channels that it stores, as configured. */
  readonly patterns: readonly Pattern[]
  readonly channels: readonly ChannelView[]
  readonly store: { readonly bytes: number; readonly readOnly: boolean }
  /** What is wrong with the node as a whole and needs a person. */
  readonly problems: readonly { readonly code: string; readonly message: string }[]
}

export interface FileView {
  readonly path: string
  readonly mode: number
  readonly size: number
  readonly digest: Digest
}

export interface Listing {
  readonly release: ReleaseId
  readonly files: readonly FileView[]
}

export interface FoundFile {
  readonly release: ReleaseId
  readonly file: FileView | undefined
}

export interface ReleaseChange {
  readonly channel: Channel
  readonly release: ReleaseId
  readonly clock: Readonly<Record<string, number>>
  readonly changed: readonly string[]
}

/** A release as CAR, which is so long. */
export interface CarView {
  readonly bytes: number
  readonly parts: AsyncIterable<Uint8Array>
}

export interface NodeView {
  status(): StatusView
  ready(): { readonly ready: boolean; readonly waitingFor: readonly string[] }
  /** It keeps what is published in this channel, whether anything of it is here yet or not. */
  stores(channel: Channel): boolean
  /** Undefined: not a channel known here. */
  channel(channel: Channel): (ChannelView & { readonly history: readonly HistoryView[] }) | undefined
  /** Files of the active release, or of a stored one; undefined where it has none. @throws MeshError STORE_CORRUPT, API_UNAVAILABLE, CONTENT_GONE, API_NOT_FOUND */
  files(channel: Channel, release?: ReleaseId): Promise<Listing | undefined>
  /** One of them; `file` is undefined where the release has none of that path. @throws MeshError as `files` */
  file(channel: Channel, path: string, release?: ReleaseId): Promise<FoundFile | undefined>
  /** Bytes of one file, verified block by block; `range` is inclusive. What is not here is refused before, as by `files`; what proves damaged while it is read, then. */
  read(
    channel: Channel,
    path: string,
    release?: ReleaseId,
    range?: { readonly start: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>>
  /** A stored release as a CAR file, for `export`. @throws MeshError API_NOT_FOUND; as `read` */
  car(channel: Channel, release?: ReleaseId): Promise<CarView>
  /** `listener` is called after each activation, `missed` where what it changed cannot be said; returns the unsubscribe function. */
  subscribe(channel: Channel, listener: (change: ReleaseChange) => void, missed?: () => void): () => void
  metrics(): Promise<string>
}
