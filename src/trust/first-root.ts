import { sha256 } from '../codec/digest.ts'
import { encodeRoot } from '../codec/root.ts'
import type { FleetId } from '../model/ids.ts'
import type { PublicKey, TrustRoot } from '../model/root.ts'
import { asPublisher, metBy, type PublisherSpec } from './edit.ts'
import { byName, keysInUse } from './successor.ts'

export interface FirstRoot {
  readonly rootKeys: readonly PublicKey[]
  readonly rootThreshold: number
  readonly publishers: readonly PublisherSpec[]
  readonly admissionKeys: readonly PublicKey[]
  readonly freshnessKeys: readonly PublicKey[]
  readonly maxAgeS: number
  readonly maxSkewS: number
  /** Milliseconds since 1970, a whole second. */
  readonly expires: number
}

/** Version 1 of a new fleet's root. Its own digest is the fleet's id. @throws MeshError USAGE */
export function firstRoot(spec: FirstRoot): TrustRoot {
  const ids = (keys: readonly PublicKey[]) => [...new Set(keys.map((key) => key.id))].sort()
  const roles = {
    root: metBy(ids(spec.rootKeys), spec.rootThreshold, 'the root role'),
    publishers: byName(spec.publishers.map(asPublisher)),
    admission: { keys: ids(spec.admissionKeys) },
    freshness: { keys: ids(spec.freshnessKeys), maxAgeS: spec.maxAgeS, maxSkewS: spec.maxSkewS },
  }
  const given = [spec.rootKeys, spec.admissionKeys, spec.freshnessKeys, ...spec.publishers.map((p) => p.keys)]
  const root: TrustRoot = {
    v: 1,
    critical: [],
    fleetId: '' as FleetId, // version 1 cannot hold its own digest
    version: 1,
    expires: spec.expires,
    keys: keysInUse(roles, given.flat()),
    ...roles,
    epochs: [],
    removed: { peers: [], pools: [] },
  }
  return { ...root, fleetId: sha256(encodeRoot(root)) as string as FleetId }
}
