/**
 * What a publisher of this fleet signed and a limit of this node's own keeps out. Nobody is to blame, nothing else will ever
 * say so: seeds that wait for it here hear it at once, and whoever runs this host is told, as of one in a newer format.
 */
import type { Code } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, ReleaseId } from '../model/ids.ts'
import { comparePlaces, type Place } from '../model/place.ts'
import { LatestMap } from './latest.ts'
import type { LastError } from './view.ts'

export interface OverLimit {
  readonly code: Code
  readonly text: string
}

interface Newest {
  readonly place: Place
  readonly error: LastError
}

/** Limits by the place in a document that they bound, as its errors name it. */
const LIMIT_OF: Readonly<Record<string, keyof Limits>> = {
  envelope: 'maxEnvelopeBytes',
  'envelope.signatures': 'maxSignatures',
  header: 'maxHeaderBytes',
  'header.clock': 'maxClockEntries',
  'header.pages': 'maxPages',
  'header.files': 'maxFiles',
  'header.bytes': 'maxReleaseBytes',
  'header.message': 'maxMessageBytes',
}

/** What the operator reads. @param text the error, which begins with the place */
export function overOwnLimit(text: string): string {
  const limit = LIMIT_OF[text.slice(0, text.indexOf(':'))]
  const which = limit === undefined ? 'a limit of this node' : `limits.${limit} of this node`
  return `a release is over ${which}: ${text}; raise it here, or publish less`
}

export class OverLimits {
  readonly #all: LatestMap<ReleaseId, OverLimit>
  readonly #newest: LatestMap<Channel, Newest>

  constructor({ maxAnswered }: Pick<Limits, 'maxAnswered'>) {
    this.#all = new LatestMap(maxAnswered)
    this.#newest = new LatestMap(maxAnswered)
  }

  add(release: ReleaseId, over: OverLimit): void {
    this.#all.set(release, over)
  }

  of(release: ReleaseId): OverLimit | undefined {
    return this.#all.get(release)
  }

  /**
   * Of a channel that is stored here.
   * @param top of what was taken
   * @returns whether it is newer than that, and the first such
   */
  isFirst(channel: Channel, top: Place, over: Newest): boolean {
    const before = this.#newer(channel, top)
    if (comparePlaces(over.place, before?.place ?? top) > 0) this.#newest.set(channel, over)
    return before === undefined && this.#newer(channel, top) !== undefined
  }

  /** Why the newest of the channel is not here, until something newer is taken. */
  error(channel: Channel, top: Place): LastError | undefined {
    return this.#newer(channel, top)?.error
  }

  #newer(channel: Channel, top: Place): Newest | undefined {
    const newest = this.#newest.get(channel)
    return newest !== undefined && comparePlaces(newest.place, top) > 0 ? newest : undefined
  }
}
