/**
 * Rendezvous hashing (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996): everybody who knows
 * the same peers names the same one for a key, and a peer that goes moves only what was its own.
 */
import { sha256 } from '../codec/digest.ts'
import type { PeerId } from '../model/ids.ts'

const utf8 = new TextEncoder()

/** Peers by their hash with the key, highest first. SHA-256 of distinct inputs: there are no ties. */
export function rank(key: string, peers: Iterable<PeerId>): PeerId[] {
  // A peer id has no space, so no two pairs share a text.
  const hashed = [...new Set(peers)].map((peer) => ({ peer, hash: sha256(utf8.encode(`${peer} ${key}`)) }))
  return hashed.sort((a, b) => (a.hash < b.hash ? 1 : -1)).map(({ peer }) => peer)
}
