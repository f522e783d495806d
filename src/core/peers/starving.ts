/**
 * Releases of which nothing comes to a node, or which beacons name and nobody tells it of, while no seed that stores them is
 * linked: its neighbours that do may all lack them as it does, as in a region that was cut off when they were said. One such
 * seed is dialled then, whatever it said, for a full one makes room. Neighbours wait side by side, and would all dial at once:
 * each waits for a random time first, the longer the more they are (as the random timers of SRM: Floyd and others, 1995), and
 * what one of them gets it hands on to the others.
 */
import type { Channel, Pattern, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { type Bucket, createBucket } from '../rate.ts'
import type { Redial } from '../redial.ts'
import { type AdmittedSession, EVERYTHING, storesChannel } from '../session.ts'
import type { PeerBook } from './book.ts'

/** Of those that beacons alone ask for, in `linkSwapMs`: whoever has their key can name one channel after the other. */
export const LATE_DIALS = 2

/** Channels that beacons show to be behind. */
export interface LateChannels {
  late(now: { readonly monoMs: number }): Iterable<Channel>
}

export class Starving {
  readonly #config: Pick<CoreConfig, 'limits' | 'random' | 'submit'>
  readonly #book: Pick<PeerBook, 'get'>
  readonly #redial: Pick<Redial, 'isFree' | 'recall'>
  readonly #beacons: LateChannels
  readonly #late: Bucket
  /** Seeds dialled for these since something came. */
  #dials = 0
  #channels: ReadonlySet<Channel> = new Set()
  #nextMonoMs: number | undefined

  constructor(
    config: Pick<CoreConfig, 'limits' | 'random' | 'submit'>,
    book: Pick<PeerBook, 'get'>,
    redial: Pick<Redial, 'isFree' | 'recall'>,
    beacons: LateChannels,
  ) {
    this.#config = config
    this.#book = book
    this.#redial = redial
    this.#beacons = beacons
    this.#late = createBucket((LATE_DIALS * 1_000) / config.limits.linkSwapMs, LATE_DIALS)
  }

  /**
   * @param away seeds that are not linked
   * @param linked those that are
   * @returns which of those that are away is to be dialled now
   */
  look(
    journey: Journey,
    away: readonly PeerId[],
    admitted: readonly AdmittedSession[],
    linked: readonly AdmittedSession[],
    monoMs: number,
  ): readonly PeerId[] {
    const { limits, random, submit } = this.#config
    if (submit) return []
    const unfetched = journey.stuckChannels(monoMs, limits.redialMaxMs)
    const stuck = new Set([...unfetched, ...this.#beacons.late({ monoMs })])
    // One that is linked may have no more of it than the others: what it was dialled for is in vain until it comes.
    this.#channels = new Set([...this.#channels].filter((channel) => stuck.has(channel)))
    if (stuck.size === 0) this.#beginAnew()
    if (away.length === 0) return []
    const lacking = [...stuck].filter(
      (channel) => !linked.some(({ hello }) => storesChannel(hello.patterns, channel)),
    )
    const storesAny = (patterns: readonly Pattern[]) =>
      lacking.some((channel) => storesChannel(patterns, channel))
    // One that was never heard of may store everything.
    const seeds = away.filter((seed) => storesAny(this.#book.get(seed)?.record.patterns ?? [EVERYTHING]))
    if (seeds.length === 0) return []
    if (lacking.some((channel) => !this.#channels.has(channel))) this.#beginAnew()
    this.#channels = new Set([...this.#channels, ...lacking])
    const beside = admitted.filter(({ hello }) => storesAny(hello.patterns)).length
    this.#nextMonoMs ??= monoMs + limits.redialMaxMs * beside * random()
    if (monoMs < this.#nextMonoMs) return []
    // None that waits for its turn after dials in vain, or is being dialled.
    const free = seeds.filter((seed) => this.#redial.isFree(seed, monoMs))
    if (free.length === 0) return []
    if (!lacking.some((channel) => unfetched.has(channel)) && !this.#late.take(monoMs, 1)) return []
    this.#dials += 1
    // Each hour it comes back in any case.
    const pauseMs = limits.redialMaxMs * (1 + beside) * 2 ** this.#dials
    this.#nextMonoMs = monoMs + pauseMs * (0.5 + random() / 2)
    const seed = free[Math.floor(random() * free.length)] as PeerId
    this.#redial.recall(seed, monoMs)
    return [seed]
  }

  #beginAnew(): void {
    this.#dials = 0
    this.#nextMonoMs = undefined
  }
}
