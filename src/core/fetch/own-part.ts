/** What a gateway brings into its region of one release, and how far it is with that. */
import type { Digest } from '../../model/ids.ts'
import type { Entrants } from './entry.ts'
import type { FetchJob } from './job.ts'

/** Blocks of one job that this node brings into its region, and how far it is with asking for them. */
export interface OwnPart {
  readonly entrants: Entrants
  readonly digests: number
  /** Places by ascending digest: every fetcher goes through its blocks in this order, so that a standing want is met soon. */
  readonly places: readonly number[]
  /** How many of the first of them are here. */
  done: number
  /** Of all that was ever missing: more of it, and what counted as here may be so no longer. */
  needed: number
}

/** Counts those that are here by now. */
export function skipDone(job: FetchJob, entry: OwnPart): void {
  if (entry.needed !== job.needed) [entry.needed, entry.done] = [job.needed, 0]
  const isMissing = (place: number | undefined) =>
    place !== undefined && job.missing.has(job.digests[place] as Digest)
  while (entry.done < entry.places.length && !isMissing(entry.places[entry.done])) entry.done += 1
}

/** From the first that is not here: no copy, and no look at those that are, of which there may be a million. */
export function* placesLeft({ places, done }: OwnPart): Iterable<number> {
  for (let at = done; at < places.length; at += 1) yield places[at] as number
}
