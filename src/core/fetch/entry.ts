/**
 * Who brings a block into a region, and from where: pure functions that give the same answer to all who know the same
 * gateways. A release has up to a million blocks, so the hash is a mix of 32 bits and no SHA-256: digests are random
 * already, and nothing but the spread of load hangs on it.
 */
import { sha256 } from '../../codec/digest.ts'
import type { Digest, PeerId } from '../../model/ids.ts'

const utf8 = new TextEncoder()

/** The first 32 bits. */
const wordOf = (digest: string): number => Number.parseInt(digest.slice(0, 8), 16)

/** The finaliser of MurmurHash3 (Appleby, 2011). */
function mixed(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A region's gateways, ready to be asked for many blocks. */
export class Entrants {
  readonly peers: readonly PeerId[]
  readonly #words: readonly number[]

  constructor(peers: Iterable<PeerId>) {
    this.peers = [...new Set(peers)].sort()
    this.#words = this.peers.map((peer) => wordOf(sha256(utf8.encode(peer))))
  }

  /** The one that brings the block in, but for these: rendezvous hashing. Undefined: there is none. */
  fetcher(digest: Digest, except?: ReadonlySet<PeerId>): PeerId | undefined {
    const word = wordOf(digest)
    let best: PeerId | undefined
    let bestScore = -1
    for (const [at, peer] of this.peers.entries()) {
      const score = mixed(word ^ (this.#words[at] ?? 0))
      if (score <= bestScore || except?.has(peer)) continue
      best = peer
      bestScore = score
    }
    return best
  }

  /** How many would bring the block in before this one. */
  rank(digest: Digest, peer: PeerId): number {
    const at = this.peers.indexOf(peer)
    if (at < 0) return Number.POSITIVE_INFINITY
    const word = wordOf(digest)
    const own = mixed(word ^ (this.#words[at] ?? 0))
    return this.#words.filter((other) => mixed(word ^ other) > own).length
  }

  sameAs(peers: readonly PeerId[]): boolean {
    return (
      peers.length === this.peers.length && [...peers].sort().every((peer, at) => peer === this.peers[at])
    )
  }
}

/**
 * The regions but home, in the order in which they are fed: each block turns it differently.
 * @param regions sorted
 */
export function fedInTurn(
  digest: Digest,
  home: string | undefined,
  regions: readonly string[],
): readonly string[] {
  const others = regions.filter((one) => one !== home)
  const turn = wordOf(digest) % others.length
  return [...others.slice(turn), ...others.slice(0, turn)]
}

/**
 * The region from which a region gets the block: home feeds `exported` others, each of which feeds as many, in an
 * order that each block turns differently. Undefined for home, and where home is not among the regions.
 * @param regions sorted
 */
export function parentRegion(
  digest: Digest,
  region: string,
  home: string,
  regions: readonly string[],
  exported: number,
): string | undefined {
  const others = fedInTurn(digest, home, regions)
  const at = others.indexOf(region)
  if (at < 0) return undefined
  const parent = Math.floor(at / exported)
  return parent === 0 ? home : others[parent - 1]
}
