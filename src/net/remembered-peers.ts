/** Signed records of peers, kept in libp2p's peer store beside their addresses, for the next start. */
import type { PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodePeerRecord } from '../codec/peer-record.ts'
import type { Limits } from '../limits.ts'
import type { EffectOf, LogPort } from '../runtime/ports.ts'

const METADATA_KEY = 'confmesh-record'

/** @throws whatever the peer store or the codec throws; the record was verified by the core */
export async function rememberPeer(
  node: Libp2p,
  effect: EffectOf<'rememberPeer'>,
  limits: Limits,
): Promise<void> {
  const envelope = decodeEnvelope(effect.record, limits.maxPeerRecordBytes, limits)
  const { addresses } = decodePeerRecord(envelope.payload, limits)
  await node.peerStore.merge(peerIdFromString(effect.peer), {
    multiaddrs: addresses.map((address) => multiaddr(address)),
    metadata: { [METADATA_KEY]: effect.record },
  })
}

/** Ours, and no word of libp2p's own. */
export const holdsRecord = ({ metadata = {} }: PeerData): boolean => METADATA_KEY in metadata

/**
 * libp2p writes down every peer that ever opened a stream, for a week: identities are free, so a stranger could fill
 * the disk. One that was not admitted is forgotten with its connection, unless a record of it is kept.
 */
export async function forgetStranger(
  { peerStore }: Pick<Libp2p, 'peerStore'>,
  peer: PeerId,
  log: LogPort,
): Promise<void> {
  try {
    const { metadata } = await peerStore.get(peer).catch(() => ({ metadata: new Map() }))
    if (!metadata.has(METADATA_KEY)) await peerStore.delete(peer)
  } catch (error) {
    const text = `a peer that was not admitted stays in the peer store: ${(error as Error).message}`
    log.note({ kind: 'note', level: 'debug', code: 'STORE_FAILED', text })
  }
}

/** Records not older than the peer store keeps them, at most `maxKnownPeers`. */
export async function rememberedPeers(node: Libp2p, limits: Limits): Promise<readonly Uint8Array[]> {
  const peers = await node.peerStore.all()
  const records = peers.flatMap(({ metadata }) => metadata.get(METADATA_KEY) ?? [])
  return records.slice(0, limits.maxKnownPeers)
}
