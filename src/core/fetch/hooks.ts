/** What fetching tells the node: how far a release is, and what comes of it. */
import type { Code } from '../../errors.ts'
import type { Channel, ReleaseId } from '../../model/ids.ts'
import type { Step } from '../step.ts'

export interface FetchProgress {
  readonly have: number
  readonly blocks: number
  readonly sinceMonoMs: number
}

export interface FetchHooks {
  /** The content can never be right: the publisher's fault, the gate stays closed. Or it cannot be had for now. */
  failed(step: Step, channel: Channel, release: ReleaseId, code: Code, text: string): void
  /** It is asked for though no peer has given anything of it for long; else begun again with the next write of its channel, or start. */
  isAwaited(channel: Channel, release: ReleaseId): boolean
  /** It counted as whole, and something of it is gone. */
  lacks(step: Step, release: ReleaseId): void
  /** Before it was whole: what was only kept for it may go. */
  ended(step: Step): void
}
