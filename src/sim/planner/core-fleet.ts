/** The product's own state machines for a simulated fleet: one core a node, with its keys, certificate and labels. */
import { createNode, type NodeCore } from '../../core/node.ts'
import { LIMITS } from '../../limits.ts'
import type { Channel, Name, Pattern, PeerId } from '../../model/ids.ts'
import { type Made, makeRelease } from '../fleet.ts'
import { keyNamed, peerOfKey } from '../keys.ts'
import { addressOf } from '../network.ts'
import { heartbeatsOf, signedRecord } from '../own-records.ts'
import { stream } from '../random.ts'
import { EPOCH_MS } from '../time.ts'
import { chainOf, SimTrust } from '../trust.ts'
import { type Fleet, ORIGIN } from './fleet.ts'
import type { Question } from './question.ts'

/** Long enough up for everyone to stand as a gateway. */
export const UPTIME_MS = 700_000

export interface CoreNode {
  readonly at: number
  readonly peer: PeerId
  readonly core: NodeCore
}

export function buildCores(
  fleet: Fleet,
  { regions, seed }: Question,
): { trust: SimTrust; nodes: readonly CoreNode[] } {
  const trust = new SimTrust(1)
  const nodes = Array.from({ length: fleet.size }, (_, at) =>
    buildCore(
      trust,
      at,
      regions.names[fleet.regionOf[at] as number] as Name,
      `z${fleet.zoneOf[at]}` as Name,
      seed,
    ),
  )
  return { trust, nodes }
}

const keyOf = (at: number) => keyNamed(`fleet node ${at}`)

function buildCore(trust: SimTrust, at: number, region: Name, zone: Name, seed: number): CoreNode {
  const key = keyOf(at)
  const peer = peerOfKey(key)
  const patterns = ['**' as Pattern]
  const submit = at === ORIGIN
  const chain = chainOf(trust, peer, region, zone)
  const record = signedRecord(key, { region, zone, submit, chain })
  const [freshness] = trust.freshness
  const core = createNode({
    ...{ self: peer, root: trust.rootEnvelope, patterns, region, zone, submit },
    chain: () => chain,
    seeds: submit ? [] : [addressOf(peerOfKey(keyOf(ORIGIN)))],
    ...(submit && freshness !== undefined
      ? { signBeacon: { key: freshness.id, sign: (data: Uint8Array) => freshness.sign(data) } }
      : {}),
    peerRecord: () => record,
    // The origin never stands, as the abstract model has it: it is no gateway.
    ...(submit ? {} : { signHeartbeat: heartbeatsOf(key, region, chain) }),
    ...{ keepReleases: 3, soakMs: 0, materialize: false, limits: LIMITS },
    random: stream(seed, 'fleet node', at),
  })
  return { at, peer, core }
}

/** A release with one file of so many bytes, no two blocks of which are the same. */
export function releaseOf(trust: SimTrust, bytes: number, blockBytes: number): Made {
  const publisher = 'alpha' as Name
  const order = {
    ...{ fleetId: trust.fleetId, root: trust.version, channel: 'app/config' as Channel },
    ...{ publisher, clock: new Map([[publisher, 1]]), message: '', created: EPOCH_MS },
    files: new Map([['app.conf', contentOf(bytes, blockBytes)]]),
  }
  return makeRelease(order, (payload) => trust.sign(publisher, payload), blockBytes)
}

function contentOf(bytes: number, blockBytes: number): Buffer {
  const content = Buffer.alloc(bytes, 'configuration ')
  for (let at = 0; at + 4 <= bytes; at += blockBytes) content.writeUInt32BE(at, at)
  return content
}
