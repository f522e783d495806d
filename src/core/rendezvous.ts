/**
 * Rendezvous hashing (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996): everybody who knows
 * the same peers names the same one for a key, and a peer that goes moves only what was its own.
 */
import { sha256 } from '../codec/digest.ts'
import type { PeerId } from '../model/ids.ts'

const utf8 = new TextEncoder()

/** Hash of a pair, as hex digits: the higher one ranks first. SHA-256 of distinct inputs: there are no ties. */
// A peer id has no space, so no two pairs share a text.
export const weight = (key: string, peer: PeerId): string => sha256(utf8.encode(`${peer} ${key}`))

/** Peers by their hash with the key, highest first. */
export function rank(key: string, peers: Iterable<PeerId>): PeerId[] {
  const hashed = [...new Set(peers)].map((peer) => ({ peer, weight: weight(key, peer) }))
  return hashed.sort((a, b) => (a.weight < b.weight ? 1 : -1)).map(({ peer }) => peer)
}
