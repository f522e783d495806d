/** A small fleet around one core: its trust, its members, its releases. Keys are the same in every run, so a seed is a sequence. */
import { encodeBeacon, encodeBeaconPage } from '../../src/codec/beacon.ts'
import { encode } from '../../src/codec/cbor.ts'
import { channelHash, sha256 } from '../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeControlGossip, encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Channel, Digest, Name, PeerId } from '../../src/model/ids.ts'
import { filesOf, type Made, makeRelease } from '../../src/sim/fleet.ts'
import { keyNamed, peerOfKey } from '../../src/sim/keys.ts'
import { heartbeatsOf, signedRecord } from '../../src/sim/own-records.ts'
import { stream } from '../../src/sim/random.ts'
import { EPOCH_MS } from '../../src/sim/time.ts'
import { chainOf, SimTrust } from '../../src/sim/trust.ts'
import type { PrivateKey } from '../../src/trust/private-key.ts'
import { signEnvelope } from '../../src/trust/signing.ts'

const trust = new SimTrust(2)
const [ownKey, seedKey] = trust.freshness as [PrivateKey, PrivateKey]
export const signBeacon = { key: ownKey.id, sign: (data: Uint8Array) => ownKey.sign(data) }

export interface Member {
  readonly id: PeerId
  readonly region: Name
  readonly submit: boolean
  readonly chain: readonly Uint8Array[]
  readonly record: Uint8Array
  heartbeat(at: number): Uint8Array
}

/** A signature costs more than the rest of a step: a heartbeat is said again for so long. */
const HEARTBEAT_MS = 3_000

function member(name: string, region: string, more: { submit?: boolean; certified?: boolean } = {}): Member {
  const { submit = false, certified = true } = more
  const key = keyNamed(`fuzz ${name}`)
  const id = peerOfKey(key)
  const chain = certified ? chainOf(trust, id, region, 'a') : []
  const sign = heartbeatsOf(key, region as Name, chain)
  let last: { at: number; bytes: Uint8Array } = { at: 0, bytes: new Uint8Array() }
  return {
    ...{ id, region: region as Name, submit, chain },
    record: signedRecord(key, { region, zone: 'a', submit, chain }),
    heartbeat(at) {
      const whole = at - (at % HEARTBEAT_MS)
      if (last.at !== whole) last = { at: whole, bytes: sign(whole) }
      return last.bytes
    },
  }
}

export const SELF = member('self', 'eu')
/** Near, a seed, of another region, and one whom nobody gave a certificate. */
export const MEMBERS: readonly Member[] = [
  member('near', 'eu'),
  member('seed', 'eu', { submit: true }),
  member('far', 'us'),
  member('stranger', 'eu', { certified: false }),
]

const random = stream(1, 'fuzz')

function release(channel: string, publisher: string, counter: number, bytes = 64, root = 1): Made {
  const order = {
    ...{ fleetId: trust.fleetId, root, message: '', created: EPOCH_MS },
    channel: channel as Channel,
    publisher: publisher as Name,
    clock: new Map([[publisher as Name, counter]]),
    files: filesOf(random, bytes),
  }
  return makeRelease(order, (payload) => trust.sign(order.publisher, payload))
}

/** Beyond what travels with an announcement. */
const LARGE_BYTES = 3 * LIMITS.maxInlineBytes
const before = [
  release('app/web', 'alpha', 1),
  release('app/web', 'alpha', 2, LARGE_BYTES),
  release('app/web', 'beta', 3),
  release('app/web', 'beta', 3), // the same place
  release('app/db', 'alpha', 1, LARGE_BYTES),
  release('vault/one', 'gamma', 1),
]
// The members know two roots more than the core is configured with; the second ends an epoch of every channel.
trust.renew()
trust.replaceKey('alpha' as Name)
export const ROOTS: readonly Uint8Array[] = trust.roots
export const ROOT_DIGESTS = ROOTS.map((root) =>
  sha256(decodeEnvelope(root, LIMITS.maxRootBytes, LIMITS).payload),
)
export const RELEASES: readonly Made[] = [...before, release('app/web', 'alpha', 4, 64, ROOTS.length)]

const listed = [before[0] as Made, before[4] as Made]
const beaconPage = encodeBeaconPage(
  listed
    .map(({ id, header: { channel, publisher } }) => ({
      channel: channelHash(channel),
      top: { epoch: 1, counter: 1, publisher },
      target: id,
    }))
    .sort((a, b) => (a.channel < b.channel ? -1 : 1)),
)
/** Every page and block of a release or beacon. */
export const CONTENT: ReadonlyMap<Digest, Uint8Array> = new Map([
  ...RELEASES.flatMap(({ content }) => [...content]),
  [sha256(beaconPage), beaconPage],
])

export const MARKS = [0, 20_000, 60_000].map((later) => ({ key: seedKey.id, at: EPOCH_MS + later }))
export const BEACONS = MARKS.map(({ key, at }) => {
  const said = { fleet: trust.fleetId, root: 1, key, at, pages: [sha256(beaconPage)] }
  return encodeEnvelope(signEnvelope('beacon', encodeBeacon({ v: 1, critical: [], ...said }), [seedKey]))
})

/** Of a build that knows more than this one. */
const newer = encode({ v: 2, type: 'beacon', envelope: BEACONS[0] })

/** What goes round on the topics, but for heartbeats. */
export const GOSSIP = {
  releases: RELEASES.map(({ envelope, content }) => {
    const attached = [...content.values()]
    const small = attached.every(({ length }) => length < LIMITS.maxInlineBytes)
    return encodeReleaseGossip({ envelope, attached: small ? attached : [] })
  }),
  control: [
    ...BEACONS.map((envelope) => encodeControlGossip({ kind: 'beacon', envelope })),
    ...ROOTS.slice(1).map((envelope) => encodeControlGossip({ kind: 'root', envelope })),
    newer,
  ],
}
