/**
 * How long a block may take before somebody else is asked: the retransmission timer of TCP (RFC 6298), never below
 * the limits. On a busy host every answer is late, and asking twice would make it busier.
 *
 * Long before a peer counts as silent a block may be asked of a second one (a hedged request: Dean and Barroso, "The
 * Tail at Scale", 2013), within an allowance: what both of them send is a block in vain.
 */
import type { Limits } from '../../limits.ts'
import type { AdmittedSession } from '../session.ts'

/** Blocks that hedging may fetch twice before others came, and how many blocks earn one more. */
const MAX_ALLOWED = 4
const EARNED_BY = 100
/**
 * By how much longer than 400 ms silence takes to count, so many times as long until it is death. A hundred nodes on two cores,
 * all alive, took one another for dead after once as long: four in five of what they asked their seed for then would not have
 * been asked for after three times.
 */
const MUTE_TIMES = 3

/** Where a block comes from: over a border round trips are longer, and a seed lets many wait in line. */
export type Way = 'near' | 'seed' | 'border'

export const wayTo = ({ hello }: AdmittedSession, region: string): Way =>
  hello.region !== region ? 'border' : hello.submit ? 'seed' : 'near'

interface Estimate {
  smoothMs: number
  variationMs: number
}

export class Patience {
  readonly #limits: Limits
  readonly #estimates = new Map<Way, Estimate>()
  #allowed = MAX_ALLOWED

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Nothing takes longer than until the deadline: the rest is this node's, which was busy or stood still. */
  answered(afterMs: number, way: Way): void {
    const tookMs = Math.min(afterMs, this.#limits.blockDeadlineMs)
    this.#allowed = Math.min(MAX_ALLOWED, this.#allowed + 1 / EARNED_BY)
    const known = this.#estimates.get(way)
    if (known === undefined) {
      this.#estimates.set(way, { smoothMs: tookMs, variationMs: tookMs / 2 })
      return
    }
    known.variationMs = (3 * known.variationMs + Math.abs(known.smoothMs - tookMs)) / 4
    known.smoothMs = (7 * known.smoothMs + tookMs) / 8
  }

  /**
   * How long without any block before a seed is told that whom it named does not bring what that one was given: it costs a
   * copy, so that on a host where all is late more is waited for than before stepping in.
   */
  get failMs(): number {
    return this.stuckMs + this.muteMs
  }

  /** How long before it is doubted that a near peer lives: on a host where all answers are late, later, but until the deadline. */
  get doubtMs(): number {
    const { doubtMs, blockDeadlineMs } = this.#limits
    return Math.min(Math.max(doubtMs, this.#usualMs('near')), blockDeadlineMs)
  }

  /**
   * How long without any block before others step in for whoever should bring it: where all answers are late, later, or a
   * fleet on a busy host asks its seed for what is on its way.
   */
  get stuckMs(): number {
    return this.#laterWhereSlow(this.#limits.stuckMs)
  }

  /** @param tries asked in vain before; each doubles it, so that a slow network is not asked ever more */
  silenceMs(way: Way, tries: number): number {
    const { blockSilenceMs, borderSilenceMs, blockDeadlineMs } = this.#limits
    const least = blockSilenceMs + (way === 'border' ? borderSilenceMs : 0)
    return Math.min(Math.max(least, this.#usualMs(way)) * 2 ** Math.min(tries, 4), blockDeadlineMs / 2)
  }

  /**
   * For how long a neighbour has to be silent, without a word, to be taken for dead: no time at all where answers are quick. On
   * a host where they are late, whoever counts as silent is late as a rule, and what it was given would leave the seed again.
   */
  get muteMs(): number {
    const { blockSilenceMs, blockDeadlineMs } = this.#limits
    return Math.min(MUTE_TIMES * (this.silenceMs('near', 0) - blockSilenceMs), blockDeadlineMs)
  }

  /**
   * How long whoever is busy is left alone, at least: on a slow link its line moves as slowly as the blocks come, and asking
   * every few milliseconds would take more of the link than all else that is no block. No longer than one that is silent.
   */
  get busyMs(): number {
    const smoothMs = this.#estimates.get('near')?.smoothMs ?? 0
    return Math.min(Math.max(this.#limits.busyRetryMs, smoothMs / 4), this.#limits.blockSilenceMs)
  }

  /** When a second neighbour may be asked for the same block, though the first is not silent yet. */
  get hedgeMs(): number {
    return this.#laterWhereSlow(this.#limits.hedgeMs)
  }

  /**
   * How long without any block before neighbours are asked what they have, and a seed for what nobody brings: twice what
   * neighbours usually take, where that is more. Else a fleet on a busy host asks for what is on its way.
   */
  get rescueMs(): number {
    const { rescueMs, blockDeadlineMs } = this.#limits
    return Math.min(Math.max(rescueMs, 2 * this.#usualMs('near')), blockDeadlineMs)
  }

  /** And before whoever is only busy over a border is waited for no longer: where blocks take long there, too, that is no sign. */
  get farRescueMs(): number {
    return Math.min(Math.max(this.rescueMs, 2 * this.#usualMs('border')), this.#limits.blockDeadlineMs)
  }

  /** False: too many blocks were asked for twice of late. */
  hedge(): boolean {
    if (this.#allowed < 1) return false
    this.#allowed -= 1
    return true
  }

  /** Whoever was asked first is silent indeed: nothing comes twice. */
  hedgedRightly(): void {
    this.#allowed = Math.min(MAX_ALLOWED, this.#allowed + 1)
  }

  /** What neighbours usually take, within these bounds: never so late as they count as silent. */
  #laterWhereSlow(leastMs: number): number {
    return Math.min(Math.max(leastMs, this.#usualMs('near')), this.silenceMs('near', 0))
  }

  #usualMs(way: Way): number {
    const known = this.#estimates.get(way)
    return known === undefined ? 0 : known.smoothMs + 4 * known.variationMs
  }
}

/** Of a node that has not read yet what came while it stood still: nothing is missed. */
export const UNREAD: Pick<Patience, 'doubtMs' | 'stuckMs' | 'failMs'> = {
  doubtMs: Number.POSITIVE_INFINITY,
  stuckMs: Number.POSITIVE_INFINITY,
  failMs: Number.POSITIVE_INFINITY,
}
