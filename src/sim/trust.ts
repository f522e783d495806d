import { sha256 } from '../codec/digest.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { encodeRoot } from '../codec/root.ts'
import type { Envelope } from '../model/envelope.ts'
import type { FleetId, Name, Pattern, PeerId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { issueNodeCertificate, issuePool } from '../trust/certificates.ts'
import { changePublisherKeys, renew } from '../trust/edit.ts'
import { firstRoot } from '../trust/first-root.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { signEnvelope } from '../trust/signing.ts'
import { keyNamed } from './keys.ts'

/** Two of its three keys make a release. */
export const VAULT_PUBLISHER = 'gamma' as Name
/** The one whose only key gets stolen. */
export const STOLEN_PUBLISHER = 'alpha' as Name

/** Three beacons. */
export const MAX_AGE_S = 60
const EXPIRES = Date.UTC(2100, 0, 1)
/** Before and after any simulated time. */
const VALIDITY = { notBefore: 0, notAfter: EXPIRES }
/** What a pool's labels say: any region, any zone. */
const GRANTS = new Map([
  ['region', '*'],
  ['zone', '*'],
])

/**
 * Who holds which keys in a simulated fleet: publishers that share all channels, one that needs two of three keys,
 * seeds that sign beacons; and the roots handed out so far.
 */
export class SimTrust {
  readonly fleetId: FleetId
  readonly freshness: readonly PrivateKey[]
  /** Every simulated host has this pool's key; it grants any region and zone. */
  readonly poolKey = keyNamed('pool')
  readonly poolEnvelope: Uint8Array
  /** Of version 1, 2, 3 …, as envelopes. */
  readonly roots: Uint8Array[] = []
  #root: TrustRoot
  readonly #rootKey = keyNamed('root')
  readonly #keys = new Map<Name, PrivateKey[]>([
    ['alpha' as Name, [keyNamed('publisher alpha')]],
    ['beta' as Name, [keyNamed('publisher beta')]],
    [VAULT_PUBLISHER, [1, 2, 3].map((n) => keyNamed(`publisher gamma ${n}`))],
  ])

  constructor(seeds: number) {
    this.freshness = Array.from({ length: seeds }, (_, at) => keyNamed(`freshness ${at}`))
    const admissionKey = keyNamed('admission')
    this.#root = firstRoot({
      expires: EXPIRES,
      rootKeys: [this.#rootKey.public],
      rootThreshold: 1,
      publishers: [...this.#keys].map(([name, keys]) => ({
        name,
        keys: keys.map((key) => key.public),
        threshold: name === VAULT_PUBLISHER ? 2 : 1,
        patterns: [(name === VAULT_PUBLISHER ? 'vault/**' : '**') as Pattern],
      })),
      admissionKeys: [admissionKey.public],
      freshnessKeys: this.freshness.map((key) => key.public),
      maxAgeS: MAX_AGE_S,
      maxSkewS: 60,
    })
    this.fleetId = sha256(this.#handOut()) as string as FleetId
    const pool = { name: 'hosts' as Name, key: this.poolKey.public, labels: GRANTS, ...VALIDITY }
    this.poolEnvelope = encodeEnvelope(issuePool(pool, admissionKey))
  }

  /** The root that nodes are configured with. */
  get rootEnvelope(): Uint8Array {
    return this.roots[0] as Uint8Array
  }

  get version(): number {
    return this.#root.version
  }

  /** As the publisher itself signs: with as many of its keys as are needed. */
  sign(publisher: Name, payload: Uint8Array): Envelope {
    const keys = this.#keys.get(publisher) ?? []
    return signEnvelope('release', payload, keys.slice(0, publisher === VAULT_PUBLISHER ? 2 : 1))
  }

  /** The next root, which takes no authority away. */
  renew(): void {
    this.#root = renew(this.#root, EXPIRES + this.#root.version * 1_000)
    this.#handOut()
  }

  /** The next root, with another key for this publisher: everything it may publish gets a new epoch. */
  replaceKey(publisher: Name): void {
    const old = this.#keys.get(publisher) ?? []
    const fresh = keyNamed(`publisher ${publisher} of root ${this.#root.version + 1}`)
    this.#root = changePublisherKeys(this.#root, publisher, {
      add: [fresh.public],
      remove: old.map((key) => key.id),
    })
    this.#keys.set(publisher, [fresh])
    this.#handOut()
  }

  #handOut(): Uint8Array {
    const payload = encodeRoot(this.#root)
    this.roots.push(encodeEnvelope(signEnvelope('root', payload, [this.#rootKey])))
    return payload
  }
}

/** The certificate chain of a host: signed with the pool's key, as the daemon does at its start. */
export function chainOf(trust: SimTrust, peer: PeerId, region: string, zone: string): readonly Uint8Array[] {
  const labels = new Map([
    ['region', region],
    ['zone', zone],
  ])
  const own = issueNodeCertificate({ peer, labels, ...VALIDITY }, trust.poolKey)
  return [encodeEnvelope(own), trust.poolEnvelope]
}
