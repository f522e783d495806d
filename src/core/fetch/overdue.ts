/** Blocks that do not come in time: whoever is silent is left alone, and somebody else is asked. */
import type { Digest, PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Step } from '../step.ts'
import type { Disk } from './disk.ts'
import type { Jobs } from './jobs.ts'
import type { Patience } from './patience.ts'
import type { Sources } from './sources.ts'
import type { Tempo } from './tempo.ts'
import type { Asked, Wants } from './wants.ts'

/**
 * Peers asked for one block at once, the silent ones among them. The last place is for whoever gave something before, and
 * for a seed: admitted peers that announce everything and give nothing may take all others.
 */
export const MAX_ASKED = 5

export class Overdue {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #disk: Disk
  readonly #jobs: Jobs
  readonly #patience: Patience
  readonly #tempo: Tempo
  readonly #wants: Wants
  readonly #isNeighbour: (peer: PeerId) => boolean
  /** When silence was to be looked for: much later than asked, and it was this node that was busy. */
  #lookMonoMs = Number.POSITIVE_INFINITY
  /** Until then what came while this node stood still is being read. */
  #readingMonoMs = Number.NEGATIVE_INFINITY
  /** The look before waited for that: this one judges, however late, or a node that is always late would wait for the dead for ever. */
  #hasRead = false

  constructor(
    config: CoreConfig,
    sources: Sources,
    disk: Disk,
    jobs: Jobs,
    { patience, tempo, wants }: { patience: Patience; tempo: Tempo; wants: Wants },
    isNeighbour: (peer: PeerId) => boolean,
  ) {
    this.#config = config
    this.#sources = sources
    this.#disk = disk
    this.#jobs = jobs
    this.#patience = patience
    this.#tempo = tempo
    this.#wants = wants
    this.#isNeighbour = isNeighbour
  }

  /** Some event comes by then, and with it a look. */
  expectLook(monoMs: number): void {
    this.#lookMonoMs = Math.min(this.#lookMonoMs, monoMs)
  }

  /** A neighbour is asked for a block: when that may be had from a second one. */
  lookForHedge(step: Step): void {
    this.#lookAt(step, step.now.monoMs + this.#patience.hedgeMs)
  }

  /**
   * Whoever is silent is left alone for a while, and its block may be had from one more. A look that comes much later
   * than it was asked for says that this node was busy, and nothing of others; nor does the next, which may come a moment
   * later: megabytes of answers are read in a tenth of a second.
   */
  look(step: Step): void {
    const { limits } = this.#config
    const { monoMs } = step.now
    const lateMs = monoMs - this.#lookMonoMs
    const isLate = this.#isLate(monoMs)
    this.#lookMonoMs = Number.POSITIVE_INFINITY
    if (isLate) {
      this.#readingMonoMs = monoMs + limits.repairMs
      this.#hasRead = true
    }
    if (this.#isReading(monoMs)) return this.#lookAt(step, this.#readingMonoMs)
    this.#hasRead = false
    const mayHedge = lateMs <= limits.hedgeMs / 2
    for (const asked of this.#wants.all()) {
      const { digest, peer, way } = asked
      const peers = this.#wants.peers(digest).size
      const silentMonoMs = this.#waitsSince(asked) + this.#patience.silenceMs(way, peers - 1)
      if (monoMs < silentMonoMs) {
        this.#lookAt(step, silentMonoMs)
        this.#hedge(step, asked, mayHedge)
        continue
      }
      if (!this.#sources.isAvoided(peer, monoMs)) this.#judge(asked, monoMs)
      if (asked.silent !== true) this.#tempo.silent(asked, monoMs)
      this.#wants.silent(asked)
      this.gaveNothing(asked)
      if (peers >= MAX_ASKED - 1 && ![...this.#wants.peers(digest)].some(this.#sources.counts))
        this.#wants.letGo(asked)
      if (this.#wants.peers(digest).size < MAX_ASKED) this.#again(digest)
    }
  }

  /**
   * Over a border a want may stand for a while. Whoever lives gives signs of it meanwhile, which come late, too, where nothing
   * comes from anybody: that may be the way.
   */
  #waitsSince(asked: Asked): number {
    const { peer, way, sinceMonoMs } = asked
    if (way !== 'border') return sinceMonoMs
    const heardMonoMs = Math.max(sinceMonoMs, this.#sources.heardMonoMs(peer))
    const stoodMonoMs = sinceMonoMs + this.#config.limits.standMs
    return this.#tempo.hasCome(asked) ? Math.min(heardMonoMs, stoodMonoMs) : stoodMonoMs
  }

  #isReading(monoMs: number): boolean {
    return monoMs < this.#readingMonoMs
  }

  /** As good as dead: what it was given it does not bring. */
  isMute(peer: PeerId, monoMs: number): boolean {
    return !this.isUnread(monoMs) && this.#sources.isMute(peer, monoMs - this.#patience.muteMs)
  }

  /** That nothing has come says nothing yet: this node stood still a moment ago, or just now. */
  isUnread(monoMs: number): boolean {
    return this.#isReading(monoMs) || this.#isLate(monoMs)
  }

  /** A look is overdue: this node was busy, or stood still. */
  #isLate(monoMs: number): boolean {
    return monoMs - this.#lookMonoMs > this.#config.limits.repairMs && !this.#hasRead
  }

  /** On a host that is short of cores a neighbour is slow for as long as a dead one is silent, but not without a word. */
  #judge({ peer, way, sinceMonoMs }: Asked, monoMs: number): void {
    const isSlow = way === 'near' && this.#sources.isAtWork(peer, sinceMonoMs, monoMs)
    if (isSlow) this.#sources.slow(peer, monoMs)
    else this.#sources.silent(peer, monoMs)
  }

  /**
   * Nothing came of a question. Of those that are asked for many blocks at once, seeds and whoever is over a border, all that
   * ends while they are left alone is one silence; a neighbour is asked for one block. What ends much later than the deadline
   * says nothing of anybody: this node was busy, or stood still, and the answer may lie here.
   */
  ended({ peer, sinceMonoMs, way }: Asked, monoMs: number): void {
    const { blockDeadlineMs, repairMs } = this.#config.limits
    if (monoMs - sinceMonoMs > blockDeadlineMs + repairMs) return
    if (way === 'near' || !this.#sources.isAvoided(peer, monoMs)) this.#sources.silent(peer, monoMs)
  }

  /** To ask a second one was right, if that was done: from this one nothing came, so nothing twice. */
  gaveNothing(asked: Asked): void {
    if (asked.hedged === true) this.#patience.hedgedRightly()
    asked.hedged = false
  }

  /**
   * A block that takes long may be had from a second neighbour, while the first is not blamed yet; what is asked for over a
   * border from the first that has it by now.
   */
  #hedge(step: Step, asked: Asked, mayHedge: boolean): void {
    const { digest, peer, sinceMonoMs, way } = asked
    if (way === 'seed' || asked.hedged !== undefined) return
    if (this.#disk.isWriting(digest) || !this.#jobs.areWithout(digest)) return
    const { monoMs } = step.now
    const dueMonoMs = sinceMonoMs + this.#patience.hedgeMs
    if (monoMs < dueMonoMs) return this.#lookAt(step, dueMonoMs)
    if (way === 'border' && !this.#isNear(asked, monoMs)) return
    if (!mayHedge) return this.#lookAt(step, monoMs + this.#config.limits.hedgeMs / 2)
    if (this.#wants.peers(digest).size >= MAX_ASKED || !this.#patience.hedge()) return
    asked.hedged = true
    this.#sources.doubt(peer)
    this.#again(digest)
  }

  /**
   * As far as the release is concerned for which it was asked: thousands may name it, and this is looked at in each tick.
   * Who is left alone is asked for nothing, and a second question would be spent in vain.
   */
  #isNear({ release, digest }: Asked, monoMs: number): boolean {
    const place = this.#jobs.get(release)?.place(digest)
    const gives = (peer: PeerId) => this.#isNeighbour(peer) && this.#sources.gives(peer, monoMs)
    return place !== undefined && this.#sources.of(release).announced(place, gives)
  }

  #again(digest: Digest): void {
    if (this.#disk.isWriting(digest)) return
    for (const job of this.#jobs.naming(digest)) job.reopen(digest)
  }

  #lookAt(step: Step, monoMs: number): void {
    this.expectLook(monoMs)
    step.wakeAt(monoMs)
  }
}
