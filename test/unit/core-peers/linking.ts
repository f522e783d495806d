/** A node with its peers stage alone, and what others do to it. */
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { End } from '../../../src/core/peers/begun.ts'
import { createPeers, type Peers } from '../../../src/core/peers.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import type { PeerRecord } from '../../../src/model/peer-record.ts'
import { peerOfKey } from '../../../src/sim/keys.ts'
import { signedRecord } from '../../../src/sim/own-records.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { addressOf, Bench, FakeJudge, peer, requestOf } from './fakes.ts'

export interface Someone {
  readonly id: PeerId
  readonly key: PrivateKey
  record(more?: Partial<PeerRecord>): Uint8Array
}

/** Region in the certificate of a peer, where it is not the own one. */
export const certified = new Map<PeerId, string>()

export function someone(base: Partial<PeerRecord> = {}): Someone {
  const { key } = generatePrivateKey('ed25519')
  const id = peerOfKey(key)
  const plain = { at: 1, addresses: [addressOf(id)], region: 'eu', zone: 'a', ...base }
  return { id, key, record: (more = {}) => signedRecord(key, { ...plain, ...more }) }
}

export const SEED = someone({ submit: true })
export let bench: Bench
export let peers: Peers
export let judge: FakeJudge

export function start(
  more: ConstructorParameters<typeof Bench>[0] = {},
  remembered: readonly Uint8Array[] = [],
  refused: FakeJudge['refused'] = new Map(),
): Effect[] {
  bench = new Bench({ seeds: [addressOf(SEED.id)], ...more })
  judge = new FakeJudge()
  for (const [id, code] of refused) judge.refused.set(id, code)
  for (const [id, region] of certified) judge.admissions.set(id, { labels: new Map([['region', region]]) })
  peers = createPeers(bench.config, judge.judge, { late: () => [] })
  const snapshot = { ...EMPTY_SNAPSHOT, peers: remembered }
  return bench.run((step, journey) => peers.onStarted(step, journey, { kind: 'started', snapshot }))
}

export const tick = () => bench.run((step, journey) => peers.onTick(step, journey))
export const pass = (ms: number): Effect[] => {
  const all: Effect[] = []
  for (let left = ms; left > 0; left -= 250) {
    bench.pass(Math.min(left, 250))
    all.push(...tick())
  }
  return all
}
export { dialled as dials, hungUp } from './fakes.ts'
export const forgotten = (effects: readonly Effect[]): PeerId[] =>
  effects.flatMap((effect) => (effect.kind === 'forgetPeer' ? [effect.peer] : []))
export const remembered = (effects: readonly Effect[]): PeerId[] =>
  effects.flatMap((effect) => (effect.kind === 'rememberPeer' ? [effect.peer] : []))

export const admit = (
  id: PeerId,
  more: Parameters<Bench['link']>[1] = {},
  hello: Parameters<Bench['link']>[2] = {},
) => {
  bench.link(id, more, hello)
  return bench.run((step, journey) => peers.onAdmitted(step, journey, id))
}
export const lose = (id: PeerId) => {
  const session = bench.journey.links.get(id)
  bench.journey.links.delete(id)
  return bench.run((step, journey) =>
    peers.onDisconnected(step, journey, { kind: 'disconnected', peer: id }, session),
  )
}
/** Its connection ends before it is admitted: nobody had the time, one of the two does not admit the other, or it dialled. */
export const giveUp = (id: PeerId, why: End = 'unfinished') => {
  const direction = why === 'inbound' ? why : ('outbound' as const)
  const link = { peer: id, direction, address: addressOf(id), ownHost: false }
  return bench.run((step, journey) => {
    peers.onConnected(step, journey, { kind: 'connected', ...link })
    if (why === 'refused') peers.onRefused(step, journey, id, undefined)
    // Admission has forgotten the session by then.
    peers.onDisconnected(step, journey, { kind: 'disconnected', peer: id })
  })
}
/** It dialled at the same time, and that connection is the one that stays. */
export const cross = (id: PeerId) => {
  const link = { kind: 'connected', peer: id, address: addressOf(id), ownHost: false } as const
  bench.run((step, journey) => {
    peers.onConnected(step, journey, { ...link, direction: 'outbound' })
    peers.onDisconnected(step, journey, { kind: 'disconnected', peer: id, replaced: true })
    peers.onConnected(step, journey, { ...link, direction: 'inbound' })
  })
  return admit(id, { direction: 'inbound' })
}
export const idAt = (group: readonly Someone[], address: Address): PeerId =>
  group.find(({ id }) => addressOf(id) === address)?.id ?? peer('')
export const fail = (address: Address) =>
  bench.run((step, journey) => {
    peers.onDialFailed(step, journey, { kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
  })
export const asksPeers = (from: PeerId, records: readonly Uint8Array[]) =>
  bench.run((step, journey) => {
    const message = { type: 'peers', records } as const
    peers.onRequest(step, journey, requestOf(9, from, { protocol: 'sync', message }))
  })
