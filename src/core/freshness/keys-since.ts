/** Since which root the freshness keys have been these: what they said before counts no more. */
import type { TrustRoot } from '../../model/root.ts'

export interface KeysSince {
  readonly keys: string
  /** Of the last root looked at. */
  readonly version: number
  /** A beacon that names an older root is of a time in which the keys were others. */
  readonly since: number
}

/** Before any root was looked at. */
export const NO_KEYS: KeysSince = { keys: '', version: 0, since: 1 }

/**
 * @param before as of the root before this one, of those that are kept. Where one is missing in between, nobody can tell which
 *   of them changed the keys: they count from the first that may have, lest a seed be left out that only lags behind
 */
export function keysSince(before: KeysSince, { version, freshness }: TrustRoot): KeysSince {
  const keys = freshness.keys.join()
  return { keys, version, since: keys === before.keys ? before.since : before.version + 1 }
}
