/** Signed records of peers, kept in libp2p's peer store beside their addresses, for the next start. */
import type { AbortOptions, PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromCID, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { LevelDatastore } from 'datastore-level'
import type { Libp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { decodeCertificate } from '../codec/certificate.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodePeerRecord } from '../codec/peer-record.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { EffectOf, LogPort } from '../runtime/ports.ts'
import { openPeerRecord } from '../trust/peer-record.ts'

const METADATA_KEY = 'confmesh-record'
/** Before each peer's id in the peer store (`@libp2p/peer-store` 12.0.28). No contract of theirs. */
const PEERS = '/peers/'

/** Asks the peer store for what was written of a peer, and not for what is known of it beside that (`peer-writes.ts`). */
export const ON_DISK: AbortOptions = {}

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

/** The core knows it no more; what libp2p wrote of one that is connected goes at the end of its connection. */
export async function forgetPeer(node: Libp2p, { peer }: EffectOf<'forgetPeer'>): Promise<void> {
  const id = peerIdFromString(peer)
  if (node.getConnections(id).length === 0) await node.peerStore.delete(id)
  else await node.peerStore.merge(id, { metadata: { [METADATA_KEY]: undefined } })
}

/** Ours, and no word of libp2p's own. */
export const holdsRecord = ({ metadata = {} }: PeerData): boolean => METADATA_KEY in metadata

/**
 * libp2p writes down every peer that ever opened a stream, and keeps it for years: identities are free, and whoever has a
 * pool's key makes as many that are admitted, so that either could fill the disk. Each is forgotten with its connection,
 * unless a record of it is kept: of those the core bounds the number.
 */
export async function forgetGone(
  { peerStore }: Pick<Libp2p, 'peerStore'>,
  peer: PeerId,
  log: LogPort,
): Promise<void> {
  try {
    const found = await peerStore.get(peer, ON_DISK).catch(unlessFound)
    if (found?.metadata.has(METADATA_KEY) === false) await peerStore.delete(peer)
  } catch (error) {
    const text = `a peer that is gone stays in the peer store: ${(error as Error).message}`
    log.note({ kind: 'note', level: 'debug', code: 'STORE_FAILED', text })
  }
}

/** What libp2p's peer store lies in. */
export interface PeersOnDisk {
  readonly node: Pick<Libp2p, 'peerStore' | 'peerId' | 'getConnections'>
  readonly datastore: Pick<LevelDatastore, 'queryKeys' | 'delete'>
}

interface Remembered {
  readonly id: PeerId
  readonly record: Uint8Array
  /** When it was signed; what is dated ahead of its time is no newer than now. */
  readonly at: number
  /** A certificate of its peer has: nobody admits it, unless it is this clock that is ahead. */
  readonly hasEnded: boolean
}

/** What is in the peer store. */
interface Found {
  readonly records: readonly Remembered[]
  readonly damage: string | undefined
  /** Why something could not be removed. */
  readonly stays: string | undefined
}

/**
 * The newest `maxKnownPeers` records, newest first, those that have ended behind all others; what else the store holds, of
 * peers that are not connected, goes. One that is damaged would make all unreadable to libp2p. A node without any still has
 * its seeds.
 */
export async function rememberedPeers(
  peers: PeersOnDisk,
  limits: Limits,
  log: LogPort,
): Promise<readonly Uint8Array[]> {
  const tell = (text: string, level: 'warn' | 'debug' = 'warn') =>
    log.note({ kind: 'note', level, code: 'STORE_FAILED', text })
  try {
    const { records, damage, stays } = await recordsIn(peers, limits)
    if (damage !== undefined)
      tell(`the peer store is damaged: ${damage}; what cannot be read of it is dropped`)
    if (stays !== undefined) tell(`what is not remembered stays in the peer store: ${stays}`, 'debug')
    return records.map(({ record }) => record)
  } catch (error) {
    const reason = (error as Error).message
    tell(
      `no peer is remembered: ${reason}; to mend it, stop the node and remove the folder peers of its data`,
    )
    return []
  }
}

/** One at a time: an earlier build kept every peer that was ever admitted, more than memory holds. */
async function recordsIn({ node, datastore }: PeersOnDisk, limits: Limits): Promise<Found> {
  const most = limits.maxKnownPeers
  let records: Remembered[] = []
  let damage: string | undefined
  let stays: string | undefined
  const remove = async (removed: () => Promise<void>) => {
    try {
      await removed()
    } catch (error) {
      stays ??= (error as Error).message
    }
  }
  const cut = async () => {
    records.sort((a, b) => Number(a.hasEnded) - Number(b.hasEnded) || b.at - a.at)
    for (const { id } of records.slice(most)) await remove(() => node.peerStore.delete(id))
    records = records.slice(0, most)
  }
  for await (const key of datastore.queryKeys({ prefix: PEERS })) {
    try {
      const id = peerIdFromCID(CID.parse(key.toString().slice(PEERS.length)))
      const found = await remembered(node, id, limits)
      if (found !== undefined) records.push(found)
      else if (!id.equals(node.peerId) && node.getConnections(id).length === 0)
        await remove(() => node.peerStore.delete(id))
    } catch (error) {
      // A newer build has left it, and will know it again.
      if (isMeshError(error) && error.code === 'CODEC_UNSUPPORTED') continue
      damage ??= (error as Error).message
      await remove(() => datastore.delete(key))
    }
    if (records.length >= 2 * most) await cut()
  }
  await cut()
  return { records, damage, stays }
}

/** @throws what is damaged of it */
async function remembered(
  { peerStore }: PeersOnDisk['node'],
  id: PeerId,
  limits: Limits,
): Promise<Remembered | undefined> {
  const peer = await peerStore.get(id, ON_DISK).catch(unlessFound)
  const record = peer?.metadata.get(METADATA_KEY)
  if (record === undefined) return undefined
  const { at, chain } = openPeerRecord(record, limits)
  const nowMs = Date.now()
  const hasEnded = chain.some((link) => endOf(link, limits) < nowMs - limits.admitSkewMs)
  return { id, record, at: Math.min(at, nowMs), hasEnded }
}

/** It has aged meanwhile, or gone. @throws what else keeps it from being read */
function unlessFound(error: Error): undefined {
  if (error.name !== 'NotFoundError') throw error
}

function endOf(certificate: Uint8Array, limits: Limits): number {
  const { payload } = decodeEnvelope(certificate, limits.maxCertificateBytes, limits)
  return decodeCertificate(payload, limits).notAfter
}
