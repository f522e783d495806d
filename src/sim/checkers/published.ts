/**
 * What was published and by what right, as the checkers know it. They share no rule with the code under test: places
 * and epochs are worked out here once more, from what was signed.
 */
import type { Channel, ReleaseId } from '../../model/ids.ts'
import type { Made } from '../fleet.ts'

/** `stolen`: with a publisher's own key, by somebody else. `forged`: by nobody who may publish on the channel. */
export type Right = 'granted' | 'stolen' | 'forged'

export interface Entry {
  readonly made: Made
  readonly right: Right
  /** Fewer keys than the threshold signed, or a key that a root dropped. */
  readonly tooFew: boolean
}

export interface Place {
  readonly epoch: number
  readonly counter: number
  readonly publisher: string
}

export class Published {
  readonly #entries = new Map<ReleaseId, Entry>()
  /** Every channel below the prefix got a new epoch with this root. */
  readonly #raised: { readonly prefix: string; readonly version: number }[] = []

  add(made: Made, right: Right, tooFew = false): void {
    this.#entries.set(made.id, { made, right, tooFew })
  }

  raise(prefix: string, version: number): void {
    this.#raised.push({ prefix, version })
  }

  get(id: ReleaseId): Entry | undefined {
    return this.#entries.get(id)
  }

  all(): Iterable<Entry> {
    return this.#entries.values()
  }

  epochOf(channel: Channel, root: number): number {
    let epoch = 1
    for (const { prefix, version } of this.#raised)
      if (version <= root && channel.startsWith(prefix)) epoch = Math.max(epoch, version)
    return epoch
  }

  /** Where a release stood when it was made. */
  placeOf({ header: { channel, root, publisher, clock } }: Made): Place {
    return { epoch: this.epochOf(channel, root), counter: clock.get(publisher) ?? 0, publisher }
  }
}

/** Greater than 0: `a` wins. */
export function order(a: Place, b: Place): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  if (a.counter !== b.counter) return a.counter - b.counter
  return a.publisher === b.publisher ? 0 : a.publisher < b.publisher ? -1 : 1
}

export const shown = ({ epoch, counter, publisher }: Place): string => `${epoch}.${counter}.${publisher}`
