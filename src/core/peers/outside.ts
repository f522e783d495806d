/**
 * Links outside the region. A few are enough, and nobody hurries for want of them: a small region has no places for every
 * node of a large one, and one behind NAT cannot be dialled at all. There may be hundreds to try, so that what comes to
 * nothing makes the next wait, whoever it is.
 */
import type { Limits } from '../../limits.ts'
import { regionIn } from '../../model/certificate.ts'
import type { Pattern, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import { type Candidate, type Links, stores } from '../degree.ts'
import type { PeerBook } from './book.ts'

export class Outside {
  readonly #region: string
  readonly #limits: Limits
  readonly #random: () => number
  readonly #book: Pick<PeerBook, 'get' | 'isSeed'>
  #failures = 0
  #nextMonoMs = 0
  #isAlone = false
  #uncovered: readonly Pattern[] = []

  constructor(
    { region, limits, random }: Pick<CoreConfig, 'region' | 'limits' | 'random'>,
    book: Pick<PeerBook, 'get' | 'isSeed'>,
  ) {
    this.#region = region
    this.#limits = limits
    this.#random = random
    this.#book = book
  }

  /**
   * No link outside, in a region of so few that it may be the same for all of them. Of a larger one that is parted from the
   * others somebody dials at any time.
   */
  get isAlone(): boolean {
    return this.#isAlone
  }

  /** @returns true if some there are missed that were not at the last look */
  look({ own, outside, uncovered }: Links, candidates: readonly Candidate[]): boolean {
    const { minDegree, outsideDegree } = this.#limits
    const wasAlone = this.#isAlone
    const near = candidates.filter(({ region }) => region === this.#region).length
    const isNone = outside === 0 && outsideDegree > 0 && candidates.length > near
    this.#isAlone = isNone && own + near < minDegree
    const isLeftAlone = this.#isAlone && !wasAlone
    if (isLeftAlone) this.#begin()
    const isWorse = isLeftAlone || uncovered.some((pattern) => !this.#uncovered.includes(pattern))
    this.#uncovered = uncovered
    return isWorse
  }

  /** A link to it would be one outside and nothing more: no seed, and it stores nothing that too few neighbours do. */
  has(peer: PeerId): boolean {
    const known = this.#book.isSeed(peer) ? undefined : this.#book.get(peer)
    if (known === undefined || regionIn(known.admission.labels) === this.#region) return false
    return !this.#uncovered.some((wanted) => stores(known.record.patterns, wanted))
  }

  /** Monotonic time before which such a peer is not dialled; 0: at once. */
  nextMonoMs(peer: PeerId): number {
    return this.has(peer) ? this.#nextMonoMs : 0
  }

  /** A dial of such a peer came to nothing; several at once count as one. */
  inVain(peer: PeerId, nowMonoMs: number): void {
    if (nowMonoMs < this.#nextMonoMs || !this.has(peer)) return
    const { redialMinMs, redialMaxMs, redialIdleMaxMs } = this.#limits
    const mostMs = this.#isAlone ? redialMaxMs : redialIdleMaxMs
    const pauseMs = Math.min(mostMs, redialMinMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 30)
    this.#nextMonoMs = nowMonoMs + pauseMs * (0.5 + this.#random() / 2)
  }

  made(peer: PeerId): void {
    if (this.has(peer)) this.#begin()
  }

  #begin(): void {
    this.#failures = 0
    this.#nextMonoMs = 0
  }
}
