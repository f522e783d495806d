/** Is this a beacon of this fleet by one of its freshness keys? */
import { decodeBeacon } from '../../codec/beacon.ts'
import { decodeEnvelope } from '../../codec/envelope.ts'
import { type Code, isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { Beacon } from '../../model/beacon.ts'
import type { Envelope } from '../../model/envelope.ts'
import type { KeyId } from '../../model/ids.ts'
import type { TrustRoot } from '../../model/root.ts'
import { keysOf, signers } from '../../trust/threshold.ts'

export type BeaconCheck =
  | { readonly kind: 'valid'; readonly beacon: Beacon }
  /** Nothing the sender is to blame for: older than what we have, of a newer root or a newer build, of a root with other keys. */
  | { readonly kind: 'ignore'; readonly beacon?: Beacon }
  /** This key signs in a form that is not known here: whoever runs this host has to hear of it. */
  | { readonly kind: 'unsupported'; readonly key: KeyId }
  | { readonly kind: 'reject'; readonly code: Code; readonly text: string }

/**
 * @param since the first root whose keys have been those of `root`. A beacon that names an older one was signed before they
 *   changed, and what a key said before is no news, though it is named still: else whoever recorded it has a supply for days.
 *   Who relays it may be still at that root
 * @param blames whether the root's keys are beyond doubt: where two valid roots of its version are about, or could be
 *   unseen, the other one may list the key, and whoever relays such a beacon has done nothing wrong
 * @param knownAt greatest `at` known of a key: only a later one is news, and costs a signature check
 * @param isSaid this key is known to sign for a newer build: nothing more of that is checked
 */
export function checkBeacon(
  envelope: Uint8Array,
  { root, since, blames }: { readonly root: TrustRoot; readonly since: number; readonly blames: boolean },
  knownAt: (key: KeyId) => number,
  isSaid: (key: KeyId) => boolean,
  limits: Limits,
): BeaconCheck {
  try {
    const decoded = decodeEnvelope(envelope, limits.maxBeaconBytes, limits)
    const beacon = readBeacon(decoded, limits)
    if (beacon === undefined) return ofNewerBuild(decoded, root, isSaid, limits)
    if (beacon.fleet !== root.fleetId)
      return { kind: 'reject', code: 'ORDER_MISPLACED', text: 'a beacon of another fleet' }
    if (beacon.at <= knownAt(beacon.key) || beacon.root < since) return { kind: 'ignore' }
    if (!root.freshness.keys.includes(beacon.key)) {
      if (beacon.root !== root.version || !blames) return { kind: 'ignore', beacon }
      const text = 'a beacon by a key that the root it names does not list'
      return { kind: 'reject', code: 'TRUST_UNAUTHORISED', text }
    }
    const keys = keysOf([beacon.key], root.keys)
    if (signers(decoded, 'beacon', keys, limits).length > 0) return { kind: 'valid', beacon }
    return { kind: 'reject', code: 'TRUST_UNAUTHORISED', text: 'a beacon whose signature does not hold' }
  } catch (error) {
    if (!isMeshError(error)) throw error
    // Over a bound of ours, which is set here: others may have another.
    if (error.code.startsWith('LIMIT_')) return { kind: 'ignore' }
    return { kind: 'reject', code: error.code, text: error.message }
  }
}

/** Undefined: of another version, or with a critical name that is not known here. */
function readBeacon({ payload }: Envelope, limits: Limits): Beacon | undefined {
  try {
    const beacon = decodeBeacon(payload, limits)
    return beacon.critical.length > 0 ? undefined : beacon
  } catch (error) {
    if (isMeshError(error) && error.code === 'CODEC_UNSUPPORTED') return undefined
    throw error
  }
}

/** The envelope keeps its form in every version, so that anybody can check who signed, and nobody relays a forgery. */
function ofNewerBuild(
  envelope: Envelope,
  root: TrustRoot,
  isSaid: (key: KeyId) => boolean,
  limits: Limits,
): BeaconCheck {
  const keys = keysOf(root.freshness.keys, root.keys)
  const named = envelope.signatures.filter(({ keyId }) => keys.has(keyId))
  // A beacon bears one signature. Whoever adds others, that name all other keys, has none of them checked again and again.
  if (named.length === 0 || named.some(({ keyId }) => isSaid(keyId))) return { kind: 'ignore' }
  const [key] = signers(envelope, 'beacon', keys, limits)
  if (key !== undefined) return { kind: 'unsupported', key }
  return { kind: 'reject', code: 'TRUST_UNAUTHORISED', text: 'a beacon whose signature does not hold' }
}
