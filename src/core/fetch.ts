/**
 * Content of a release: pages in their order, since each is checked against those before; blocks as they can be had,
 * every one against its digest. What is here already is not asked for. Block bytes live in the effect that writes them,
 * but for what came with its release. How they are asked for is `pull.ts`, of whom `chooser.ts`, what is told `offers.ts`.
 */
import { type Code, isMeshError } from '../errors.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply } from '../model/messages.ts'
import type { Release } from '../model/release.ts'
import type { BorderDuty } from './border-duty.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { Disk } from './fetch/disk.ts'
import { Handed } from './fetch/handed.ts'
import type { FetchHooks, FetchProgress } from './fetch/hooks.ts'
import { FetchJob } from './fetch/job.ts'
import { Jobs } from './fetch/jobs.ts'
import { Offers } from './fetch/offers.ts'
import { Pull } from './fetch/pull.ts'
import { Sources } from './fetch/sources.ts'
import { complain, stuck } from './fetch/stuck.ts'
import type { Holding } from './holders.ts'
import type { Journey } from './journey.ts'
import { LatestMap, LatestSet } from './latest.ts'
import type { OverLimit } from './over-limit.ts'
import type { Step } from './step.ts'

/** Without a block for so long the fetch says so, and goes on. */
const UNAVAILABLE_MS = 30_000
/** Blocks being checked on disk at once, where a fetch looks for damage. */
const MAX_CHECKS = 8
/** Releases of which it is remembered that gossip brought them: their content is on its way to the neighbours, too. */
export const MAX_NEWS = 256
/** Releases that are fetched in a moment; what has come of one is `maxInlineBytes` at most. */
export const MAX_EARLY = 16
const NOTHING: ReadonlyMap<Digest, Uint8Array> = new Map()

export class Fetch {
  readonly #config: CoreConfig
  readonly #hooks: FetchHooks
  readonly #sources: Sources
  readonly #offers: Offers
  readonly #pull: Pull
  readonly duty: BorderDuty
  readonly #jobs = new Jobs()
  readonly #handed: Handed
  readonly #disk = new Disk()
  readonly #news = new LatestSet<ReleaseId>(MAX_NEWS)
  readonly #early = new LatestMap<ReleaseId, ReadonlyMap<Digest, Uint8Array>>(MAX_EARLY)
  /** Why it can never be whole here. */
  readonly refusal = (release: ReleaseId): OverLimit | undefined => this.#jobs.get(release)?.refusal

  constructor(config: CoreConfig, hooks: FetchHooks) {
    this.#config = config
    this.#hooks = hooks
    this.#sources = new Sources(config.limits)
    this.#offers = new Offers(config, this.#sources)
    this.#handed = new Handed(config.limits)
    this.#pull = new Pull(config, this.#sources, this.#disk, this.#jobs, this.offer.bind(this))
    this.duty = this.#pull.duty
  }

  /** Gossip brings the release just now: the neighbours get its content as we do, and say so. */
  heard(release: ReleaseId): void {
    this.#news.add(release)
  }

  /** It was ordered without its content, and is fetched once the order is on disk. */
  awaits(release: ReleaseId): void {
    this.#early.set(release, NOTHING)
  }

  /** Gossip brings the content before the fetch begins, which then begins with it. @returns whether that is news */
  cameEarly(release: ReleaseId, content: ReadonlyMap<Digest, Uint8Array>): boolean {
    if (this.#early.get(release) !== NOTHING) return false
    this.#early.set(release, content)
    return true
  }

  /** @param how a check reads every block; a review is of what counts as whole, unless something of it is missing */
  start(step: Step, journey: Journey, release: Release, how: 'new' | 'check' | 'review' = 'new'): void {
    const early = this.#early.get(release.id) ?? NOTHING
    this.#early.delete(release.id)
    if (this.#jobs.get(release.id) !== undefined || journey.isWhole(release.id) !== (how === 'review')) return
    const { limits, random } = this.#config
    const job = new FetchJob(release, how === 'check', step.now.monoMs, limits)
    job.stillWhole = how === 'review'
    if (this.#news.has(release.id)) job.nextQueryMonoMs += limits.rescueMs * (0.75 + random() / 2)
    this.#jobs.add(job)
    this.#sources.began(release.id)
    for (const page of release.header.pages) {
      this.#need(step, journey, job, page)
      const bytes = this.#handed.page(page)
      if (bytes !== undefined) this.offer(step, journey, page, bytes)
    }
    for (const [digest, bytes] of early) this.offer(step, journey, digest, bytes)
    this.#advance(step, journey, job)
    this.#pump(step, journey, job)
  }

  /** Pages nobody asked for: of a release that is under way, or to be heard of in a moment. */
  hand(step: Step, journey: Journey, pages: readonly Uint8Array[]): void {
    this.#handed.take(pages)
    for (const job of this.#jobs.all())
      for (const page of job.release.header.pages) {
        const bytes = this.#handed.page(page)
        if (bytes !== undefined) this.offer(step, journey, page, bytes)
      }
    this.#pump(step, journey)
  }

  handed(release: Release): readonly Uint8Array[] {
    return this.#handed.of(release)
  }

  /** A newer target, or none: no more is asked for; what is here stays. */
  stop(step: Step, release: ReleaseId): void {
    this.#jobs.end(release)
    this.#sources.ended(release)
    this.#offers.stop(release)
    this.#hooks.ended(step)
  }

  running(channel?: Channel): readonly ReleaseId[] {
    const jobs = channel === undefined ? this.#jobs.all() : this.#jobs.ofChannel(channel)
    return jobs.map(({ release }) => release.id)
  }

  /** Those of which pages are to come: of none to a disk that takes no blocks. */
  reading(): readonly ReleaseId[] {
    if (this.#disk.takesNoBlocks) return []
    return this.#jobs.all().flatMap((job) => (job.isReading ? [job.release.id] : []))
  }

  /** Missing here, and asked for, written or to be asked for: of a disk that takes nothing nobody waits for it. */
  isComing(digest: Digest): boolean {
    return this.#disk.isWriting(digest) || (!this.#disk.takesNoBlocks && this.#jobs.areWithout(digest))
  }

  isAskedOf(digest: Digest, peer: PeerId): boolean {
    return !this.#disk.isWriting(digest) && this.#pull.isAskedOnly(digest, peer)
  }

  spoke(peer: PeerId, monoMs: number, takes: boolean): void {
    this.#sources.spoke(peer, monoMs, takes)
  }

  /** What a peer says it holds, asked or not. */
  announced(step: Step, journey: Journey, release: ReleaseId, peer: PeerId, holding: Holding): void {
    this.#sources.announced(release, peer, holding)
    const job = this.#jobs.get(release)
    if (job !== undefined) this.#pump(step, journey, job)
  }

  /** A peer asks what is here. */
  asked(step: Step, journey: Journey, release: ReleaseId, peer: PeerId): void {
    this.#offers.onAsked(step, release, peer, journey.isWhole(release))
  }

  /** A peer has been given a block that this node has. */
  left(step: Step, journey: Journey, digest: Digest): void {
    for (const job of this.#jobs.naming(digest)) if (job.ownPace.taken(digest)) this.#pump(step, journey, job)
  }

  progress(release: ReleaseId): FetchProgress | undefined {
    const job = this.#jobs.get(release)
    if (job === undefined) return undefined
    const blocks = job.digests.length
    return { have: blocks - job.missing.size, blocks, sinceMonoMs: job.sinceMonoMs }
  }

  /** Of which no peer gave for so long what is missing, though it was their turn. */
  stuck(monoMs: number, ms: number, some = this.#jobs.all()): readonly FetchJob[] {
    return stuck(some, this.#sources, this.#disk, monoMs, ms)
  }

  /** A block whose digest was checked, from whomever: written if some job needs it. @returns whether one does */
  offer(step: Step, journey: Journey, digest: Digest, bytes: Uint8Array): boolean {
    if (this.#disk.isWriting(digest) || journey.hasBlock(digest)) return false
    const needed = this.#jobs
      .naming(digest)
      .filter((job) => job.missing.has(digest) && this.#fits(step, job, digest, bytes))
    if (needed.length === 0) return false
    this.#disk.takes(digest, bytes.length, step.now.monoMs)
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'block', digest, bytes }], sync: false })
    for (const job of needed) {
      job.shut(digest)
      job.progressMonoMs = step.now.monoMs
      job.unavailable = false
      job.rescue.onBlock()
      job.queries = 0
      if (job.nextPage === digest && !job.checking.has(digest)) this.#takePage(step, journey, job, bytes)
    }
    return true
  }

  /** A block is durable: whoever waited for it goes on. */
  onBlock(step: Step, journey: Journey, digest: Digest): void {
    this.#disk.wrote(digest, step.now.monoMs)
    this.#settle(step, journey, digest)
    this.#pump(step, journey)
  }

  /** The release is whole: the job ends. @returns milliseconds it took, undefined where there was none. */
  onWhole(step: Step, release: ReleaseId): number | undefined {
    const job = this.#jobs.end(release)
    if (job === undefined) return undefined
    this.#sources.ended(release)
    this.#offers.onWhole(step, release, job.channel, job.digests.length <= this.#config.limits.fewBlocks)
    return step.now.monoMs - job.sinceMonoMs
  }

  /** Whole without a fetch, and not by gossip: neighbours cannot know. */
  onSubmitted(step: Step, release: ReleaseId, channel: Channel): void {
    this.#offers.onWhole(step, release, channel, false)
  }

  onWriteFailed(step: Step, blocks: readonly Digest[], whole: readonly ReleaseId[]): void {
    this.#disk.pause(step.now.monoMs)
    for (const digest of blocks) if (this.#disk.failed(digest, step.now.monoMs)) this.#pull.reopen(digest)
    for (const release of whole) {
      const job = this.#jobs.get(release)
      if (job !== undefined) job.closing = false
    }
    step.wakeAt(this.#disk.pausedUntilMonoMs)
  }

  /** A disk that takes nothing: what is asked for would come in vain, over and over. The store says when it takes bytes again. */
  onStoreMode(step: Step, journey: Journey, isReadOnly: boolean, isShort = false): void {
    this.#disk.setMode(isReadOnly, isShort)
    // Nobody was to bring anything meanwhile.
    for (const job of this.#jobs.all()) {
      job.progressMonoMs = step.now.monoMs
      // What is all here is asked of nobody: it waits for no pause.
      this.#advance(step, journey, job, isReadOnly)
    }
    this.#pump(step, journey)
  }

  onBlockRead(step: Step, journey: Journey, { digest, bytes }: EventOf<'blockRead'>): void {
    for (const job of this.#jobs.naming(digest)) {
      if (!job.checking.delete(digest)) continue
      if (bytes === undefined) this.#need(step, journey, job, digest)
      else if (job.nextPage === digest) this.#takePage(step, journey, job, bytes)
      this.#advance(step, journey, job)
    }
    this.#pump(step, journey)
  }

  /** They counted as here when the manifest was read; whoever still fetches asks for them after all. */
  onBlocksLost(step: Step, journey: Journey, digests: readonly Digest[]): void {
    for (const digest of digests)
      for (const job of this.#jobs.naming(digest))
        if (!job.checking.has(digest)) this.#need(step, journey, job, digest)
    this.#pump(step, journey)
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    const told = this.#pull.onAnswer(step, id, reply)
    if (told === undefined && !this.#pull.onReply(step, journey, id, reply)) return false
    // Of very many its turn would come much later.
    this.#pump(step, journey, undefined, told === undefined ? undefined : this.#jobs.get(told))
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId, code: Code, alive: boolean): boolean {
    if (!this.#pull.onRequestFailed(step, id, code, alive)) return false
    this.#pump(step, journey)
    return true
  }

  onAdmitted(step: Step, journey: Journey, peer: PeerId): void {
    this.#pull.onAdmitted(step, journey, peer)
    this.#offers.onAdmitted(step)
    this.#pump(step, journey)
  }

  onDisconnected(step: Step, journey: Journey, peer: PeerId): void {
    this.#pull.onDisconnected(peer, step.now.monoMs)
    this.#sources.forgetPeer(peer)
    this.#offers.onDisconnected(peer)
    for (const job of this.#jobs.all()) job.onDisconnected(peer, step.now.monoMs)
    this.#pump(step, journey)
  }

  onTick(step: Step, journey: Journey): void {
    this.#offers.onTick(step, journey)
    // What is still out says something of whom it was asked of, be the release whole by now.
    this.#pull.lookForSilence(step)
    const some = this.#jobs.inTurn()
    if (some.length === 0) return
    for (const job of some) this.#advance(step, journey, job)
    if (!this.#disk.takesNoBlocks) this.#disk.complain(step, UNAVAILABLE_MS)
    const stuck = this.stuck(step.now.monoMs, UNAVAILABLE_MS, some)
    for (const job of complain(step, stuck, this.#hooks, () => journey.admitted(), UNAVAILABLE_MS))
      this.stop(step, job.release.id)
    this.#pump(step, journey)
  }

  /** Read the next page off the disk, check a few blocks, or close, unless the disk takes nothing now. */
  #advance(
    step: Step,
    journey: Journey,
    job: FetchJob,
    isPaused = this.#disk.isPaused(step.now.monoMs),
  ): void {
    // Replaced a moment ago, and dropped: a record that it is whole would come behind the one that drops it, and stay.
    if (journey.envelope(job.release.id) === undefined) return this.stop(step, job.release.id)
    if (job.refused || job.closing) return
    const page = job.nextPage
    if (page !== undefined) {
      if (journey.hasBlock(page) && !job.checking.has(page)) this.#read(step, job, page)
      return
    }
    while (job.checking.size < MAX_CHECKS) {
      const digest = job.unchecked.pop()
      if (digest === undefined) break
      this.#read(step, job, digest)
    }
    if (job.isComplete && job.stillWhole) {
      // Nothing of it was lost: nobody hears of that.
      this.#jobs.end(job.release.id)
      return this.#sources.ended(job.release.id)
    }
    if (!job.isComplete || isPaused) return
    job.closing = true
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'whole', release: job.release.id }], sync: true })
  }

  /** Asked for, unless it is under way already, for whatever release. */
  #need(step: Step, journey: Journey, job: FetchJob, digest: Digest): void {
    const isFirst = job.missing.size === 0
    if (!job.need(journey, digest)) return
    this.#lacks(step, journey, job)
    if (isFirst) job.progressMonoMs = step.now.monoMs
    this.#pull.reopen(digest)
  }

  /** It is whole no more, and fetched as any other: what was said of it to neighbours is not so. */
  #lacks(step: Step, journey: Journey, job: FetchJob): void {
    if (!job.stillWhole) return
    job.stillWhole = false
    this.#offers.stop(job.release.id)
    this.#hooks.lacks(step, job.release.id)
    this.#offers.onHere(step, journey, job, job.firstBlock)
  }

  #read(step: Step, job: FetchJob, digest: Digest): void {
    job.checking.add(digest)
    step.emit({ kind: 'read', digest })
  }

  #takePage(step: Step, journey: Journey, job: FetchJob, bytes: Uint8Array): void {
    const from = job.stillWhole ? undefined : job.digests.length
    const isFirst = job.missing.size === 0
    try {
      for (const digest of this.#jobs.takePage(job, journey, bytes)) this.#pull.reopen(digest)
    } catch (error) {
      if (!isMeshError(error)) throw error
      this.#lacks(step, journey, job)
      return this.#refuse(step, job, { code: error.code, text: error.message })
    }
    // Until now nobody was to bring anything: reading what is here may have taken long.
    if (isFirst) job.progressMonoMs = step.now.monoMs
    if (job.missing.size > 0) this.#lacks(step, journey, job)
    // What still counts as whole was offered as whole; where it does no longer, `#lacks` has told of all that is here.
    if (from !== undefined) this.#offers.onHere(step, journey, job, from)
  }

  /** Sizes are what the bounds of a release were reckoned by: one that lies of them is not fetched. */
  #fits(step: Step, job: FetchJob, digest: Digest, bytes: Uint8Array): boolean {
    const wrong = job.misfit(digest, bytes.length)
    if (wrong !== undefined) this.#refuse(step, job, wrong)
    return wrong === undefined
  }

  #refuse(step: Step, job: FetchJob, why: OverLimit): void {
    job.refuse(why)
    this.#hooks.failed(step, job.channel, job.release.id, why.code, why.text)
  }

  #settle(step: Step, journey: Journey, digest: Digest): void {
    for (const job of this.#jobs.naming(digest)) {
      if (!job.got(digest)) continue
      const place = job.place(digest)
      this.#advance(step, journey, job)
      // What was dropped meanwhile is offered to nobody.
      if (place !== undefined && this.#jobs.get(job.release.id) !== undefined)
        this.#offers.onBlock(step, job, place)
    }
  }

  #pump(step: Step, journey: Journey, only?: FetchJob, first?: FetchJob): void {
    if (this.#disk.takesNoBlocks) return
    if (this.#disk.isPaused(step.now.monoMs)) step.wakeAt(this.#disk.pausedUntilMonoMs)
    else this.#pull.pump(step, journey, only, first)
  }
}
