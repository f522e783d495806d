/**
 * The trust root: RFC 8785 JSON, because people read and diff it. Here its form and the rules one root can break
 * by itself; keys as such (weak points, curves) and the step from one root to the next are judged in `trust`.
 */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId, KeyId, Name } from '../model/ids.ts'
import { parseDigest, parseName } from '../model/names.ts'
import type { EpochEntry, PublicKey, Publisher, Role, TrustRoot } from '../model/root.ts'
import { sha256 } from './digest.ts'
import { critical, type Form, int, list, map, openJson, optional, version, word } from './fields.ts'
import { pattern, peerId } from './ids.ts'
import { decodeCanonicalJson, encodeCanonicalJson } from './json.ts'
import { base64, hex, time } from './json-fields.ts'
import { checkRoot } from './root-rules.ts'

/** An SPKI of P-256 has 91 bytes, compressed 59; Ed25519 44. */
export const MAX_SPKI_BYTES = 128
/** A century in seconds: beyond it a time is a mistake, and sums stay far from 2^53. */
export const MAX_SECONDS = 3_155_760_000

const keys = list(hex<KeyId>(), (limits) => limits.maxKeysPerRole)
const parseKeyId = (text: string): KeyId => parseDigest(text) as string as KeyId

const role: Form<Role> = openJson({ keys, threshold: int(1) })
const publicKey: Form<Omit<PublicKey, 'id'>> = openJson({
  type: word('ed25519', 'p256'),
  spki: base64(MAX_SPKI_BYTES, 1),
})
const publisher: Form<Omit<Publisher, 'name'>> = openJson({
  keys,
  threshold: int(1),
  patterns: list(pattern, (limits) => limits.maxPatternsPerPublisher, 1),
})
const epoch: Form<EpochEntry> = openJson({ pattern, value: int(1) })

const document = openJson({
  v: version,
  critical,
  fleetId: optional(hex<FleetId>()),
  version: int(1),
  expires: time,
  // Every role full of keys of its own fits.
  keys: map(parseKeyId, publicKey, (limits) => limits.maxKeysPerRole * (limits.maxPublishers + 3)),
  roles: openJson({ root: role }),
  publishers: map(parseName, publisher, (limits) => limits.maxPublishers),
  admission: openJson({ keys }),
  freshness: openJson({ keys, maxAgeS: int(1, MAX_SECONDS), maxSkewS: int(0, MAX_SECONDS) }),
  epochs: list(epoch, (limits) => limits.maxEpochs),
  removed: openJson({
    peers: list(openJson({ id: peerId, until: optional(time) }), (limits) => limits.maxRemoved),
    pools: list(openJson({ key: hex<KeyId>(), until: optional(time) }), (limits) => limits.maxRemoved),
  }),
})

/** The fleet is named by the digest of its first root, which therefore cannot say it itself. */
function fleetOf(named: FleetId | undefined, rootVersion: number, payload: Uint8Array): FleetId {
  if ((named === undefined) !== (rootVersion === 1))
    throw new MeshError('TRUST_ROOT_INVALID', 'root.fleetId: absent in version 1, there in every later one')
  return named ?? (sha256(payload) as string as FleetId)
}

/**
 * @param payload the envelope's signed bytes, as received
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CODEC_UNSUPPORTED (another `v`), TRUST_ROOT_INVALID
 */
export function decodeRoot(payload: Uint8Array, limits: Limits): TrustRoot {
  const value = decodeCanonicalJson(payload, { maxBytes: limits.maxRootBytes, limits, what: 'root' })
  const { fleetId, roles, keys: table, publishers, ...rest } = document.read(value, 'root', limits)
  const root: TrustRoot = {
    ...rest,
    fleetId: fleetOf(fleetId, rest.version, payload),
    keys: new Map([...table].map(([id, key]): [KeyId, PublicKey] => [id, { ...key, id }])),
    root: roles.root,
    publishers: new Map([...publishers].map(([name, of]): [Name, Publisher] => [name, { ...of, name }])),
    ...(roles.extra === undefined ? {} : { otherRoles: roles.extra }),
  }
  checkRoot(root)
  return root
}

const without = <T extends object, K extends keyof T>(value: T, name: K): Omit<T, K> => {
  const { [name]: _, ...rest } = value
  return rest
}

/** Sets of keys have one order. */
const sorted = <T extends { readonly keys: readonly KeyId[] }>(value: T): T => ({
  ...value,
  keys: [...value.keys].sort(),
})

const mapValues = <K, A, B>(of: ReadonlyMap<K, A>, to: (value: A) => B): ReadonlyMap<K, B> =>
  new Map([...of].map(([key, value]): [K, B] => [key, to(value)]))

/**
 * Key lists are sorted on the way.
 * @throws MeshError TRUST_ROOT_INVALID, so that nobody signs what nobody will take
 */
export function encodeRoot(given: TrustRoot): Uint8Array {
  const value: TrustRoot = {
    ...given,
    root: sorted(given.root),
    publishers: mapValues(given.publishers, sorted),
    admission: sorted(given.admission),
    freshness: sorted(given.freshness),
  }
  checkRoot(value)
  const { root, otherRoles: extra, fleetId, ...rest } = value
  return encodeCanonicalJson(
    document.write({
      ...rest,
      ...(value.version === 1 ? {} : { fleetId }),
      keys: mapValues(value.keys, (key) => without(key, 'id')),
      publishers: mapValues(value.publishers, (of) => without(of, 'name')),
      roles: { root, ...(extra === undefined ? {} : { extra }) },
    }),
  )
}
