/**
 * What a seed gives away: each block about once. It remembers to whom it gave which block and sends whoever asks next
 * there; a copy more is given only where that failed or is silent, and beyond two only with a small part of the uplink.
 */
import type { Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'

export type Judgement =
  | { readonly kind: 'give' }
  | { readonly kind: 'redirect'; readonly to: PeerId }
  | { readonly kind: 'later'; readonly retryAfterMs: number }

export interface Question {
  readonly digest: Digest
  readonly asker: PeerId
  /** It was sent on before, in vain. */
  readonly failed: boolean
  /** The block can leave: what only waits for room is no copy yet. */
  readonly hasRoom: boolean
}

/** Blocks of which it is remembered who got them: 16 GiB of content. */
export const MAX_BLOCKS = 65_536
/** Copies a block may have before further ones are rationed. */
export const FREE_COPIES = 2
/** Peers remembered for one block. */
export const MAX_HOLDERS = 4
/** One block in so many may be given twice for a mere doubt: at most 1.1 payloads leave for it. */
export const BLOCKS_PER_SPARE = 10
/** Spare copies saved up: what two fetchers that die at once wait for, and half as much that they have not handed on. */
export const MAX_SPARE = 24
/** Peers of which it is remembered when they were last heard: fetchers of a few regions. */
export const MAX_HEARD = 256

interface Given {
  /** All of them, to one peer twice as well: else whoever asks again and again has the whole uplink. */
  readonly copies: number
  /** To whom, the latest last. */
  readonly peers: readonly PeerId[]
  /** When somebody was given it who had not been before. */
  readonly lastMonoMs: number
}

export class Copies {
  readonly #config: CoreConfig
  readonly #given = new LatestMap<Digest, Given>(MAX_BLOCKS)
  /** When each last asked for a block or got one. */
  readonly #heard = new LatestMap<PeerId, number>(MAX_HEARD)
  /** First copies given since the last that a doubt has cost, as far as they are saved up. */
  #earned = 0
  /** A block's worth at a lower rate, too: with less nobody would get one, however long it waited. */
  readonly #maxSpareBytes: number
  #spareBytes: number
  #lastMonoMs = 0

  constructor(config: CoreConfig) {
    this.#config = config
    const { seedExtraBytesPerSecond, maxBlockBytes } = config.limits
    this.#maxSpareBytes = seedExtraBytesPerSecond > 0 ? Math.max(seedExtraBytesPerSecond, maxBlockBytes) : 0
    this.#spareBytes = this.#maxSpareBytes
  }

  /** What is given is booked. */
  judge(journey: Journey, { digest, asker, failed, hasRoom }: Question, monoMs: number): Judgement {
    const session = journey.session(asker)
    this.heard(asker, monoMs)
    if (session?.hello?.submit === true) return { kind: 'give' }
    const given = this.#given.get(digest) ?? { copies: 0, peers: [], lastMonoMs: Number.NEGATIVE_INFINITY }
    const { copies, peers } = given
    const region = session?.hello?.region
    const to = peers.find((peer) => this.#reaches(journey, peer, region))
    const isSentOn = to !== undefined && !failed && !peers.includes(asker)
    if (isSentOn && !(hasRoom && this.#doubts(to, copies, monoMs))) return { kind: 'redirect', to }
    const leftMs = to === undefined ? 0 : this.#underWayMs(given, asker, monoMs)
    if (leftMs > 0) return { kind: 'later', retryAfterMs: leftMs }
    if (!hasRoom) return this.#noRoom(copies)
    if (copies >= FREE_COPIES && !this.#ration(monoMs))
      return { kind: 'later', retryAfterMs: this.#config.limits.avoidPeerMs }
    if (copies === 0) this.#earned = Math.min(MAX_SPARE * BLOCKS_PER_SPARE, this.#earned + 1)
    const others = peers.filter((peer) => peer !== asker)
    const lastMonoMs = peers.includes(asker) ? given.lastMonoMs : monoMs
    const now = { copies: copies + 1, peers: [...others, asker].slice(-MAX_HOLDERS), lastMonoMs }
    this.#given.set(digest, now)
    return { kind: 'give' }
  }

  /**
   * It was sent away, is gone, or the block could not be read: it has nothing to hand on.
   * @param begun a part of it may have left, and counts as a copy
   */
  takeBack(digest: Digest, peer: PeerId, begun = false): void {
    const given = this.#given.get(digest)
    if (given === undefined || given.copies === 0) return
    const peers = given.peers.filter((one) => one !== peer)
    if (begun) return void this.#given.set(digest, { ...given, peers })
    const copies = given.copies - 1
    if (copies === 0) this.#earned = Math.max(0, this.#earned - 1)
    if (copies >= FREE_COPIES) this.#spareBytes += this.#config.limits.maxBlockBytes
    this.#given.set(digest, { ...given, copies, peers })
  }

  /** Whoever would have a copy more is not the one to be first in the line. */
  #noRoom(copies: number): Judgement {
    const { avoidPeerMs, busyRetryMs } = this.#config.limits
    return { kind: 'later', retryAfterMs: copies >= FREE_COPIES ? avoidPeerMs : busyRetryMs }
  }

  /** It has asked for a block, or one that it waited for has left. */
  heard(peer: PeerId, monoMs: number): void {
    this.#heard.set(peer, monoMs)
  }

  /**
   * Whoever was given a block asks for the next once others have most of what it has. One that has asked for nothing for
   * a while may have died unseen and taken the block with it, and this seed may be gone before that shows: somebody else
   * gets it, too.
   */
  #doubts(holder: PeerId, copies: number, monoMs: number): boolean {
    const silentMs = monoMs - (this.#heard.get(holder) ?? Number.NEGATIVE_INFINITY)
    if (silentMs < this.#config.limits.doubtMs || copies >= FREE_COPIES) return false
    if (this.#earned < BLOCKS_PER_SPARE) return false
    this.#earned -= BLOCKS_PER_SPARE
    return true
  }

  /**
   * That one holder is silent many find at the same time: what the first of them has just been given is on its way to the
   * others of its region. Only of the first few copies, so that peers which take them and pass on nothing do not keep others
   * from one.
   * @returns for how long yet that is to be awaited
   */
  #underWayMs({ copies, peers, lastMonoMs }: Given, asker: PeerId, monoMs: number): number {
    if (copies < FREE_COPIES || copies >= MAX_HOLDERS || peers.at(-1) === asker) return 0
    return Math.ceil(lastMonoMs + this.#config.limits.doubtMs - monoMs)
  }

  /** Of the asker's region, or of the own one: its gateways reach both. */
  #reaches(journey: Journey, peer: PeerId, region: string | undefined): boolean {
    const hello = journey.session(peer)?.hello
    return hello !== undefined && [region, journey.region].includes(hello.region)
  }

  #ration(monoMs: number): boolean {
    const { seedExtraBytesPerSecond, maxBlockBytes } = this.#config.limits
    const earned = ((monoMs - this.#lastMonoMs) / 1_000) * seedExtraBytesPerSecond
    this.#spareBytes = Math.min(this.#maxSpareBytes, this.#spareBytes + earned)
    this.#lastMonoMs = monoMs
    if (this.#spareBytes < maxBlockBytes) return false
    this.#spareBytes -= maxBlockBytes
    return true
  }
}
