/** Peers as sources of blocks: whose word counts, how much each is asked for, when it may be asked again. */
import type { Limits } from '../../limits.ts'
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import { type Holding, isNothing, type Known } from '../holders.ts'
import { Announcements } from './announcements.ts'
import type { Asked } from './wants.ts'

/** The longest a peer without the content is left alone; it announces when it has it. */
const MAX_AVOID_MS = 10_000
/** So many times in a row a peer may be too busy for what it announced before this node waits for it no more. */
export const MAX_BUSY = 4
/** Of `avoidPeerMs`, which a gateway may ask for: half as long again by chance. */
const MAX_AVOID_TIMES = 1.5
/** And so often a seed near may lack what it is asked for before far ones are asked: for 750 ms it may have yet to hear of the release. */
export const MAX_LACKED = 4
/** And so often in a row it may say other things while it owes a block, until it gives one in time. */
export const MAX_SLOW = 2
/** And for so long it may be busy with nothing to give: at 2 Mbit/s ten gateways that ask it have a block each by then. */
const MAX_BUSY_MS = 10_000

/** How a peer has behaved since it was linked. */
interface Conduct {
  /** It is left alone until then. */
  avoidedUntilMonoMs: number
  /** Blocks under way from it. */
  load: number
  /** Since when it has answered nothing, while it is asked for something. */
  owesSinceMonoMs: number | undefined
  /** When it said anything last. */
  spokeMonoMs: number
  /** When it asked last for something that is here, or on its way here. */
  tookMonoMs: number
  /** What this node brought in was for it in vain, and it has neither asked for any nor announced any since. */
  takesNothing: boolean
  /** How often it was slow since it gave something in time, and when last. */
  slow: number
  slowMonoMs: number
  /** How often in a row it was too busy; silent, or without what it announced, counts as all of them at once. */
  vain: number
  /** It gave a block. */
  isProven: boolean
  /** It was silent, and gave nothing since: how long it is left alone after its next silence. */
  silentMs: number | undefined
  /** Since when it is silent, if no word about blocks came from it since that counts (`#endsMute`). */
  muteSinceMonoMs: number | undefined
  /** It lacked what it was asked for: when it said so last, how often in a row, and how long it is left alone. */
  lacking: { readonly saidMonoMs: number; readonly times: number; readonly ms: number } | undefined
  /** It announced what it lacked, and gave nothing since. */
  isFalse: boolean
  /** When it said first and last that it is busy, if it gave nothing since. */
  busy: { readonly sinceMonoMs: number; readonly lastMonoMs: number } | undefined
  /** It has put us off over a border, and was neither silent nor without what it was asked for since. */
  isTooBusy: boolean
}

/** Of one that was asked for nothing yet. */
const FRESH: Readonly<Conduct> = Object.freeze({
  avoidedUntilMonoMs: 0,
  load: 0,
  owesSinceMonoMs: undefined,
  spokeMonoMs: Number.NEGATIVE_INFINITY,
  tookMonoMs: Number.NEGATIVE_INFINITY,
  takesNothing: false,
  slow: 0,
  slowMonoMs: Number.NEGATIVE_INFINITY,
  vain: 0,
  isProven: false,
  silentMs: undefined,
  muteSinceMonoMs: undefined,
  lacking: undefined,
  isFalse: false,
  busy: undefined,
  isTooBusy: false,
})

export class Sources {
  readonly #limits: Limits
  readonly #announcements: Announcements
  readonly #conducts = new Map<PeerId, Conduct>()

  /**
   * Its announcements count: it was not asked in vain before. One peer that announces everything and gives nothing must
   * not keep a block out; whoever would bring it in, or ask elsewhere, does not wait for that one.
   */
  readonly counts = (peer: PeerId): boolean => this.#conduct(peer).vain < MAX_BUSY
  /** And it gave a block before: saying that one has everything costs nothing. */
  readonly isProven = (peer: PeerId): boolean => this.#conduct(peer).isProven && this.counts(peer)

  /** Busy it may be, but it was neither silent nor without what it was asked for since it gave something. */
  answers(peer: PeerId): boolean {
    const { silentMs, lacking } = this.#conduct(peer)
    return silentMs === undefined && lacking === undefined
  }

  /** It is left alone for having too much to do for now. */
  isOnlyBusy(peer: PeerId, monoMs: number): boolean {
    return this.#conduct(peer).isTooBusy && this.#isBriefly(peer, monoMs)
  }

  /**
   * It said something else in the latter half of the time for which it has owed a block, or since it was slow last: whoever
   * died has not, unless it was as late before. Not of one that was silent, or slow again and again.
   */
  isAtWork(peer: PeerId, sinceMonoMs: number, monoMs: number): boolean {
    const { spokeMonoMs, silentMs, slow, slowMonoMs } = this.#conduct(peer)
    if (silentMs !== undefined || slow >= MAX_SLOW) return false
    return monoMs - spokeMonoMs < (monoMs - Math.max(sinceMonoMs, slowMonoMs)) / 2
  }

  /** It was silent, or announced what it lacked, and gave nothing since: its part is for whoever comes next. */
  fails(peer: PeerId): boolean {
    const { silentMs, isFalse } = this.#conduct(peer)
    return silentMs !== undefined || isFalse
  }

  /** Neither was it silent, nor lacked it what it was asked for again and again, nor was it busy all the time, since it gave something. */
  isAwaited(peer: PeerId, monoMs: number): boolean {
    const { silentMs, lacking, busy } = this.#conduct(peer)
    if (silentMs !== undefined || (lacking?.times ?? 0) >= MAX_LACKED) return false
    const busyMs = busy === undefined ? 0 : busy.lastMonoMs - busy.sinceMonoMs
    return busyMs < MAX_BUSY_MS && this.#isBriefly(peer, monoMs)
  }

  /** It is left alone for no longer than an honest one may ask for. */
  #isBriefly(peer: PeerId, monoMs: number): boolean {
    return this.#conduct(peer).avoidedUntilMonoMs - monoMs <= MAX_AVOID_TIMES * this.#limits.avoidPeerMs
  }

  /** Without a word that counts since then, and dead as far as one can tell: whoever is only slow still says what it has, or asks for what it lacks. */
  isMute(peer: PeerId, sinceMonoMs: number): boolean {
    const { muteSinceMonoMs } = this.#conduct(peer)
    return muteSinceMonoMs !== undefined && muteSinceMonoMs <= sinceMonoMs
  }

  constructor(limits: Limits) {
    this.#limits = limits
    this.#announcements = new Announcements(limits)
  }

  /** Who has what of it, to be looked at. */
  of(release: ReleaseId): Known {
    return this.#announcements.of(release)
  }

  /** What is said of it is kept until the fetch ends. */
  began(release: ReleaseId): void {
    this.#announcements.began(release)
  }

  ended(release: ReleaseId): void {
    this.#announcements.ended(release)
  }

  announced(release: ReleaseId, peer: PeerId, holding: Holding): void {
    const conduct = this.#conducts.get(peer)
    if (conduct !== undefined) this.#endsMute(conduct)
    if (conduct !== undefined && !isNothing(holding)) conduct.takesNothing = false
    this.holds(release, peer, holding)
  }

  /** A seed says so: no word of its own. */
  holds(release: ReleaseId, peer: PeerId, holding: Holding): void {
    if (isNothing(holding)) return
    this.#announcements.takes(release, peer, holding, this.counts)
    const conduct = this.#conducts.get(peer)
    if (conduct?.lacking === undefined) return
    conduct.lacking = undefined
    // That it owes a block is another matter.
    conduct.avoidedUntilMonoMs = conduct.slow === 0 ? 0 : conduct.slowMonoMs + this.#limits.avoidPeerMs
  }

  /**
   * It says anything that has to do with blocks.
   * @param takes it asks for one of a release that this node has, or fetches
   */
  spoke(peer: PeerId, monoMs: number, takes = false): void {
    const conduct = this.#noted(peer)
    conduct.spokeMonoMs = monoMs
    this.#endsMute(conduct)
    if (!takes) return
    conduct.tookMonoMs = monoMs
    conduct.takesNothing = false
  }

  /** Blocks have waited since then for somebody to take them. Whoever has neither taken nor announced any may have a full disk. */
  tookNothing(release: ReleaseId, peer: PeerId, sinceMonoMs: number): void {
    const conduct = this.#noted(peer)
    if (conduct.tookMonoMs <= sinceMonoMs && !this.of(release).knows(peer)) conduct.takesNothing = true
  }

  /** Whatever the release. */
  takesNothing(peer: PeerId): boolean {
    return this.#conduct(peer).takesNothing
  }

  /** What it says clears it once, while it owes something: whoever says much and gives nothing is mute until it answers. */
  #endsMute(conduct: Conduct): void {
    const { load, silentMs = 0 } = conduct
    if (load === 0 || silentMs <= 2 * this.#limits.avoidPeerMs) conduct.muteSinceMonoMs = undefined
  }

  /** A block, in time or not: whoever is late each time is slow twice, and silent from then on. */
  gave({ release, peer, silent }: Pick<Asked, 'release' | 'peer' | 'silent'>): void {
    this.#announcements.gave(release, peer)
    this.brokeSilence(peer)
    const conduct = this.#noted(peer)
    conduct.isProven = true
    conduct.isFalse = false
    if (silent !== true) conduct.slow = 0
  }

  /** A seed gives a block, or somebody over a border, whose word nobody relies on all the same; or a neighbour one that is wanted no more. */
  brokeSilence(peer: PeerId): void {
    const conduct = this.#noted(peer)
    conduct.muteSinceMonoMs = undefined
    conduct.vain = 0
    conduct.silentMs = undefined
    conduct.lacking = undefined
    conduct.busy = undefined
  }

  /** It gave wrong bytes of it. */
  lied(release: ReleaseId, peer: PeerId): void {
    this.#announcements.lied(release, peer)
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
    const conduct = this.#noted(peer)
    conduct.muteSinceMonoMs = undefined
    if (this.#announcements.lacks(release, peer, place)) {
      conduct.vain = MAX_BUSY
      conduct.isFalse = true
    }
    conduct.isTooBusy = false
    const last = conduct.lacking
    // What it was asked for before it said so last tells nothing new.
    if (last !== undefined && sinceMonoMs <= last.saidMonoMs) return
    const leastMs = this.#limits.avoidPeerMs / 4
    const ms = seed ? leastMs : Math.min(MAX_AVOID_MS, 2 * (last?.ms ?? leastMs / 2))
    conduct.lacking = { saidMonoMs: monoMs, times: (last?.times ?? 0) + 1, ms }
    this.avoid(peer, monoMs + ms)
  }

  busy(peer: PeerId, untilMonoMs: number, monoMs: number): void {
    const conduct = this.#noted(peer)
    const before = conduct.busy
    conduct.muteSinceMonoMs = undefined
    // Long ago it was another time.
    const isOn =
      before !== undefined &&
      monoMs - before.lastMonoMs <= MAX_AVOID_TIMES * this.#limits.avoidPeerMs + this.#limits.blockSilenceMs
    conduct.busy = { sinceMonoMs: isOn ? before.sinceMonoMs : monoMs, lastMonoMs: monoMs }
    conduct.vain += 1
    this.avoid(peer, untilMonoMs)
  }

  /** Over a border: all that stands there is put off at once, which is the one time. */
  putOff(peer: PeerId, untilMonoMs: number, monoMs: number): void {
    const conduct = this.#noted(peer)
    conduct.muteSinceMonoMs = undefined
    if (this.isAvoided(peer, monoMs)) return this.avoid(peer, untilMonoMs)
    conduct.isTooBusy = true
    this.busy(peer, untilMonoMs, monoMs)
  }

  /** It is left alone for a while, each time longer until it gives something. */
  silent(peer: PeerId, monoMs: number): void {
    const conduct = this.#noted(peer)
    const delayMs = conduct.silentMs ?? this.#limits.avoidPeerMs
    conduct.silentMs = Math.min(MAX_AVOID_MS, delayMs * 2)
    conduct.vain = MAX_BUSY
    conduct.muteSinceMonoMs ??= monoMs
    conduct.isTooBusy = false
    this.avoid(peer, monoMs + delayMs)
  }

  /** It is left alone for a while and nobody relies on its word, as if it were silent; but its part stays its own. */
  slow(peer: PeerId, monoMs: number): void {
    const conduct = this.#noted(peer)
    conduct.slow += 1
    conduct.slowMonoMs = monoMs
    this.doubt(peer)
    this.avoid(peer, monoMs + this.#limits.avoidPeerMs)
  }

  /** What it was asked for takes long: nobody relies on its word until it gives something. */
  doubt(peer: PeerId): void {
    this.#noted(peer).vain = MAX_BUSY
  }

  avoid(peer: PeerId, untilMonoMs: number): void {
    const conduct = this.#noted(peer)
    conduct.avoidedUntilMonoMs = Math.max(untilMonoMs, conduct.avoidedUntilMonoMs)
  }

  /** Fewer blocks are under way from it than `most`, and it is not left alone. */
  isFree(peer: PeerId, most: number, monoMs: number): boolean {
    return this.load(peer) < most && !this.isAvoided(peer, monoMs)
  }

  isAvoided(peer: PeerId, monoMs: number): boolean {
    return this.#conduct(peer).avoidedUntilMonoMs > monoMs
  }

  /** Its word counts, and it is not left alone for longer than a silent one takes to be noticed. */
  gives(peer: PeerId, monoMs: number): boolean {
    return this.counts(peer) && !this.isAvoided(peer, monoMs + this.#limits.blockSilenceMs)
  }

  load(peer: PeerId): number {
    return this.#conduct(peer).load
  }

  asked(peer: PeerId, by: 1 | -1, monoMs: number): void {
    const conduct = this.#noted(peer)
    conduct.load = Math.max(0, conduct.load + by)
    if (conduct.load === 0) conduct.owesSinceMonoMs = undefined
    else if (by === -1 || conduct.load === 1) conduct.owesSinceMonoMs = monoMs
  }

  /** When it said or answered anything last, or was asked while nothing was under way from it. */
  heardMonoMs(peer: PeerId): number {
    const { spokeMonoMs, owesSinceMonoMs } = this.#conduct(peer)
    return Math.max(spokeMonoMs, owesSinceMonoMs ?? spokeMonoMs)
  }

  /** It has let this node wait for so long, or was silent before: dead, or no better than that. */
  isLate(peer: PeerId, doubtMs: number, monoMs: number): boolean {
    const { owesSinceMonoMs, silentMs } = this.#conduct(peer)
    return monoMs - (owesSinceMonoMs ?? monoMs) >= doubtMs || silentMs !== undefined
  }

  forgetPeer(peer: PeerId): void {
    this.#conducts.delete(peer)
    this.#announcements.forgetPeer(peer)
  }

  #conduct(peer: PeerId): Readonly<Conduct> {
    return this.#conducts.get(peer) ?? FRESH
  }

  /** To be changed. */
  #noted(peer: PeerId): Conduct {
    const known = this.#conducts.get(peer)
    if (known !== undefined) return known
    const conduct = { ...FRESH }
    this.#conducts.set(peer, conduct)
    return conduct
  }
}
