/** Who has said to have what of which release: of those that are being fetched, and of others that may be in a moment. */
import type { Limits } from '../../limits.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import { Holders, type Holding, type Known, NOBODY } from '../holders.ts'
import { LatestMap } from '../latest.ts'

/** Releases of which announcements are remembered that are not being fetched: one may come before the envelope does. */
export const MAX_RELEASES = 1_024
/**
 * Announcements of single blocks that are remembered, of all peers: a bitmap each, and two for what one and what several
 * have. A seed has 500 peers, and of releases under way few.
 */
export const MAX_PARTS = 1_024
/**
 * Lies that are remembered, of all releases: one that has lied about each that may be under way (`maxChannels`) pushes nobody
 * out. Who comes back under ever new names, to lie about a release that is fetched for weeks, would fill the memory.
 */
export const MAX_LIES = 32_768

export class Announcements {
  readonly #limits: Limits
  /** What is being fetched: in a fleet of very many channels far more than that, and what is said of one is of use in its turn. */
  readonly #fetched = new Map<ReleaseId, Holders>()
  readonly #others = new LatestMap<ReleaseId, Holders>(MAX_RELEASES)
  /** Releases of which a peer announced single places, the latest last: a bitmap each. */
  readonly #inPart = new Map<PeerId, Set<ReleaseId>>()
  #parts = 0
  /** Who gave wrong bytes of what, the latest last. */
  readonly #lies: (readonly [ReleaseId, PeerId])[] = []

  constructor(limits: Limits) {
    this.#limits = limits
  }

  of(release: ReleaseId): Known {
    return this.#find(release) ?? NOBODY
  }

  began(release: ReleaseId): void {
    this.#fetched.set(release, this.#noted(release))
    this.#others.delete(release)
  }

  ended(release: ReleaseId): void {
    const holders = this.#fetched.get(release)
    if (holders === undefined) return
    this.#fetched.delete(release)
    this.#others.set(release, holders)
  }

  /** @param counts whose word does: others make room */
  takes(release: ReleaseId, peer: PeerId, holding: Holding, counts: (peer: PeerId) => boolean): void {
    this.#noted(release).takes(peer, holding, counts)
    if (!holding.whole) this.#notePart(release, peer)
  }

  gave(release: ReleaseId, peer: PeerId): void {
    this.#noted(release).gave(peer)
  }

  lied(release: ReleaseId, peer: PeerId): void {
    if (this.#noted(release).lied(peer)) this.#lies.push([release, peer])
    if (this.#lies.length <= MAX_LIES) return
    const [of, liar] = this.#lies.shift() ?? [release, peer]
    this.#find(of)?.forgive(liar)
  }

  /** @returns true if it had announced something that it lacks */
  lacks(release: ReleaseId, peer: PeerId, place?: number): boolean {
    return this.#find(release)?.lacks(peer, place) === true
  }

  forgetPeer(peer: PeerId): void {
    this.#parts -= this.#inPart.get(peer)?.size ?? 0
    this.#inPart.delete(peer)
    for (const holders of this.#fetched.values()) holders.forget(peer)
    for (const holders of this.#others.values()) holders.forget(peer)
  }

  #find(release: ReleaseId): Holders | undefined {
    const fetched = this.#fetched.get(release)
    if (fetched !== undefined) return fetched
    const other = this.#others.get(release)
    // Used, not only new: what is offered on must outlive a flood of announcements of what does not exist.
    if (other !== undefined) this.#others.set(release, other)
    return other
  }

  #noted(release: ReleaseId): Holders {
    const known = this.#find(release)
    if (known !== undefined) return known
    const holders = new Holders()
    this.#others.set(release, holders)
    return holders
  }

  /** What a peer says of releases nobody knows must not fill the memory. */
  #notePart(release: ReleaseId, peer: PeerId): void {
    const noted = this.#inPart.get(peer) ?? new Set()
    this.#inPart.set(peer, noted)
    if (!noted.delete(release)) this.#parts += 1
    noted.add(release)
    if (noted.size > this.#limits.maxAnnouncedInPart) this.#forgetPart(peer, noted)
    if (this.#parts <= MAX_PARTS) return
    let most: [PeerId, Set<ReleaseId>] = [peer, noted]
    for (const each of this.#inPart) if (each[1].size > most[1].size) most = each
    this.#forgetPart(...most)
  }

  #forgetPart(peer: PeerId, noted: Set<ReleaseId>): void {
    for (const oldest of noted) {
      noted.delete(oldest)
      this.#parts -= 1
      this.#find(oldest)?.forgetPlaces(peer)
      return
    }
  }
}
