/**
 * Content of a release: pages first, in their order, since each is checked against those before; then blocks, a
 * random one from a random peer that has it, every one against its digest. What is here already is not asked for.
 * Block bytes live only in the effect that writes them.
 */
import { sha256 } from '../codec/digest.ts'
import { ManifestReader } from '../codec/manifest.ts'
import { decodePage } from '../codec/page.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, BlocksReply } from '../model/messages.ts'
import type { Release } from '../model/release.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import { createSources, type Sources } from './sources.ts'
import type { Step } from './step.ts'

/** Without a block for so long the fetch says so, and goes on. */
const UNAVAILABLE_MS = 30_000
/** After the disk refused a write. */
const DISK_RETRY_MS = 5_000
/** Blocks being checked on disk at once, where a fetch looks for damage. */
const MAX_CHECKS = 8

interface Job {
  readonly release: Release
  readonly channel: Channel
  readonly sinceMonoMs: number
  /** Read stored blocks, too, before they count: some turned out to be damaged. */
  readonly check: boolean
  readonly reader: ManifestReader
  /** Pages decoded so far. */
  pages: number
  blocks: number
  /** Not durable here: queued, asked for or being written. */
  readonly missing: Set<Digest>
  readonly queue: Digest[]
  readonly unchecked: Digest[]
  readonly checking: Set<Digest>
  progressMonoMs: number
  unavailable: boolean
  refused: boolean
  closing: boolean
}

interface Asked {
  readonly digest: Digest
  readonly release: ReleaseId
  readonly peer: PeerId
  readonly sinceMonoMs: number
}

export interface FetchProgress {
  readonly have: number
  readonly blocks: number
  readonly sinceMonoMs: number
}

export interface FetchHooks {
  /** The content can never be right: the publisher's fault, the gate stays closed. Or it cannot be had for now. */
  failed(step: Step, channel: Channel, release: ReleaseId, code: Code, text: string): void
}

export function createFetch(config: CoreConfig, hooks: FetchHooks) {
  const { limits } = config
  const jobs = new Map<ReleaseId, Job>()
  const asked = new Map<RequestId, Asked>()
  /** Who was asked for a block and has not answered. */
  const asking = new Map<Digest, Set<PeerId>>()
  const writing = new Set<Digest>()
  const redirects = new Map<PeerId, number>()
  const sources: Sources = createSources(limits)
  let pausedUntilMonoMs = 0

  function start(
    step: Step,
    journey: Journey,
    release: Release,
    options: { readonly check?: boolean } = {},
  ): void {
    if (jobs.has(release.id) || journey.isWhole(release.id)) return
    const job: Job = {
      release,
      channel: release.header.channel,
      sinceMonoMs: step.now.monoMs,
      check: options.check === true,
      reader: new ManifestReader(release.header, limits),
      pages: 0,
      blocks: release.header.pages.length,
      missing: new Set(),
      queue: [],
      unchecked: [],
      checking: new Set(),
      progressMonoMs: step.now.monoMs,
      unavailable: false,
      refused: false,
      closing: false,
    }
    jobs.set(release.id, job)
    for (const page of release.header.pages) need(journey, job, page)
    advance(step, journey, job)
    pump(step, journey)
  }

  function need(journey: Journey, job: Job, digest: Digest): void {
    if (journey.hasBlock(digest) || job.missing.has(digest)) return
    job.missing.add(digest)
    job.queue.push(digest)
  }

  /** Read the next page off the disk, check a few blocks, or close. */
  function advance(step: Step, journey: Journey, job: Job): void {
    if (job.refused || job.closing) return
    const page = job.release.header.pages[job.pages]
    if (page !== undefined) {
      if (journey.hasBlock(page) && !job.checking.has(page)) read(step, job, page)
      return
    }
    while (job.checking.size < MAX_CHECKS) {
      const digest = job.unchecked.pop()
      if (digest === undefined) break
      read(step, job, digest)
    }
    if (job.missing.size > 0 || job.checking.size > 0) return
    job.closing = true
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'whole', release: job.release.id }], sync: true })
  }

  function read(step: Step, job: Job, digest: Digest): void {
    job.checking.add(digest)
    step.emit({ kind: 'read', digest })
  }

  /** The next page is at hand: check it against those before, then ask for what it names. */
  function takePage(step: Step, journey: Journey, job: Job, bytes: Uint8Array): void {
    try {
      const page = decodePage(bytes, limits)
      job.reader.add(page)
      job.pages++
      if (job.pages === job.release.header.pages.length) job.reader.end()
      for (const entry of page) for (const block of entry.blocks) takeBlock(journey, job, block.digest)
    } catch (error) {
      if (!isMeshError(error)) throw error
      job.refused = true
      job.queue.length = 0
      hooks.failed(step, job.channel, job.release.id, error.code, error.message)
    }
  }

  function takeBlock(journey: Journey, job: Job, digest: Digest): void {
    job.blocks++
    if (job.check && journey.hasBlock(digest)) job.unchecked.push(digest)
    else need(journey, job, digest)
  }

  /** Ask for as much as the limits allow. */
  function pump(step: Step, journey: Journey): void {
    if (step.now.monoMs < pausedUntilMonoMs) return step.wakeAt(pausedUntilMonoMs)
    for (const job of jobs.values()) {
      if (asking.size + writing.size >= limits.maxWants) break
      const blocked: Digest[] = []
      while (job.queue.length > 0 && asking.size + writing.size < limits.maxWants) {
        const digest = takeRandom(job.queue)
        if (!job.missing.has(digest) || writing.has(digest)) continue
        if (asking.has(digest)) {
          blocked.push(digest)
          continue
        }
        if (journey.hasBlock(digest)) {
          settleBlock(step, journey, digest)
          continue
        }
        if (ask(step, journey, job, digest)) continue
        blocked.push(digest)
        break
      }
      job.queue.push(...blocked)
    }
    const open = [...jobs.values()].filter((job) => !job.refused)
    if (open.length === 0) return
    const soonMs = Math.min(limits.avoidPeerMs, limits.blockSilenceMs) / 4
    step.wakeAt(step.now.monoMs + (open.every((job) => job.unavailable) ? limits.avoidPeerMs : soonMs))
  }

  function takeRandom(queue: Digest[]): Digest {
    const at = Math.floor(config.random() * queue.length)
    const taken = queue[at] as Digest
    queue[at] = queue[queue.length - 1] as Digest
    queue.length--
    return taken
  }

  function ask(step: Step, journey: Journey, job: Job, digest: Digest): boolean {
    const except = asking.get(digest) ?? new Set<PeerId>()
    const want = { release: job.release.id, channel: job.channel, except }
    const peer = sources.choose(want, journey.admitted(), step.now.monoMs, config.random)
    if (peer === undefined) return false
    askPeer(step, job.release.id, digest, peer)
    return true
  }

  function askPeer(step: Step, release: ReleaseId, digest: Digest, peer: PeerId): void {
    const id = step.nextRequest()
    asked.set(id, { digest, release, peer, sinceMonoMs: step.now.monoMs })
    asking.set(digest, new Set(asking.get(digest)).add(peer))
    sources.asked(peer, 1)
    const failed = redirects.has(peer)
    redirects.delete(peer)
    const message = failed ? ({ type: 'want', digest, failed } as const) : ({ type: 'want', digest } as const)
    step.emit({
      kind: 'request',
      id,
      peer,
      request: { protocol: 'blocks', message },
      timeoutMs: limits.blockDeadlineMs,
    })
  }

  /** The request has ended, whatever the answer. */
  function close(id: RequestId): Asked | undefined {
    const ask = asked.get(id)
    if (ask === undefined) return undefined
    asked.delete(id)
    sources.asked(ask.peer, -1)
    const left = asking.get(ask.digest)
    left?.delete(ask.peer)
    if (left?.size === 0) asking.delete(ask.digest)
    return ask
  }

  /** Nobody is asked for it any more: back into the queues of those who need it. */
  function requeue(digest: Digest): void {
    if (asking.has(digest) || writing.has(digest)) return
    for (const job of jobs.values())
      if (job.missing.has(digest) && !job.refused && !job.queue.includes(digest)) job.queue.push(digest)
  }

  function answer(step: Step, journey: Journey, ask: Asked, reply: BlocksReply): void {
    const { monoMs } = step.now
    switch (reply.type) {
      case 'block':
        return receive(step, journey, ask, reply.bytes)
      case 'gone':
        return sources.lacks(ask.release, ask.peer, monoMs)
      case 'busy':
        return sources.avoid(
          ask.peer,
          monoMs + Math.min(Math.max(reply.retryAfterMs, limits.busyRetryMs), limits.blockDeadlineMs),
        )
      case 'redirect':
        sources.avoid(ask.peer, monoMs + limits.avoidPeerMs)
        sources.promised(ask.release, reply.peer)
        redirects.set(ask.peer, monoMs)
        if (journey.session(reply.peer)?.hello !== undefined)
          return askPeer(step, ask.release, ask.digest, reply.peer)
        // Only a seed sends others on: from anyone else it would make this node dial whomever a peer names.
        if (reply.addresses[0] !== undefined && journey.session(ask.peer)?.hello?.submit === true)
          step.emit({ kind: 'dial', address: reply.addresses[0] })
        return
      default:
        return sources.avoid(ask.peer, monoMs + limits.blockDeadlineMs)
    }
  }

  function receive(step: Step, journey: Journey, ask: Asked, bytes: Uint8Array): void {
    if (bytes.length > limits.maxBlockBytes || sha256(bytes) !== ask.digest) {
      sources.lied(ask.release, ask.peer)
      const text = 'a block did not match its digest; this peer is asked for nothing more of the release'
      step.emit({
        kind: 'note',
        level: 'warn',
        code: 'BLOCK_DIGEST',
        text,
        peer: ask.peer,
        release: ask.release,
      })
      return
    }
    step.emit({ kind: 'count', metric: 'blocks_received', by: 1 })
    offer(step, journey, ask.digest, bytes)
  }

  /** A checked block, from whomever: written if some job needs it. */
  function offer(step: Step, journey: Journey, digest: Digest, bytes: Uint8Array): void {
    if (writing.has(digest) || journey.hasBlock(digest)) return
    const needed = [...jobs.values()].filter((job) => job.missing.has(digest))
    if (needed.length === 0) return
    writing.add(digest)
    const ticket = step.nextTicket()
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'block', digest, bytes }], sync: false })
    for (const job of needed) {
      job.progressMonoMs = step.now.monoMs
      if (job.release.header.pages[job.pages] === digest && !job.checking.has(digest))
        takePage(step, journey, job, bytes)
    }
  }

  /** A block is durable: whoever waited for it goes on. */
  function settleBlock(step: Step, journey: Journey, digest: Digest): void {
    writing.delete(digest)
    for (const job of jobs.values()) if (job.missing.delete(digest)) advance(step, journey, job)
  }

  function hedge(step: Step, journey: Journey): void {
    for (const ask_ of [...asked.values()]) {
      const job = jobs.get(ask_.release)
      if (job === undefined || step.now.monoMs - ask_.sinceMonoMs < limits.blockSilenceMs) continue
      sources.avoid(ask_.peer, step.now.monoMs + limits.avoidPeerMs)
      if ((asking.get(ask_.digest)?.size ?? 0) < 2 && job.missing.has(ask_.digest))
        ask(step, journey, job, ask_.digest)
    }
  }

  function complain(step: Step): void {
    for (const job of jobs.values()) {
      if (job.unavailable || job.refused || step.now.monoMs - job.progressMonoMs < UNAVAILABLE_MS) continue
      job.unavailable = true
      const text = `${job.missing.size} blocks of release ${job.release.id.slice(0, 12)} cannot be had from any peer; asking on`
      hooks.failed(step, job.channel, job.release.id, 'FETCH_UNAVAILABLE', text)
    }
  }

  return {
    start,
    offer,
    /** A newer target, or none: no more is asked for; what is here stays. */
    stop(release: ReleaseId): void {
      jobs.delete(release)
      sources.forgetRelease(release)
    },
    running: (): Iterable<{ readonly release: ReleaseId; readonly channel: Channel }> =>
      [...jobs.values()].map((job) => ({ release: job.release.id, channel: job.channel })),
    promised: sources.promised,
    progress(release: ReleaseId): FetchProgress | undefined {
      const job = jobs.get(release)
      if (job === undefined) return undefined
      return { have: job.blocks - job.missing.size, blocks: job.blocks, sinceMonoMs: job.sinceMonoMs }
    },
    isRefused: (release: ReleaseId): boolean => jobs.get(release)?.refused === true,
    onBlock(step: Step, journey: Journey, digest: Digest): void {
      settleBlock(step, journey, digest)
      pump(step, journey)
    },
    /** The release is whole: the job ends. @returns milliseconds it took, undefined where there was none. */
    onWhole(step: Step, release: ReleaseId): number | undefined {
      const job = jobs.get(release)
      jobs.delete(release)
      sources.forgetRelease(release)
      return job === undefined ? undefined : step.now.monoMs - job.sinceMonoMs
    },
    onWriteFailed(step: Step, blocks: readonly Digest[], whole: readonly ReleaseId[]): void {
      pausedUntilMonoMs = step.now.monoMs + DISK_RETRY_MS
      for (const digest of blocks) if (writing.delete(digest)) requeue(digest)
      for (const release of whole) {
        const job = jobs.get(release)
        if (job !== undefined) job.closing = false
      }
      step.wakeAt(pausedUntilMonoMs)
    },
    onBlockRead(step: Step, journey: Journey, event: EventOf<'blockRead'>): void {
      for (const job of jobs.values()) {
        if (!job.checking.delete(event.digest)) continue
        if (event.bytes === undefined) need(journey, job, event.digest)
        else if (job.release.header.pages[job.pages] === event.digest)
          takePage(step, journey, job, event.bytes)
        advance(step, journey, job)
      }
      pump(step, journey)
    },
    onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
      const ask = close(id)
      if (ask === undefined) return false
      if (reply.protocol === 'blocks') answer(step, journey, ask, reply.message)
      requeue(ask.digest)
      pump(step, journey)
      return true
    },
    onRequestFailed(step: Step, journey: Journey, id: RequestId, code: Code): boolean {
      const ask = close(id)
      if (ask === undefined) return false
      sources.avoid(ask.peer, step.now.monoMs + limits.avoidPeerMs)
      const text = `no block from this peer (${code}); another is asked`
      step.emit({
        kind: 'note',
        level: 'debug',
        code: 'BLOCK_TIMEOUT',
        text,
        peer: ask.peer,
        release: ask.release,
      })
      requeue(ask.digest)
      pump(step, journey)
      return true
    },
    onAdmitted: (step: Step, journey: Journey): void => pump(step, journey),
    onDisconnected: (peer: PeerId): void => {
      sources.forgetPeer(peer)
      redirects.delete(peer)
    },
    onTick(step: Step, journey: Journey): void {
      if (jobs.size === 0) return
      for (const job of jobs.values()) advance(step, journey, job)
      hedge(step, journey)
      complain(step)
      pump(step, journey)
    },
  }
}

export type Fetch = ReturnType<typeof createFetch>
