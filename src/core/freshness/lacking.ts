/** What beacons name and is not here, and since when. */
import type { Channel } from '../../model/ids.ts'
import { comparePlaces, type Place } from '../../model/place.ts'
import type { Now } from '../events.ts'
import type { ChannelFacts } from '../journey.ts'

interface Named<T> {
  /** The greatest that was named last. */
  readonly what: T
  readonly sinceMonoMs: number
}

/**
 * What was named stays so though nothing names it just now: whenever anything on a page changes, the new page is on its way
 * for a moment, and in silence there is none.
 */
export class Lacking {
  readonly #graceMs: number
  readonly #channels = new Map<Channel, Named<Place>>()
  #root: Named<number> | undefined

  constructor(graceMs: number) {
    this.#graceMs = graceMs
  }

  /** @param named by each key that is heard; where there is any, what none of them names is named no longer */
  lookAtRoot(version: number, named: readonly number[], { monoMs }: Now): void {
    const before = this.#root
    const what = Math.max(0, ...named)
    if (what > version) this.#root = { what, sinceMonoMs: before?.sinceMonoMs ?? monoMs }
    else if (named.length > 0 || (before !== undefined && before.what <= version)) this.#root = undefined
  }

  /** @param hasPages every page that would name the channel is at hand: what none names is named no longer */
  lookAt(
    { channel, floor }: ChannelFacts,
    named: readonly Place[],
    hasPages: boolean,
    { monoMs }: Now,
  ): void {
    const before = this.#channels.get(channel)
    const what = named.toSorted(comparePlaces).at(-1)
    if (what !== undefined && comparePlaces(what, floor.top) > 0)
      this.#channels.set(channel, { what, sinceMonoMs: before?.sinceMonoMs ?? monoMs })
    else if (before !== undefined && (hasPages || comparePlaces(before.what, floor.top) <= 0))
      this.#channels.delete(channel)
  }

  lacks({ channel, floor }: ChannelFacts): boolean {
    const named = this.#channels.get(channel)
    return named !== undefined && comparePlaces(named.what, floor.top) > 0
  }

  /** For longer than it may be on its way. */
  isLate(facts: ChannelFacts, now: Now): boolean {
    return this.lacks(facts) && this.#isOver(this.#channels.get(facts.channel), now)
  }

  /** All that were named for longer. */
  *late({ monoMs }: Pick<Now, 'monoMs'>): Iterable<Channel> {
    for (const [channel, named] of this.#channels) if (this.#isOver(named, { monoMs })) yield channel
  }

  isRootLate(version: number, now: Now): boolean {
    return this.#root !== undefined && this.#root.what > version && this.#isOver(this.#root, now)
  }

  /** The root names other keys: what these said counts no more. */
  reset(): void {
    this.#channels.clear()
    this.#root = undefined
  }

  #isOver(named: Named<unknown> | undefined, { monoMs }: Pick<Now, 'monoMs'>): boolean {
    return named !== undefined && monoMs - named.sinceMonoMs > this.#graceMs
  }
}
