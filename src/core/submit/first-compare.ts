/**
 * What a node had stored when it started may be older than what its fleet has, as of a backup or a snapshot of its host that
 * was put back. A release signed on top of that is behind on the day that it is made: acknowledged here, it would be refused
 * by all others, and nobody told. So no release of a channel is taken before what was stored of it has been compared with
 * peers that store it. A channel of which nothing is stored is no exception: it may be younger than the backup.
 */

import type { Channel } from '../../model/ids.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Step } from '../step.ts'
import type { Refusal } from './answers.ts'

/** So often a publisher comes back for this: half of its tries, so that as many are left for what else is busy. */
const TIMES = 3

/** Since start, with enough peers that store this channel. */
export type Compared = (channel: Channel) => boolean

export class FirstCompare {
  readonly #compared: Compared
  /** Who reached nobody by then goes by what is here. */
  #untilMonoMs = Number.NEGATIVE_INFINITY

  constructor(compared: Compared) {
    this.#compared = compared
  }

  /** A seed that knows nobody waits for nobody; nor does one that has stored nothing, as in a new fleet. */
  onStarted({ now, config }: Step, { floors, channels, envelopes, peers }: Snapshot): void {
    const hasStored = [floors, channels, envelopes].some((records) => records.length > 0)
    if (hasStored && config.seeds.length + peers.length > 0)
      this.#untilMonoMs = now.monoMs + config.limits.floorLostWaitMs
  }

  /** What a submission is told; undefined: it may be taken. */
  refusal({ now, config }: Step, channel: Channel): Refusal | undefined {
    const leftMs = this.#untilMonoMs - now.monoMs
    if (leftMs <= 0 || this.#compared(channel)) return undefined
    const text = `this seed has just started and first compares what it has stored with its peers; it takes releases then, in ${Math.ceil(leftMs / 1_000)} s at the latest`
    const retryAfterMs = Math.ceil(Math.min(leftMs, config.limits.floorLostWaitMs / TIMES))
    return { code: 'LIMIT_RATE', text, retryAfterMs }
  }
}
