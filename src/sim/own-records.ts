/** What a host of a model signs of itself. Models and tests say only what matters to them; the rest is filled in. */
import type { Stopgap } from '../model/heartbeat.ts'
import type { Name, Pattern } from '../model/ids.ts'
import type { PeerRecord } from '../model/peer-record.ts'
import { signHeartbeat } from '../trust/heartbeat.ts'
import { signPeerRecord } from '../trust/peer-record.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { peerOfKey } from './keys.ts'
import { addressOf } from './network.ts'
import { EPOCH_MS } from './time.ts'

/** It stores every channel and takes no submissions, at one address and in no region, unless said otherwise. */
export function recordOf(key: PrivateKey, more: Partial<PeerRecord> = {}): PeerRecord {
  const peer = peerOfKey(key)
  const place = { at: EPOCH_MS, addresses: [addressOf(peer)], region: '', zone: '' }
  const rest = { patterns: ['**' as Pattern], submit: false, chain: [] }
  return { v: 1, critical: [], peer, ...place, ...rest, ...more }
}

export const signedRecord = (key: PrivateKey, more?: Partial<PeerRecord>): Uint8Array =>
  signPeerRecord(recordOf(key, more), key)

/** The word of a host that it lives, as its core wants it signed. */
export function heartbeatsOf(
  key: PrivateKey,
  region: Name,
  chain: readonly Uint8Array[],
): (at: number, stopgap?: Stopgap) => Uint8Array {
  const peer = peerOfKey(key)
  const own = { v: 1, critical: [], peer, region, addresses: [addressOf(peer)], chain } as const
  return (at, stopgap) => signHeartbeat({ ...own, at, ...(stopgap && { stopgap }) }, key)
}
