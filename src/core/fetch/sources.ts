/** Peers as sources of blocks: what each announced of each release, how much it is asked for, when it may be asked again. */
import type { Limits } from '../../limits.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import { Holders, type Holding, isNothing, type Known, NOBODY } from '../holders.ts'
import { LatestMap } from '../latest.ts'
import type { Asked } from './wants.ts'

/** Releases of which announcements are remembered that are not being fetched: one may come before the envelope does. */
export const MAX_RELEASES = 1_024
/**
 * Announcements of single blocks that are remembered, of all peers: a bitmap each, and two for what one and what several
 * have. A seed has 500 peers, and of releases under way few.
 */
export const MAX_PARTS = 1_024
/** The longest a peer without the content is left alone; it announces when it has it. */
const MAX_AVOID_MS = 10_000
/** So many times in a row a peer may be too busy for what it announced before this node waits for it no more. */
export const MAX_BUSY = 4
/** Of `avoidPeerMs`, which a gateway may ask for: half as long again by chance. */
const MAX_PUT_OFF = 1.5
/** And so often a seed near may lack what it is asked for before far ones are asked: for 750 ms it may have yet to hear of the release. */
export const MAX_LACKED = 4
/** And for so long it may be busy with nothing to give: at 2 Mbit/s ten gateways that ask it have a block each by then. */
const MAX_BUSY_MS = 10_000

interface Lacking {
  readonly saidMonoMs: number
  readonly times: number
  readonly ms: number
}

export class Sources {
  readonly #limits: Limits
  /** What is being fetched: in a fleet of very many channels far more than that, and what is said of one is of use in its turn. */
  readonly #fetched = new Map<ReleaseId, Holders>()
  readonly #others = new LatestMap<ReleaseId, Holders>(MAX_RELEASES)
  /** Releases of which a peer announced single places, the latest last: a bitmap each. */
  readonly #inPart = new Map<PeerId, Set<ReleaseId>>()
  #parts = 0
  readonly #avoided = new Map<PeerId, number>()
  readonly #load = new Map<PeerId, number>()
  /** Since when each has answered nothing, of those that are asked for something. */
  readonly #owesSince = new Map<PeerId, number>()
  /** How often in a row a peer was too busy; silent, or without what it announced, counts as all of them at once. */
  readonly #vain = new Map<PeerId, number>()
  readonly #proven = new Set<PeerId>()
  /** How long a peer is left alone after its next silence. */
  readonly #silent = new Map<PeerId, number>()
  /** Silent, and not a word about blocks from it since. */
  readonly #mute = new Set<PeerId>()
  /** Peers that lacked what they were asked for: when each said so last, how often in a row, and how long it is left alone. */
  readonly #lacking = new Map<PeerId, Lacking>()
  /** Announced what they lacked, and gave nothing since. */
  readonly #false = new Set<PeerId>()
  /** When each said first and last that it is busy, of those that gave nothing since. */
  readonly #busy = new Map<PeerId, { readonly sinceMonoMs: number; readonly lastMonoMs: number }>()
  /** Over a border, and the last word of each. */
  readonly #tooBusy = new Set<PeerId>()

  /**
   * Its announcements count: it was not asked in vain before. One peer that announces everything and gives nothing must
   * not keep a block out; whoever would bring it in, or ask elsewhere, does not wait for that one.
   */
  readonly counts = (peer: PeerId): boolean => (this.#vain.get(peer) ?? 0) < MAX_BUSY
  /** And it gave a block before: saying that one has everything costs nothing. */
  readonly isProven = (peer: PeerId): boolean => this.#proven.has(peer) && this.counts(peer)

  /** Busy it may be, but it was neither silent nor without what it was asked for since it gave something. */
  answers(peer: PeerId): boolean {
    return !this.#silent.has(peer) && !this.#lacking.has(peer)
  }

  /** It is left alone for having too much to do for now. */
  isOnlyBusy(peer: PeerId, monoMs: number): boolean {
    return this.#tooBusy.has(peer) && this.#isBriefly(peer, monoMs)
  }

  /** It was silent, or announced what it lacked, and gave nothing since: its part is for whoever comes next. */
  fails(peer: PeerId): boolean {
    return this.#silent.has(peer) || this.#false.has(peer)
  }

  /** Neither was it silent, nor lacked it what it was asked for again and again, nor was it busy all the time, since it gave something. */
  isAwaited(peer: PeerId, monoMs: number): boolean {
    if (this.#silent.has(peer) || (this.#lacking.get(peer)?.times ?? 0) >= MAX_LACKED) return false
    const busy = this.#busy.get(peer)
    const busyMs = busy === undefined ? 0 : busy.lastMonoMs - busy.sinceMonoMs
    return busyMs < MAX_BUSY_MS && this.#isBriefly(peer, monoMs)
  }

  /** It is left alone for no longer than an honest one may ask for. */
  #isBriefly(peer: PeerId, monoMs: number): boolean {
    return (this.#avoided.get(peer) ?? 0) - monoMs <= MAX_PUT_OFF * this.#limits.avoidPeerMs
  }

  /** Dead, as far as one can tell: whoever is only slow still says what it has. */
  isMute(peer: PeerId): boolean {
    return this.#mute.has(peer)
  }

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Who has what of it, to be looked at. */
  of(release: ReleaseId): Known {
    return this.#find(release) ?? NOBODY
  }

  /** What is said of it is kept until the fetch ends. */
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

  announced(release: ReleaseId, peer: PeerId, holding: Holding): void {
    this.#mute.delete(peer)
    if (isNothing(holding)) return
    this.#noted(release).takes(peer, holding, this.counts)
    if (!holding.whole) this.#notePart(release, peer)
    if (!this.#lacking.delete(peer)) return
    this.#avoided.delete(peer)
  }

  gave(release: ReleaseId, peer: PeerId): void {
    this.#noted(release).gave(peer)
    this.#proven.add(peer)
    this.brokeSilence(peer)
    this.#false.delete(peer)
  }

  /** A seed gives a block, or somebody over a border, whose word nobody relies on all the same. */
  brokeSilence(peer: PeerId): void {
    this.#mute.delete(peer)
    this.#vain.delete(peer)
    this.#silent.delete(peer)
    this.#lacking.delete(peer)
    this.#busy.delete(peer)
  }

  /** It gave wrong bytes of it. */
  lied(release: ReleaseId, peer: PeerId): void {
    this.#noted(release).lied(peer)
  }

  /**
   * It said that it lacks what it was asked for: its word counts no longer, and it is asked later, each time more so: a
   * neighbour will announce what it gets, and two gateways over a border that are asked in turn have to be left alone at the
   * same time for a seed to be asked. A seed announces nothing, and may have it any moment.
   */
  lacks(
    { release, peer, sinceMonoMs, seed }: Pick<Asked, 'release' | 'peer' | 'sinceMonoMs' | 'seed'>,
    monoMs: number,
    place?: number,
  ): void {
    if (this.#find(release)?.lacks(peer, place) === true) {
      this.#vain.set(peer, MAX_BUSY)
      this.#false.add(peer)
    }
    this.#tooBusy.delete(peer)
    const last = this.#lacking.get(peer)
    // What it was asked for before it said so last tells nothing new.
    if (last !== undefined && sinceMonoMs <= last.saidMonoMs) return
    const leastMs = this.#limits.avoidPeerMs / 4
    const ms = seed ? leastMs : Math.min(MAX_AVOID_MS, 2 * (last?.ms ?? leastMs / 2))
    this.#lacking.set(peer, { saidMonoMs: monoMs, times: (last?.times ?? 0) + 1, ms })
    this.avoid(peer, monoMs + ms)
  }

  busy(peer: PeerId, untilMonoMs: number, monoMs: number): void {
    this.#mute.delete(peer)
    const before = this.#busy.get(peer)
    // Long ago it was another time.
    const isOn =
      before !== undefined &&
      monoMs - before.lastMonoMs <= MAX_PUT_OFF * this.#limits.avoidPeerMs + this.#limits.blockSilenceMs
    this.#busy.set(peer, { sinceMonoMs: isOn ? before.sinceMonoMs : monoMs, lastMonoMs: monoMs })
    this.#vain.set(peer, (this.#vain.get(peer) ?? 0) + 1)
    this.avoid(peer, untilMonoMs)
  }

  /** Over a border: all that stands there is put off at once, which is the one time. */
  putOff(peer: PeerId, untilMonoMs: number, monoMs: number): void {
    this.#mute.delete(peer)
    if (this.isAvoided(peer, monoMs)) return this.avoid(peer, untilMonoMs)
    this.#tooBusy.add(peer)
    this.busy(peer, untilMonoMs, monoMs)
  }

  /** It is left alone for a while, each time longer until it gives something. */
  silent(peer: PeerId, monoMs: number): void {
    this.#tooBusy.delete(peer)
    const delayMs = this.#silent.get(peer) ?? this.#limits.avoidPeerMs
    this.#silent.set(peer, Math.min(MAX_AVOID_MS, delayMs * 2))
    this.#vain.set(peer, MAX_BUSY)
    this.#mute.add(peer)
    this.avoid(peer, monoMs + delayMs)
  }

  /** What it was asked for takes long: nobody relies on its word until it gives something. */
  doubt(peer: PeerId): void {
    this.#vain.set(peer, MAX_BUSY)
  }

  avoid(peer: PeerId, untilMonoMs: number): void {
    this.#avoided.set(peer, Math.max(untilMonoMs, this.#avoided.get(peer) ?? 0))
  }

  /** Fewer blocks are under way from it than `most`, and it is not left alone. */
  isFree(peer: PeerId, most: number, monoMs: number): boolean {
    return this.load(peer) < most && !this.isAvoided(peer, monoMs)
  }

  isAvoided(peer: PeerId, monoMs: number): boolean {
    return (this.#avoided.get(peer) ?? 0) > monoMs
  }

  load(peer: PeerId): number {
    return this.#load.get(peer) ?? 0
  }

  asked(peer: PeerId, by: 1 | -1, monoMs: number): void {
    const load = Math.max(0, this.load(peer) + by)
    this.#load.set(peer, load)
    if (load === 0) this.#owesSince.delete(peer)
    else if (by === -1 || load === 1) this.#owesSince.set(peer, monoMs)
  }

  /** It has let this node wait for so long, or was silent before: dead, or no better than that. */
  isLate(peer: PeerId, doubtMs: number, monoMs: number): boolean {
    const owesMs = monoMs - (this.#owesSince.get(peer) ?? monoMs)
    return owesMs >= doubtMs || this.#silent.has(peer)
  }

  forgetPeer(peer: PeerId): void {
    this.#avoided.delete(peer)
    this.#load.delete(peer)
    this.#owesSince.delete(peer)
    this.#lacking.delete(peer)
    this.#vain.delete(peer)
    this.#proven.delete(peer)
    this.#silent.delete(peer)
    this.#mute.delete(peer)
    this.#false.delete(peer)
    this.#tooBusy.delete(peer)
    this.#busy.delete(peer)
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
