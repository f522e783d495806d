/**
 * `publish/1` at a node: cheap questions anyone who reaches it may ask, and submissions. A submission is judged
 * first, takes the lease of its place, brings its content, and only then is ordered: in the one batch that makes it
 * whole. A seed takes submissions from anywhere, any other node from its own host.
 */
import type { Channel, PeerId, ReleaseId } from '../model/ids.ts'
import type { AnyReply, PublishRequest } from '../model/messages.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Checks } from './checks.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId, Ticket } from './events.ts'
import { hostOf, MAX_HOSTS } from './hosts.ts'
import type { Ingested, Journey } from './journey.ts'
import { LatestSet } from './latest.ts'
import { type Buckets, createBuckets } from './rate.ts'
import { isAdmitted, type Session } from './session.ts'
import type { Stage } from './stage.ts'
import type { Step } from './step.ts'
import { Acknowledge, whose } from './submit/acknowledge.ts'
import {
  accepted,
  answer,
  counted,
  ENDED,
  ended,
  equivocation,
  NOT_HERE,
  NOTHING_LACKS,
  placeTaken,
  type Refusal,
  ranked,
  refusalOf,
  refuse,
  TOO_MANY_WAIT,
  untaken,
  unwritten,
} from './submit/answers.ts'
import { Claims } from './submit/claims.ts'
import { Denials } from './submit/denials.ts'
import { type Compared, FirstCompare } from './submit/first-compare.ts'
import { dropEnded, dropLease, endLeases, LeaseTable } from './submit/leases.ts'
import { Lender } from './submit/lender.ts'
import { Questions } from './submit/questions.ts'
import { isOfEnded, type Upload } from './submit/upload.ts'
import { Uploads } from './submit/uploads.ts'

interface Ask {
  readonly id: RequestId
  readonly peer: PeerId
  readonly session: Session
  readonly message: PublishRequest
}

interface Sent extends Pick<Ask, 'id' | 'peer'> {
  readonly release: ReleaseId
  readonly bytes: Uint8Array
}

/** A submission whose last batch is on its way to disk. */
interface Ordering {
  readonly upload: Upload
  readonly verdict: Ingested['verdict']
  /** Written, but being looked through again: a block was lost meanwhile. */
  doubtfulUntilMonoMs: number | undefined
}

export class Submit implements Stage {
  readonly #config: CoreConfig
  readonly #leases: LeaseTable
  readonly #lender: Lender
  readonly #claims: Claims
  readonly #uploads: Uploads
  readonly #acknowledge: Acknowledge
  /** Batches that end with `whole`, by their ticket. */
  readonly #ordering = new Map<Ticket, Ordering>()
  /** By `whose` they are. */
  readonly #asks: Buckets<string>
  readonly #checks: Checks
  readonly #denials: Denials
  readonly #submits: Buckets<Channel>
  readonly #questions: Questions
  readonly #firstCompare: FirstCompare
  /** Releases whose upload ended in vain: what still comes of them is late, not unwanted. */
  readonly #late: LatestSet<ReleaseId>

  constructor(config: CoreConfig, checks: Checks, compared: Compared) {
    const { limits } = config
    this.#config = config
    this.#checks = checks
    this.#leases = new LeaseTable(limits.maxLeases)
    this.#lender = new Lender(this.#leases, config)
    this.#acknowledge = new Acknowledge(limits)
    this.#asks = createBuckets(limits.publishAsksPerSecond, limits.publishAsksBurst, MAX_HOSTS)
    this.#denials = new Denials(limits)
    this.#submits = createBuckets(limits.submitsPerMinute / 60, limits.submitsBurst, limits.maxChannels)
    this.#questions = new Questions(limits)
    this.#firstCompare = new FirstCompare(compared)
    this.#late = new LatestSet(limits.maxAnswered)
    this.#claims = new Claims(this.#leases, {
      granted: (step, journey, release) => {
        const upload = this.#uploads.get(release)
        if (upload !== undefined) this.#uploads.begin(step, journey, upload)
      },
      lost: (step, release, refusal) => {
        const upload = this.#uploads.get(release)
        if (upload !== undefined) this.#uploads.end(step, upload, refusal)
      },
    })
    this.#uploads = new Uploads({
      complete: (step, journey, upload) => this.#order(step, journey, upload),
      ended: (step, upload, refusal) => this.#ended(step, upload, refusal),
    })
  }

  /** Uploads under way: their blocks are named by nothing that is stored yet. */
  uploads(): Pick<Uploads, 'closed' | 'named'> {
    return this.#uploads
  }

  onStarted(step: Step, journey: Journey, { snapshot }: EventOf<'started'>): void {
    const expires = step.now.monoMs + this.#config.limits.leaseMs
    for (const record of snapshot.leases) this.#leases.put(record, expires)
    dropEnded(step, this.#leases, journey.root())
    if (snapshot.leases.length > 0) step.wakeAt(expires)
    this.#firstCompare.onStarted(step, snapshot)
  }

  onDisconnected(_step: Step, _journey: Journey, { peer }: EventOf<'disconnected'>): void {
    this.#asks.forget(peer)
    this.#claims.onDisconnected(peer)
    this.#acknowledge.onDisconnected(peer)
  }

  onRequest(step: Step, journey: Journey, event: EventOf<'request'>): boolean {
    if (event.request.protocol !== 'publish') return false
    const { id, peer } = event
    const { message } = event.request
    const session = journey.session(peer)
    const refused = (refusal: Refusal) => refuse(step, id, peer, refusal, message.type === 'submit')
    if (session === undefined || !(this.#config.submit || session.ownHost || isAdmitted(session)))
      refused(NOT_HERE)
    else if (
      message.type !== 'page' &&
      message.type !== 'block' &&
      !this.#asks.take(whose(session), step.now.monoMs)
    )
      refused({ code: 'LIMIT_RATE', text: 'too many questions at once', retryAfterMs: 1_000 })
    else if (!this.#checks.takeAsked(message, session, step.now.monoMs))
      refused({ code: 'LIMIT_RATE', text: 'too many signatures to check', retryAfterMs: 1_000 })
    else this.#dispatch(step, journey, { id, peer, session, message })
    return true
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    if (reply.protocol !== 'publish') return false
    return (
      this.#claims.onReply(step, journey, id, reply.message) ||
      this.#acknowledge.onReply(step, journey, id, reply.message)
    )
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId): boolean {
    return (
      this.#claims.onRequestFailed(step, journey, id) || this.#acknowledge.onRequestFailed(step, journey, id)
    )
  }

  onTick(step: Step, journey: Journey): void {
    // Uploads first: what ends here is not renewed.
    this.#uploads.onTick(step)
    this.#endDoubtful(step, journey)
    this.#claims.onTick(step, journey)
    this.#acknowledge.onTick(step, journey)
    endLeases(step, this.#leases, (release) => this.#uploads.get(release) !== undefined)
  }

  /** What is signed by a key that counts no longer would else keep its place until its last block came. */
  onRoot(step: Step, journey: Journey, root: TrustRoot): void {
    this.#uploads.review(step, (upload) => this.#overtaken(step, journey, upload))
    this.#acknowledge.onRoot(step, root)
    dropEnded(step, this.#leases, root)
  }

  onPersisted(step: Step, journey: Journey, { ticket }: EventOf<'persisted'>): void {
    this.#lender.onPersisted(step, ticket)
    this.#questions.onWritten(step, journey)
    this.#claims.onPersisted(step, journey, ticket)
    const progressed = this.#uploads.onPersisted(step, journey, ticket)
    if (progressed !== undefined) this.#claims.progress(step, progressed)
    const ordering = this.#ordering.get(ticket)
    if (ordering === undefined) return
    const isOver = isOfEnded(ordering.upload.release.header, journey.root())
    if (!isOver && journey.isWhole(ordering.upload.release.id)) this.#whole(step, journey, ticket, ordering)
    else {
      // A block it counted on was collected meanwhile: acknowledged once it was looked through again, or not at all.
      ordering.doubtfulUntilMonoMs = step.now.monoMs + this.#config.limits.acknowledgeMs
      this.#endDoubtful(step, journey)
    }
  }

  #endDoubtful(step: Step, journey: Journey): void {
    const gone: Refusal = {
      code: 'CONTENT_GONE',
      text: 'a block that this seed had was removed from its cache meanwhile; publish again',
    }
    for (const [ticket, { upload, doubtfulUntilMonoMs }] of this.#ordering) {
      if (doubtfulUntilMonoMs === undefined) continue
      // Or it was replaced while it was being written, and dropped, or a root ended its epoch.
      const isOver =
        journey.envelope(upload.release.id) === undefined || isOfEnded(upload.release.header, journey.root())
      const replaced = isOver ? this.#overtaken(step, journey, upload) : undefined
      if (replaced === undefined && step.now.monoMs < doubtfulUntilMonoMs) step.wakeAt(doubtfulUntilMonoMs)
      else {
        this.#ordering.delete(ticket)
        this.#uploads.end(step, upload, replaced ?? gone)
      }
    }
  }

  onPersistFailed(step: Step, journey: Journey, { ticket, code }: EventOf<'persistFailed'>): void {
    this.#lender.onPersistFailed(step, ticket, code)
    this.#questions.onWritten(step, journey)
    this.#claims.onPersistFailed(step, ticket, code)
    this.#uploads.onPersistFailed(step, ticket, code)
    const ordering = this.#ordering.get(ticket)
    this.#ordering.delete(ticket)
    if (ordering !== undefined) this.#uploads.end(step, ordering.upload, unwritten(code))
  }

  onBlockRead(step: Step, journey: Journey, event: EventOf<'blockRead'>): void {
    this.#uploads.onBlockRead(step, journey, event)
  }

  /** Ordering a release ends its lease, lent or not: its place is held from now on. */
  onWhole(step: Step, journey: Journey, _channel: Channel, release: ReleaseId): void {
    for (const [ticket, ordering] of this.#ordering) {
      if (ordering.upload.release.id !== release) continue
      // An upload's own end tells those who wait, once a second seed holds it, too.
      if (ordering.doubtfulUntilMonoMs !== undefined) this.#whole(step, journey, ticket, ordering)
      return
    }
    const overtaken = this.#uploads.get(release)
    if (overtaken !== undefined) {
      // It came from elsewhere: its publisher, who may be gone, has nothing more to bring.
      for (const id of this.#uploads.close(overtaken)) answer(step, id, NOTHING_LACKS)
      this.#claims.end(step, release, false)
      accepted(step, overtaken, ranked(journey, release, 'DUPLICATE'))
    }
    this.#acknowledge.onWhole(step, journey, release)
    dropLease(step, this.#leases, release)
  }

  /** Another seed is asked then. */
  onOverLimit(step: Step, _journey: Journey, release: ReleaseId, over: Refusal): void {
    this.#acknowledge.refused(step, release, over)
  }

  #dispatch(step: Step, journey: Journey, ask: Ask): void {
    const { id, peer, message } = ask
    switch (message.type) {
      case 'lease':
        this.#lender.lend(step, journey, { ...ask, envelope: message.envelope })
        break
      case 'free':
        this.#lender.free(step, { ...ask, release: message.release })
        break
      case 'submit':
        this.#submit(step, journey, ask, message.envelope)
        break
      case 'page':
      case 'block':
        this.#content(step, journey, { id, peer, release: message.release, bytes: message.bytes })
        break
      case 'await':
        this.#await(step, journey, ask, message.release)
        break
      default:
        this.#questions.answer(step, journey, { ...ask, message })
    }
  }

  #content(step: Step, journey: Journey, sent: Sent): void {
    const upload = this.#uploads.get(sent.release)
    if (upload !== undefined) return this.#uploads.receive(step, journey, upload, sent)
    if (journey.isWhole(sent.release)) return answer(step, sent.id, NOTHING_LACKS)
    const unwanted: Refusal = { code: 'BLOCK_UNWANTED', text: 'no upload of this release is open here' }
    refuse(step, sent.id, sent.peer, this.#late.has(sent.release) ? ENDED : unwanted)
  }

  #submit(step: Step, journey: Journey, ask: Ask, envelope: Uint8Array): void {
    const { id, peer, session } = ask
    if (!(this.#config.submit || session.ownHost)) return refuse(step, id, peer, NOT_HERE, true)
    const judged = journey.ingest(step, envelope, { via: 'submit', peer }, 'judge-only')
    const { release } = judged
    const refusal = this.#refusalOf(journey, judged)
    if (refusal !== undefined) return this.#denials.deny(step, ask, judged, refusal)
    if (release === undefined) return
    const open = this.#uploads.get(release.id)
    if (open !== undefined) return this.#uploads.resume(step, open, ask)
    if (journey.isWhole(release.id) && judged.verdict === 'DUPLICATE') {
      counted(step, ranked(journey, release.id, 'DUPLICATE'))
      return answer(step, id, this.#acknowledge.again(step, journey, release.id))
    }
    const early = this.#firstCompare.refusal(step, release.header.channel)
    if (early !== undefined) return this.#denials.deny(step, ask, judged, early)
    if (!this.#submits.take(release.header.channel, step.now.monoMs)) {
      const text = 'too many releases of this channel in a minute'
      return this.#denials.deny(step, ask, judged, { code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
    }
    const from = { peer, host: hostOf(session.address) }
    const upload = this.#uploads.open(step, journey, release, envelope, from)
    if ('code' in upload) return this.#denials.deny(step, ask, judged, upload)
    this.#acknowledge.forget(release.id)
    upload.waiting.push(id)
    // A release that order knows holds its place already.
    if (judged.verdict === 'DUPLICATE') this.#uploads.begin(step, journey, upload)
    else this.#claims.start(step, journey, release, envelope)
  }

  #ended(step: Step, upload: Upload, refusal: Refusal): void {
    const { id } = upload.release
    this.#claims.end(step, id, true)
    this.#late.add(id)
    this.#acknowledge.refused(step, id, refusal)
    ended(step, upload, refusal)
  }

  #order(step: Step, journey: Journey, upload: Upload): void {
    const refusal = this.#overtaken(step, journey, upload)
    if (refusal !== undefined) return this.#uploads.end(step, upload, refusal)
    const source = { via: 'submit', peer: upload.peer } as const
    const content = upload.spill()
    const { ticket, verdict } = journey.ingestWhole(step, upload.envelope, content, source)
    this.#ordering.set(ticket, { upload, verdict, doubtfulUntilMonoMs: undefined })
    for (const id of upload.waiting) answer(step, id, NOTHING_LACKS)
    upload.waiting = []
  }

  /** Judged once more: while it came it may have been overtaken, or the last room for a channel been given away. */
  #overtaken(step: Step, journey: Journey, { release, envelope, peer }: Upload): Refusal | undefined {
    const judged = journey.ingest(step, envelope, { via: 'submit', peer }, 'judge-only')
    if (judged.verdict === 'TWIN' || judged.verdict === 'TWIN_KNOWN')
      return placeTaken(journey, this.#leases, release)
    return this.#refusalOf(journey, judged)
  }

  #refusalOf(journey: Journey, judged: Ingested): Refusal | undefined {
    const refusal = refusalOf(journey, this.#leases, judged)
    if (refusal !== undefined || judged.release === undefined) return refusal
    const { id, header } = judged.release
    const kept = untaken(journey, this.#config, header.channel)
    return kept ?? (journey.isWhole(id) ? equivocation(journey, id) : undefined)
  }

  #whole(step: Step, journey: Journey, ticket: Ticket, { upload, verdict }: Ordering): void {
    this.#ordering.delete(ticket)
    this.#uploads.close(upload)
    this.#claims.end(step, upload.release.id, false)
    const taken = verdict === 'NEW' || verdict === 'CONCURRENT' ? verdict : 'DUPLICATE'
    accepted(step, upload, ranked(journey, upload.release.id, taken))
    this.#acknowledge.begin(step, journey, upload, taken)
  }

  #await(step: Step, journey: Journey, { id, peer, session }: Ask, release: ReleaseId): void {
    const upload = this.#uploads.get(release)
    // Only a seed is a second holder: what is whole here it hears at once, or two that have it wait for each other's word.
    const toSeed = this.#config.submit && isAdmitted(session)
    const isWhole = journey.isWhole(release)
    const isUnderWay = upload !== undefined || (!toSeed && this.#acknowledge.isPending(release))
    const isPending = isUnderWay && !(toSeed && isWhole)
    const refusal = !isPending && isWhole ? equivocation(journey, release) : undefined
    if (refusal !== undefined) return refuse(step, id, peer, refusal)
    const said = isPending ? undefined : this.#acknowledge.answered(step, journey, release)
    // What was held once may be lost by now. Of what was replaced its publisher still hears how it went.
    const isLost = said?.type === 'done' && !isWhole && journey.envelope(release) !== undefined
    if (said !== undefined && (isWhole || !(toSeed || isLost))) return answer(step, id, said)
    // Another seed names a release to us: pull it. Its envelope comes by gossip or sync; what is known no longer was replaced.
    const asSecond = !isPending && toSeed
    const isKnown = asSecond && journey.envelope(release) !== undefined
    // With a disk that takes nothing, or no blocks, it would be waited for in vain, and no third seed asked.
    const short = isKnown && journey.takesNoBlocks ? 'STORE_FULL' : undefined
    const unkept = asSecond ? (journey.readOnly ?? short) : undefined
    if (unkept !== undefined) return refuse(step, id, peer, unwritten(unkept))
    const isUnstored = isKnown ? !journey.fetchFrom(step, release, peer) : said?.type === 'done'
    const over = asSecond ? journey.overLimit(release) : undefined
    if (over !== undefined) return refuse(step, id, peer, over)
    if (!isPending && (!asSecond || isUnstored)) {
      const text = 'this release was not submitted here; submit it first'
      return refuse(step, id, peer, this.#late.has(release) ? ENDED : { code: 'FETCH_UNAVAILABLE', text })
    }
    const isWaiting = this.#acknowledge.wait(step, release, { id, peer, whose: whose(session) }, upload)
    if (!isWaiting) refuse(step, id, peer, TOO_MANY_WAIT)
  }
}

export const createSubmit = (config: CoreConfig, checks: Checks, compared: Compared): Submit =>
  new Submit(config, checks, compared)
