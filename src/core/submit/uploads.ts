/**
 * Takes the content of submissions: pages first, then the blocks they name that are not stored here, each checked
 * against its digest and written as it comes. Nothing of it is ordered before the batch that writes `whole`, so a
 * publisher that dies on the way leaves no trace in the fleet.
 */
import { sha256 } from '../../codec/digest.ts'
import { decodePage } from '../../codec/page.ts'
import { type Code, isMeshError } from '../../errors.ts'
import type { Digest, PeerId, ReleaseId } from '../../model/ids.ts'
import type { Release } from '../../model/release.ts'
import type { EventOf, RequestId, Ticket } from '../events.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'
import { answer, mib, type Refusal, refuse, refusedBy, tooMuchAlone, unwritten } from './answers.ts'
import { abandonedOf, overShareOf } from './gives-way.ts'
import { Upload } from './upload.ts'

export interface UploadHooks {
  /** Every page and block is here: order it. */
  complete(step: Step, journey: Journey, upload: Upload): void
  /** Ended in vain; those who waited for the next `need` are already answered. */
  ended(step: Step, upload: Upload, refusal: Refusal): void
}

interface Writing {
  readonly release: ReleaseId
  readonly digest: Digest
  /** Undefined: kept content that had to be written after all; nobody waits for it. */
  readonly id: RequestId | undefined
}

const GIVEN_UP: Refusal = { code: 'LIMIT_TIMEOUT', text: 'no progress for too long; submit again' }
const TOO_MANY: Refusal = {
  code: 'LIMIT_RATE',
  text: 'too many uploads under way at this seed',
  retryAfterMs: 5_000,
}
const GAVE_WAY: Refusal = {
  ...TOO_MANY,
  text: 'too many uploads under way at this seed, most of them of this publisher: one made room for another publisher; submit again',
}

export class Uploads {
  readonly #uploads = new Map<ReleaseId, Upload>()
  readonly #writing = new Map<Ticket, Writing>()
  readonly #hooks: UploadHooks
  #closed = 0

  constructor(hooks: UploadHooks) {
    this.#hooks = hooks
  }

  /** So many are done, or were given up. */
  get closed(): number {
    return this.#closed
  }

  /** Pages and blocks, as far as it is known by now which they are. */
  named(): readonly Digest[] {
    return [...this.#uploads.values()].flatMap(({ release, sizes }) => [
      ...release.header.pages,
      ...sizes.keys(),
    ])
  }

  get(release: ReleaseId): Upload | undefined {
    return this.#uploads.get(release)
  }

  /** Takes a place among the uploads, or says why there is none. The content is not asked for yet. */
  open(
    step: Step,
    journey: Journey,
    release: Release,
    envelope: Uint8Array,
    from: { peer: PeerId; host: string },
  ): Upload | Refusal {
    const { limits } = step.config
    if (release.header.bytes > limits.maxReleaseBytes)
      return { code: 'LIMIT_CONTENT', text: `a release has at most ${mib(limits.maxReleaseBytes)}` }
    const all = [...this.#uploads.values()]
    const sameHost = all.filter(({ host }) => host === from.host)
    const isHostFull = sameHost.length >= limits.maxUploadsPerAddress
    if (isHostFull || all.length >= limits.maxUploads) {
      const among = isHostFull ? sameHost : all
      const abandoned = abandonedOf(step, journey, among, release)
      const givesWay = abandoned ?? overShareOf(among, release)
      if (givesWay === undefined) return TOO_MANY
      this.end(step, givesWay, abandoned === undefined ? GAVE_WAY : GIVEN_UP)
    }
    const upload = new Upload(release, envelope, { ...from, monoMs: step.now.monoMs }, limits)
    this.#uploads.set(release.id, upload)
    step.wakeAt(step.now.monoMs + limits.leaseMs)
    return upload
  }

  /** The place is ours: ask for what is not here. */
  begin(step: Step, journey: Journey, upload: Upload): void {
    upload.phase = 'pages'
    upload.lacking = [...upload.release.header.pages]
    this.#goOn(step, journey, upload)
  }

  /**
   * Submitted again (a publisher that lost its connection): the same upload goes on. It has its time anew where something
   * has come since it was so last: to ask alone would hold its place for ever.
   */
  resume(step: Step, upload: Upload, { id, peer }: { readonly id: RequestId; readonly peer: PeerId }): void {
    upload.sender = peer
    if (upload.stagedBytes > upload.resumedBytes) upload.progressMonoMs = step.now.monoMs
    upload.resumedBytes = upload.stagedBytes
    if (upload.phase === 'finishing' || upload.need.size > 0)
      answer(step, id, needOf(upload, [...upload.need]))
    else upload.waiting.push(id)
  }

  receive(
    step: Step,
    journey: Journey,
    upload: Upload,
    request: { readonly id: RequestId; readonly peer: PeerId; readonly bytes: Uint8Array },
  ): void {
    const { limits } = step.config
    const digest = sha256(request.bytes)
    if (!upload.need.has(digest)) {
      if (this.#has(journey, upload, digest) || this.#isWriting(upload, digest))
        answer(step, request.id, { type: 'noted' })
      else
        refuse(step, request.id, request.peer, {
          code: 'BLOCK_UNWANTED',
          text: 'neither a page nor a block that was asked for',
        })
      return
    }
    const size = upload.sizes.get(digest)
    if (size !== undefined && size !== request.bytes.length) {
      this.end(
        step,
        upload,
        { code: 'LIMIT_CONTENT', text: 'a block has another size than the manifest says' },
        [request.id],
      )
      return
    }
    if (request.bytes.length > limits.maxBlockBytes) {
      const text = `a page of ${request.bytes.length} bytes, at most ${limits.maxBlockBytes} are taken, a limit of this seed (limits.maxBlockBytes and limits.maxPageBytes); name another seed, or raise both here`
      this.end(step, upload, { code: 'LIMIT_BYTES', text }, [request.id])
      return
    }
    const staged = (of: Iterable<Upload>) => [...of].reduce((sum, { stagedBytes }) => sum + stagedBytes, 0)
    const ofHost = [...this.#uploads.values()].filter(({ host }) => host === upload.host)
    if (
      staged(ofHost) + request.bytes.length > limits.maxStagedBytesPerAddress ||
      staged(this.#uploads.values()) + request.bytes.length > limits.maxStagedBytes
    ) {
      const most = `${mib(limits.maxStagedBytesPerAddress)} from one address, ${mib(limits.maxStagedBytes)} in all`
      const text = `more content under way than this seed takes: ${most}; publish again once other uploads have ended`
      this.end(step, upload, { code: 'LIMIT_RATE', text, retryAfterMs: 60_000 }, [request.id])
      return
    }
    upload.need.delete(digest)
    upload.stagedBytes += request.bytes.length
    upload.progressMonoMs = step.now.monoMs
    upload.sender = request.peer
    this.#stage(step, journey, upload, digest, request)
  }

  onPersisted(step: Step, journey: Journey, ticket: Ticket): ReleaseId | undefined {
    const writing = this.#writing.get(ticket)
    this.#writing.delete(ticket)
    const upload = writing === undefined ? undefined : this.#uploads.get(writing.release)
    if (writing === undefined || upload === undefined) return undefined
    upload.writing -= 1
    this.#arrived(step, journey, upload, writing.id)
    return upload.release.id
  }

  onPersistFailed(step: Step, ticket: Ticket, code: Code): void {
    const writing = this.#writing.get(ticket)
    this.#writing.delete(ticket)
    const upload = writing === undefined ? undefined : this.#uploads.get(writing.release)
    if (upload === undefined) return
    this.end(step, upload, unwritten(code), writing?.id === undefined ? [] : [writing.id])
  }

  onBlockRead(step: Step, journey: Journey, event: EventOf<'blockRead'>): void {
    for (const upload of [...this.#uploads.values()]) {
      if (!upload.reads.delete(event.digest)) continue
      if (upload.phase === 'reading') this.#pageRead(step, journey, upload, event.digest, event.bytes)
      else this.#filled(step, journey, upload, event.digest, event.bytes)
    }
  }

  onTick(step: Step): void {
    for (const upload of [...this.#uploads.values()]) {
      if (upload.phase === 'finishing') continue
      const endMonoMs = upload.progressMonoMs + step.config.limits.leaseMs
      if (endMonoMs <= step.now.monoMs) this.end(step, upload, GIVEN_UP)
      else step.wakeAt(endMonoMs)
    }
  }

  /** Ends what `judge` has something against by now. One that is being written has its own end. */
  review(step: Step, judge: (upload: Upload) => Refusal | undefined): void {
    for (const upload of [...this.#uploads.values()]) {
      const refusal = upload.phase === 'finishing' ? undefined : judge(upload)
      if (refusal !== undefined) this.end(step, upload, refusal)
    }
  }

  /** Gone for good, done or in vain. @returns who still has no answer: to what comes next, or to what is being written */
  close(upload: Upload): readonly RequestId[] {
    if (this.#uploads.delete(upload.release.id)) this.#closed += 1
    const unanswered = upload.waiting
    upload.waiting = []
    for (const [ticket, { release, id }] of this.#writing) {
      if (release !== upload.release.id) continue
      // Nor does that write count for another upload of the same release.
      this.#writing.delete(ticket)
      if (id !== undefined) unanswered.push(id)
    }
    return unanswered
  }

  end(step: Step, upload: Upload, refusal: Refusal, also: readonly RequestId[] = []): void {
    for (const id of [...this.close(upload), ...also]) answer(step, id, refusedBy(refusal))
    this.#hooks.ended(step, upload, refusal)
  }

  #has(journey: Journey, upload: Upload, digest: Digest): boolean {
    return upload.content?.has(digest) === true || journey.hasBlock(digest)
  }

  #isWriting({ release }: Upload, digest: Digest): boolean {
    return [...this.#writing.values()].some((one) => one.release === release.id && one.digest === digest)
  }

  #stage(
    step: Step,
    journey: Journey,
    upload: Upload,
    digest: Digest,
    { id, bytes }: { readonly id: RequestId; readonly bytes: Uint8Array },
  ): void {
    if (upload.keep(digest, bytes)) {
      this.#arrived(step, journey, upload, id)
      return
    }
    for (const [kept, keptBytes] of upload.spill()) this.#write(step, upload, kept, keptBytes, undefined)
    this.#write(step, upload, digest, bytes, id)
  }

  #write(step: Step, upload: Upload, digest: Digest, bytes: Uint8Array, id: RequestId | undefined): void {
    const ticket = step.nextTicket()
    upload.writing += 1
    this.#writing.set(ticket, { release: upload.release.id, digest, id })
    step.emit({ kind: 'persist', ticket, writes: [{ kind: 'block', digest, bytes }], sync: false })
  }

  /** Answers the one who sent it: `noted`, or, where it was the last of what was asked for, with what comes next. */
  #arrived(step: Step, journey: Journey, upload: Upload, id: RequestId | undefined): void {
    // What is read back may be lost, or be too much: the last read goes on.
    if (upload.need.size > 0 || upload.writing > 0 || upload.phase === 'filling') {
      if (id !== undefined) answer(step, id, { type: 'noted' })
      return
    }
    if (id !== undefined) upload.waiting.push(id)
    this.#goOn(step, journey, upload)
  }

  /** Asks for what is lacking; where nothing is, or nothing any more, goes on. */
  #goOn(step: Step, journey: Journey, upload: Upload): void {
    const batch = upload.askNext((digest) => this.#has(journey, upload, digest))
    if (batch.length > 0) this.#ask(step, upload, batch)
    else if (upload.phase === 'pages') this.#readOn(step, journey, upload)
    else if (upload.phase === 'blocks') this.#fill(step, journey, upload)
  }

  /** What a read has shown to be gone: asked for whatever the store says that it has. */
  #askLost(step: Step, upload: Upload): void {
    this.#ask(
      step,
      upload,
      upload.askNext(() => false),
    )
  }

  #ask(step: Step, upload: Upload, batch: readonly Digest[]): void {
    for (const id of upload.waiting) answer(step, id, needOf(upload, batch))
    upload.waiting = []
  }

  /** Pages in order, one at a time: memory stays flat whatever the number of files. */
  #readOn(step: Step, journey: Journey, upload: Upload): void {
    upload.phase = 'reading'
    for (let page = upload.nextPage; page !== undefined; page = upload.nextPage) {
      const kept = upload.content?.get(page)
      if (kept === undefined) {
        upload.reads.add(page)
        step.emit({ kind: 'read', digest: page })
        return
      }
      if (!this.#addPage(step, upload, kept)) return
    }
    const bytes = upload.stagedBytes + upload.lackingBytes((digest) => this.#has(journey, upload, digest))
    const refusal = tooMuchAlone(bytes, step.config.limits)
    if (refusal !== undefined) return this.end(step, upload, refusal)
    upload.phase = 'blocks'
    upload.lacking = [...upload.sizes.keys()]
    this.#goOn(step, journey, upload)
  }

  #pageRead(
    step: Step,
    journey: Journey,
    upload: Upload,
    digest: Digest,
    bytes: Uint8Array | undefined,
  ): void {
    if (bytes === undefined) {
      upload.phase = 'pages'
      upload.lacking = [digest]
      this.#askLost(step, upload)
      return
    }
    // What does not travel with its announcement is fetched by whoever hears of it: its pages go ahead.
    if (!upload.keep(digest, bytes)) journey.hand(step, [bytes])
    if (this.#addPage(step, upload, bytes)) this.#readOn(step, journey, upload)
  }

  #addPage(step: Step, upload: Upload, bytes: Uint8Array): boolean {
    try {
      upload.addPage(decodePage(bytes, step.config.limits))
      return true
    } catch (error) {
      if (!isMeshError(error)) throw error
      this.end(step, upload, { code: error.code, text: error.message })
      return false
    }
  }

  /** A small release travels with its announcement, so what the store has of it is read back. */
  #fill(step: Step, journey: Journey, upload: Upload): void {
    upload.phase = 'filling'
    const missing = [...upload.release.header.pages, ...upload.sizes.keys()].filter(
      (digest) => upload.content !== undefined && !upload.content.has(digest),
    )
    for (const digest of new Set(missing)) {
      upload.reads.add(digest)
      step.emit({ kind: 'read', digest })
    }
    if (upload.reads.size === 0) this.#complete(step, journey, upload)
  }

  #filled(step: Step, journey: Journey, upload: Upload, digest: Digest, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) upload.lacking.push(digest)
    else if (!upload.keep(digest, bytes))
      for (const [kept, keptBytes] of upload.spill()) this.#write(step, upload, kept, keptBytes, undefined)
    if (upload.reads.size > 0) return
    if (upload.lacking.length > 0) {
      upload.phase = 'blocks'
      this.#askLost(step, upload)
    } else if (upload.writing > 0) upload.phase = 'blocks'
    else this.#complete(step, journey, upload)
  }

  /**
   * Nothing protects what is here before it is ordered, also pages that were read: what was collected or found damaged
   * meanwhile is asked for once more, or it would be missing from the whole.
   */
  #complete(step: Step, journey: Journey, upload: Upload): void {
    const named = new Set([...upload.release.header.pages, ...upload.sizes.keys()])
    const gone = [...named].filter((digest) => !this.#has(journey, upload, digest))
    if (gone.length > 0) {
      upload.phase = 'blocks'
      upload.lacking = gone
      return this.#goOn(step, journey, upload)
    }
    upload.phase = 'finishing'
    this.#hooks.complete(step, journey, upload)
  }
}

const needOf = (upload: Upload, digests: readonly Digest[]) =>
  upload.phase === 'pages'
    ? ({ type: 'need', pages: digests, blocks: [] } as const)
    : ({ type: 'need', pages: [], blocks: digests } as const)
