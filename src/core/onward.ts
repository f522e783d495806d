/**
 * When a node offers on what sync has brought it: at once, because gossip does not say a thing twice. But what has only just
 * been published is on its way by gossip too, and with its content. On a busy host gossip waits a moment before it goes on
 * (`net/relay-hold.ts`) and sync does not: five hundred nodes told each other by sync, and each had to ask for the content.
 */
import type { Channel } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { Now } from './events.ts'
import { Lateness } from './lateness.ts'
import type { OrderedRelease } from './stage.ts'
import type { Step } from './step.ts'

/** As long as gossip of a release may still be going round, on hosts that have too much to do. */
const YOUNG_MS = 10_000
/** What is young waits so long, and longer on a host whose own timers are late. */
const PATIENCE_MS = 750

/** Whoever has a clock that is wrong waits in vain, or not at all: neither does harm. */
export const isYoung = ({ header: { created } }: Release, { wallMs }: Now): boolean =>
  Math.abs(wallMs - created) < YOUNG_MS

export class Onward {
  /** Channels whose newest came by sync and is not on disk yet; true: it is young. */
  readonly #brought = new Map<Channel, boolean>()
  readonly #dueMonoMs = new Map<Channel, number>()
  readonly #lateness = new Lateness()

  onOrdered({ now }: Step, { source, stored, release }: OrderedRelease): void {
    if (source.via === 'sync' && stored) this.#brought.set(release.header.channel, isYoung(release, now))
  }

  /** @returns true: to be offered now */
  onDurable(step: Step, channel: Channel): boolean {
    const young = this.#brought.get(channel)
    this.#brought.delete(channel)
    if (young !== true) return young === false
    const dueMonoMs = step.now.monoMs + PATIENCE_MS + this.#lateness.pauseMs
    this.#dueMonoMs.set(channel, dueMonoMs)
    step.wakeAt(dueMonoMs)
    return false
  }

  /** Channels whose time has come. */
  due(step: Step): readonly Channel[] {
    const { monoMs } = step.now
    const due: Channel[] = []
    for (const [channel, dueMonoMs] of this.#dueMonoMs) {
      if (dueMonoMs > monoMs) step.wakeAt(dueMonoMs)
      else due.push(channel)
    }
    for (const channel of due) {
      this.#lateness.ran(this.#dueMonoMs.get(channel) ?? monoMs, monoMs)
      this.#dueMonoMs.delete(channel)
    }
    return due
  }
}
