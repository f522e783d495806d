/** What an activation goes by, from the order to its verdict. */
import type { Channel, ReleaseId } from '../model/ids.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import type { ActivationOutcome, EffectOf } from '../runtime/ports.ts'
import type { ChannelFolder, TreeNotes } from './channel-folder.ts'
import type { Apart } from './gate.ts'
import type { Hook } from './hooks.ts'
import type { Ownership } from './ownership.ts'

/** What is asked for. */
export type Order = Pick<EffectOf<'activate'>, 'channel' | 'release' | 'pages' | 'fallback' | 'ahead'>

/** One activation on its way. */
export interface Work {
  readonly channel: Channel
  readonly release: ReleaseId
  readonly files: readonly ManifestEntry[]
  readonly folder: ChannelFolder
  readonly ownership: Ownership
  /** All that lay where the trees are when it began. */
  readonly listed: readonly string[]
  /** The tree shown so far. */
  readonly before: string | undefined
  /** What that tree holds, unless it is not known any longer. */
  readonly was: readonly ManifestEntry[] | undefined
  readonly notes: TreeNotes
  readonly fallback: boolean
  /** Until it is in sight it may be withdrawn. */
  readonly signal: AbortSignal
  /** How files are written, and looked at. */
  readonly apart: Apart
}

/** A tree that holds exactly a release. */
export interface Whole {
  readonly tree: string
  /** Paths found changed by somebody else in the tree shown so far, where it was to be copied. */
  readonly edited: readonly string[]
}

/** What is in sight while its hooks run: without manifests, as those of many channels may run for long. */
export interface Shown extends Pick<Work, 'channel' | 'release' | 'folder' | 'fallback'> {
  readonly kind: 'shown'
  readonly tree: string
  readonly changed: number
  readonly previous: ReleaseId | undefined
  readonly hooks: readonly Hook[]
  /** What is noted of it, but for the verdict. */
  readonly trees: readonly string[]
  /** The verdict is noted already. */
  readonly isKnown: boolean
}

export type Bad = Exclude<ActivationOutcome, { kind: 'healthy' }>
