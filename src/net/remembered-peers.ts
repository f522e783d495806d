/** Signed records of peers, kept in libp2p's peer store beside their addresses, for the next start. */
import type { PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromCID, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { LevelDatastore } from 'datastore-level'
import type { Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodePeerRecord } from '../codec/peer-record.ts'
import type { Limits } from '../limits.ts'
import type { EffectOf, LogPort } from '../runtime/ports.ts'

const METADATA_KEY = 'confmesh-record'
/** Before each peer's id in the peer store (`@libp2p/peer-store` 12.0.28). No contract of theirs. */
const PEERS = '/peers/'

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

/** What libp2p's peer store lies in. */
export interface PeersOnDisk {
  readonly node: Pick<Libp2p, 'peerStore'>
  readonly datastore: Pick<LevelDatastore, 'queryKeys' | 'delete'>
}

/**
 * Records not older than the peer store keeps them, at most `maxKnownPeers`. One that is damaged makes all unreadable to
 * libp2p: it is dropped. A node without any still has its seeds.
 */
export async function rememberedPeers(
  peers: PeersOnDisk,
  limits: Limits,
  log: LogPort,
): Promise<readonly Uint8Array[]> {
  const tell = (text: string) => log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text })
  try {
    return await recordsIn(peers.node, limits)
  } catch (error) {
    tell(`the peer store is damaged: ${(error as Error).message}; what cannot be read of it is dropped`)
  }
  try {
    await dropUnreadable(peers)
    return await recordsIn(peers.node, limits)
  } catch (error) {
    const reason = (error as Error).message
    tell(
      `no peer is remembered: ${reason}; to mend it, stop the node and remove the folder peers of its data`,
    )
    return []
  }
}

async function recordsIn({ peerStore }: PeersOnDisk['node'], limits: Limits): Promise<readonly Uint8Array[]> {
  const peers = await peerStore.all()
  const records = peers.flatMap(({ metadata }) => metadata.get(METADATA_KEY) ?? [])
  return records.slice(0, limits.maxKnownPeers)
}

async function dropUnreadable({ node, datastore }: PeersOnDisk): Promise<void> {
  for await (const key of datastore.queryKeys({ prefix: PEERS })) {
    try {
      await node.peerStore.get(peerIdFromCID(CID.parse(key.toString().slice(PEERS.length))))
    } catch (error) {
      // it has aged meanwhile, or gone
      if ((error as Error).name !== 'NotFoundError') await datastore.delete(key)
    }
  }
}
