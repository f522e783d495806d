/**
 * Content of a release: pages first, in their order, since each is checked against those before; then blocks, a
 * random one from a random peer that has it, every one against its digest. What is here already is not asked for.
 * Block bytes live only in the effect that writes them.
 */
import { sha256 } from '../codec/digest.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, BlocksReply } from '../model/messages.ts'
import type { Release } from '../model/release.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { FetchJob } from './fetch-job.ts'
import type { Journey } from './journey.ts'
import { createSources, type Sources } from './sources.ts'
import type { Step } from './step.ts'
import { type Asked, Wants } from './wants.ts'

/** Without a block for so long the fetch says so, and goes on. */
const UNAVAILABLE_MS = 30_000
/** After the disk refused a write. */
const DISK_RETRY_MS = 5_000
/** Blocks being checked on disk at once, where a fetch looks for damage. */
const MAX_CHECKS = 8

export interface FetchProgress {
  readonly have: number
  readonly blocks: number
  readonly sinceMonoMs: number
}

export interface FetchHooks {
  /** The content can never be right: the publisher's fault, the gate stays closed. Or it cannot be had for now. */
  failed(step: Step, channel: Channel, release: ReleaseId, code: Code, text: string): void
}

export class Fetch {
  readonly #config: CoreConfig
  readonly #hooks: FetchHooks
  readonly #sources: Sources
  readonly #jobs = new Map<ReleaseId, FetchJob>()
  readonly #wants = new Wants()
  readonly #writing = new Set<Digest>()
  /** Seeds that sent us on: asked again, they are told that it failed. */
  readonly #redirectedBy = new Set<PeerId>()
  #pausedUntilMonoMs = 0

  constructor(config: CoreConfig, hooks: FetchHooks) {
    this.#config = config
    this.#hooks = hooks
    this.#sources = createSources(config.limits)
  }

  start(step: Step, journey: Journey, release: Release, check = false): void {
    if (this.#jobs.has(release.id) || journey.isWhole(release.id)) return
    const job = new FetchJob(release, check, step.now.monoMs, this.#config.limits)
    this.#jobs.set(release.id, job)
    for (const page of release.header.pages) job.need(journey, page)
    this.#advance(step, journey, job)
    this.#pump(step, journey)
  }

  /** A newer target, or none: no more is asked for; what is here stays. */
  stop(release: ReleaseId): void {
    this.#jobs.delete(release)
    this.#sources.forgetRelease(release)
  }

  running(): readonly { readonly release: ReleaseId; readonly channel: Channel }[] {
    return [...this.#jobs.values()].map(({ release, channel }) => ({ release: release.id, channel }))
  }

  /** The peer says that it holds the whole release. */
  promised(release: ReleaseId, peer: PeerId): void {
    this.#sources.promised(release, peer)
  }

  progress(release: ReleaseId): FetchProgress | undefined {
    const job = this.#jobs.get(release)
    if (job === undefined) return undefined
    return { have: job.blocks - job.missing.size, blocks: job.blocks, sinceMonoMs: job.sinceMonoMs }
  }

  /** A block whose digest was checked, from whomever: written if some job needs it. */
  offer(step: Step, journey: Journey, digest: Digest, bytes: Uint8Array): void {
    if (this.#writing.has(digest) || journey.hasBlock(digest)) return
    const needed = [...this.#jobs.values()].filter((job) => job.missing.has(digest))
    if (needed.length === 0) return
    this.#writing.add(digest)
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'block', digest, bytes }], sync: false })
    for (const job of needed) {
      job.progressMonoMs = step.now.monoMs
      if (job.nextPage === digest && !job.checking.has(digest)) this.#takePage(step, journey, job, bytes)
    }
  }

  /** A block is durable: whoever waited for it goes on. */
  onBlock(step: Step, journey: Journey, digest: Digest): void {
    this.#settle(step, journey, digest)
    this.#pump(step, journey)
  }

  /** The release is whole: the job ends. @returns milliseconds it took, undefined where there was none. */
  onWhole(step: Step, release: ReleaseId): number | undefined {
    const job = this.#jobs.get(release)
    this.stop(release)
    return job === undefined ? undefined : step.now.monoMs - job.sinceMonoMs
  }

  onWriteFailed(step: Step, blocks: readonly Digest[], whole: readonly ReleaseId[]): void {
    this.#pausedUntilMonoMs = step.now.monoMs + DISK_RETRY_MS
    for (const digest of blocks) if (this.#writing.delete(digest)) this.#requeue(digest)
    for (const release of whole) {
      const job = this.#jobs.get(release)
      if (job !== undefined) job.closing = false
    }
    step.wakeAt(this.#pausedUntilMonoMs)
  }

  onBlockRead(step: Step, journey: Journey, { digest, bytes }: EventOf<'blockRead'>): void {
    for (const job of this.#jobs.values()) {
      if (!job.checking.delete(digest)) continue
      if (bytes === undefined) job.need(journey, digest)
      else if (job.nextPage === digest) this.#takePage(step, journey, job, bytes)
      this.#advance(step, journey, job)
    }
    this.#pump(step, journey)
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    const asked = this.#close(id)
    if (asked === undefined) return false
    if (reply.protocol === 'blocks') this.#answered(step, journey, asked, reply.message)
    this.#requeue(asked.digest)
    this.#pump(step, journey)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId, code: Code): boolean {
    const asked = this.#close(id)
    if (asked === undefined) return false
    const { peer, release } = asked
    this.#sources.avoid(peer, step.now.monoMs + this.#config.limits.avoidPeerMs)
    const text = `no block from this peer (${code}); another is asked`
    step.emit({ kind: 'note', level: 'debug', code: 'BLOCK_TIMEOUT', text, peer, release })
    this.#requeue(asked.digest)
    this.#pump(step, journey)
    return true
  }

  onAdmitted(step: Step, journey: Journey): void {
    this.#pump(step, journey)
  }

  onDisconnected(peer: PeerId): void {
    this.#sources.forgetPeer(peer)
    this.#redirectedBy.delete(peer)
  }

  onTick(step: Step, journey: Journey): void {
    if (this.#jobs.size === 0) return
    for (const job of this.#jobs.values()) this.#advance(step, journey, job)
    this.#hedge(step, journey)
    this.#complain(step)
    this.#pump(step, journey)
  }

  /** Read the next page off the disk, check a few blocks, or close. */
  #advance(step: Step, journey: Journey, job: FetchJob): void {
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
    if (!job.isComplete) return
    job.closing = true
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'whole', release: job.release.id }], sync: true })
  }

  #read(step: Step, job: FetchJob, digest: Digest): void {
    job.checking.add(digest)
    step.emit({ kind: 'read', digest })
  }

  #takePage(step: Step, journey: Journey, job: FetchJob, bytes: Uint8Array): void {
    try {
      job.takePage(journey, bytes)
    } catch (error) {
      if (!isMeshError(error)) throw error
      job.refuse()
      this.#hooks.failed(step, job.channel, job.release.id, error.code, error.message)
    }
  }

  #settle(step: Step, journey: Journey, digest: Digest): void {
    this.#writing.delete(digest)
    for (const job of this.#jobs.values()) if (job.missing.delete(digest)) this.#advance(step, journey, job)
  }

  get #isFull(): boolean {
    return this.#wants.size + this.#writing.size >= this.#config.limits.maxWants
  }

  /** Ask for as much as the limits allow. */
  #pump(step: Step, journey: Journey): void {
    if (step.now.monoMs < this.#pausedUntilMonoMs) return step.wakeAt(this.#pausedUntilMonoMs)
    for (const job of this.#jobs.values()) {
      if (this.#isFull) break
      this.#pumpJob(step, journey, job)
    }
    const open = [...this.#jobs.values()].filter((job) => !job.refused)
    if (open.length === 0) return
    const { avoidPeerMs, blockSilenceMs } = this.#config.limits
    const hopeless = open.every((job) => job.unavailable)
    step.wakeAt(step.now.monoMs + (hopeless ? avoidPeerMs : Math.min(avoidPeerMs, blockSilenceMs) / 4))
  }

  #pumpJob(step: Step, journey: Journey, job: FetchJob): void {
    const later: Digest[] = []
    while (!this.#isFull) {
      const digest = job.takeRandom(this.#config.random())
      if (digest === undefined) break
      if (!job.missing.has(digest) || this.#writing.has(digest)) continue
      if (journey.hasBlock(digest)) this.#settle(step, journey, digest)
      else if (this.#wants.has(digest)) later.push(digest)
      else if (!this.#ask(step, journey, job, digest)) {
        later.push(digest)
        break
      }
    }
    job.queue.push(...later)
  }

  #ask(step: Step, journey: Journey, job: FetchJob, digest: Digest): boolean {
    const want = { release: job.release.id, channel: job.channel, except: this.#wants.peers(digest) }
    const peer = this.#sources.choose(want, journey.admitted(), step.now.monoMs, this.#config.random)
    if (peer !== undefined) this.#askPeer(step, want.release, digest, peer)
    return peer !== undefined
  }

  #askPeer(step: Step, release: ReleaseId, digest: Digest, peer: PeerId): void {
    const id = step.nextRequest()
    const timeoutMs = this.#config.limits.blockDeadlineMs
    this.#wants.open(id, { digest, release, peer, sinceMonoMs: step.now.monoMs })
    this.#sources.asked(peer, 1)
    const failed = this.#redirectedBy.delete(peer)
    const message = failed ? ({ type: 'want', digest, failed } as const) : ({ type: 'want', digest } as const)
    step.emit({ kind: 'request', id, peer, request: { protocol: 'blocks', message }, timeoutMs })
  }

  #close(id: RequestId): Asked | undefined {
    const asked = this.#wants.close(id)
    if (asked !== undefined) this.#sources.asked(asked.peer, -1)
    return asked
  }

  /** Nobody is asked for it any more: back into the queues of those who need it. */
  #requeue(digest: Digest): void {
    if (this.#wants.has(digest) || this.#writing.has(digest)) return
    for (const job of this.#jobs.values()) job.requeue(digest)
  }

  #answered(step: Step, journey: Journey, asked: Asked, reply: BlocksReply): void {
    const { limits } = this.#config
    const { monoMs } = step.now
    switch (reply.type) {
      case 'block':
        return this.#receive(step, journey, asked, reply.bytes)
      case 'gone':
        return this.#sources.lacks(asked.release, asked.peer, monoMs)
      case 'busy': {
        const waitMs = Math.min(Math.max(reply.retryAfterMs, limits.busyRetryMs), limits.blockDeadlineMs)
        return this.#sources.avoid(asked.peer, monoMs + waitMs)
      }
      case 'redirect':
        return this.#redirected(step, journey, asked, reply)
      default:
        return this.#sources.avoid(asked.peer, monoMs + limits.blockDeadlineMs)
    }
  }

  #redirected(
    step: Step,
    journey: Journey,
    { peer, release, digest }: Asked,
    to: Extract<BlocksReply, { type: 'redirect' }>,
  ): void {
    this.#sources.avoid(peer, step.now.monoMs + this.#config.limits.avoidPeerMs)
    // Only a seed sends others on: from anyone else it would make this node dial whomever a peer names.
    if (journey.session(peer)?.hello?.submit !== true) return
    this.#sources.promised(release, to.peer)
    this.#redirectedBy.add(peer)
    if (journey.session(to.peer)?.hello !== undefined) this.#askPeer(step, release, digest, to.peer)
    else if (to.addresses[0] !== undefined) step.emit({ kind: 'dial', address: to.addresses[0] })
  }

  #receive(step: Step, journey: Journey, { peer, release, digest }: Asked, bytes: Uint8Array): void {
    if (bytes.length > this.#config.limits.maxBlockBytes || sha256(bytes) !== digest) {
      this.#sources.lied(release, peer)
      const text = 'a block did not match its digest; this peer is asked for nothing more of the release'
      step.emit({ kind: 'note', level: 'warn', code: 'BLOCK_DIGEST', text, peer, release })
      return
    }
    step.emit({ kind: 'count', metric: 'blocks_received', by: 1 })
    this.offer(step, journey, digest, bytes)
  }

  /** Whoever is silent is left alone for a while, and one more peer is asked for the same block. */
  #hedge(step: Step, journey: Journey): void {
    const { limits } = this.#config
    for (const { release, digest, peer, sinceMonoMs } of this.#wants.all()) {
      const job = this.#jobs.get(release)
      if (job === undefined || step.now.monoMs - sinceMonoMs < limits.blockSilenceMs) continue
      this.#sources.avoid(peer, step.now.monoMs + limits.avoidPeerMs)
      if (this.#wants.peers(digest).size < 2 && job.missing.has(digest)) this.#ask(step, journey, job, digest)
    }
  }

  #complain(step: Step): void {
    for (const job of this.#jobs.values()) {
      if (job.unavailable || job.refused || step.now.monoMs - job.progressMonoMs < UNAVAILABLE_MS) continue
      job.unavailable = true
      const id = job.release.id
      const text = `${job.missing.size} blocks of release ${id.slice(0, 12)} cannot be had from any peer; asking on`
      this.#hooks.failed(step, job.channel, id, 'FETCH_UNAVAILABLE', text)
    }
  }
}

export const createFetch = (config: CoreConfig, hooks: FetchHooks): Fetch => new Fetch(config, hooks)
