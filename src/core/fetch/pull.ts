/**
 * Asking for blocks: as much at once as the limits allow, whoever `chooser.ts` names; what becomes of each question;
 * and somebody else where one is silent. Which blocks are missing and what is done with one is `fetch.ts`'s.
 */
import { sha256 } from '../../codec/digest.ts'
import type { Code } from '../../errors.ts'
import type { Digest, PeerId, ReleaseId } from '../../model/ids.ts'
import type { AnyReply, BlocksReply } from '../../model/messages.ts'
import { BorderDuty } from '../border-duty.ts'
import type { CoreConfig } from '../config.ts'
import type { RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import { type AdmittedSession, isAdmitted } from '../session.ts'
import type { Step } from '../step.ts'
import { Alarms } from './alarms.ts'
import { type Again, type Choice, Chooser, type JobDuty } from './chooser.ts'
import type { Disk } from './disk.ts'
import { Goes } from './goes.ts'
import type { FetchJob } from './job.ts'
import type { Jobs } from './jobs.ts'
import { MAX_ASKED, Overdue } from './overdue.ts'
import { Patience, UNREAD, type Way, wayTo } from './patience.ts'
import { Queries } from './queries.ts'
import { type Ranking, storing } from './ranking.ts'
import { SentOn } from './sent-on.ts'
import type { Sources } from './sources.ts'
import { Tempo } from './tempo.ts'
import { nextTurnMs } from './turns.ts'
import { type Asked, Wants } from './wants.ts'

/**
 * So long at most neighbours that were asked what they have keep a seed from being asked: they may all be dead. Five times
 * what makes a peer count as silent, so that one of four has its time on a host where all is late.
 */
const MAX_HELD_MS = 2_000

/** A look at one costs some 10 µs, and every event has one: with 20,000 channels under way each would take a fifth of a second. */
const JOBS_A_GO = 128
/** Until the next go where not all were looked at: all 20,000 in four seconds, for some 5 % of a core. */
const NEXT_GO_MS = 25

/** A block whose digest is right. */
type Received = (step: Step, journey: Journey, digest: Digest, bytes: Uint8Array) => void

export class Pull {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #disk: Disk
  readonly #jobs: Jobs
  readonly #received: Received
  readonly #chooser: Chooser
  readonly #patience: Patience
  readonly #wants = new Wants()
  readonly #overdue: Overdue
  readonly #tempo: Tempo
  readonly #goes = new Goes(JOBS_A_GO)
  readonly #queries: Queries
  readonly #alarms = new Alarms()
  readonly #sentOn: SentOn
  readonly duty = new BorderDuty()

  constructor(config: CoreConfig, sources: Sources, disk: Disk, jobs: Jobs, received: Received) {
    this.#config = config
    this.#sources = sources
    this.#disk = disk
    this.#jobs = jobs
    this.#received = received
    this.#chooser = new Chooser(config, sources, this.duty)
    this.#patience = new Patience(config.limits)
    this.#tempo = new Tempo(config.limits, this.#patience, config.random)
    const learnt = { patience: this.#patience, tempo: this.#tempo, wants: this.#wants }
    this.#overdue = new Overdue(config, sources, disk, jobs, learnt, this.#chooser.isNear)
    this.#sentOn = new SentOn(config.limits)
    this.#queries = new Queries(config, sources, this.#patience, jobs)
  }

  /**
   * Ask for as much as the limits allow: for this one alone, or for all. Of very many some are looked at in one go.
   * @param first among them, whosever turn it is
   */
  pump(step: Step, journey: Journey, only?: FetchJob, first?: FetchJob): void {
    let wakeMs = Number.POSITIVE_INFINITY
    // in one order for all: there may be hundreds of them
    let ranking: Ranking | undefined
    for (const job of only ? this.#goes.alone(only) : this.#goes.next(this.#jobs.all(), first)) {
      if (job.refused || job.closing) continue
      wakeMs = Math.min(wakeMs, this.#nextTurnMs(job, step.now.monoMs))
      if (this.#isEarly(job, step.now.monoMs)) {
        step.wakeAt(this.#disk.pace.nextMonoMs)
        continue
      }
      const mayAsk = job.open.count > 0 && !this.#isFull
      if (!mayAsk && !this.#mayQuery(job, step.now.monoMs)) continue
      ranking ??= this.#chooser.ranking(journey)
      if (mayAsk) this.#pumpJob(step, journey, job, ranking)
      else this.#queries.ask(step, job, storing(job, ranking.candidates(job)), ranking.near)
    }
    const alarmMs = this.#alarms.next(step.now.monoMs) - step.now.monoMs
    // Where not all were looked at the next go is soon, and may be for others.
    if (this.#goes.areOthersLeft) wakeMs = Math.min(wakeMs, NEXT_GO_MS)
    else if (wakeMs !== Number.POSITIVE_INFINITY) wakeMs = Math.min(wakeMs, alarmMs)
    this.#overdue.expectLook(step.now.monoMs + wakeMs)
    if (wakeMs !== Number.POSITIVE_INFINITY) step.wakeAt(step.now.monoMs + wakeMs)
  }

  /** Until others step in for whoever should bring in what does not come. */
  #nextTurnMs({ progressMonoMs }: FetchJob, monoMs: number): number {
    const withoutMs = monoMs - progressMonoMs
    return Math.min(this.#config.limits.repairMs, nextTurnMs(withoutMs, this.#patience.stuckMs) - withoutMs)
  }

  /** A neighbour says what it has. @returns of which release; undefined: it was asked for something else */
  onAnswer(step: Step, id: RequestId, reply: AnyReply): ReleaseId | undefined {
    return this.#queries.onReply(step, id, reply)
  }

  /** True: the question was ours, and is closed. */
  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    const said = reply.protocol === 'blocks' ? reply.message.type : undefined
    const asked = this.#close(id, step.now.monoMs, said)
    if (asked === undefined) return false
    if (said !== 'block') this.#overdue.gaveNothing(asked)
    if (reply.protocol === 'blocks') this.#answered(step, journey, asked, reply.message)
    this.reopen(asked.digest)
    return true
  }

  onRequestFailed(step: Step, id: RequestId, code: Code, alive: boolean): boolean {
    if (this.#queries.onFailed(step, id)) return true
    const asked = this.#inVain(id, step.now.monoMs)
    if (asked === undefined) return false
    const { peer, release, way } = asked
    const others = this.#wants.underWay(way)
    if (code === 'NET_TIMEOUT' && alive) this.#tempo.cutOff(asked, others, step.now.monoMs)
    this.#overdue.ended(asked, step.now.monoMs)
    const text = `no block from this peer (${code}); another is asked`
    step.emit({ kind: 'note', level: 'debug', code: 'BLOCK_TIMEOUT', text, peer, release })
    return true
  }

  #inVain(id: RequestId, monoMs: number): Asked | undefined {
    const asked = this.#close(id, monoMs)
    if (asked === undefined) return undefined
    this.#overdue.gaveNothing(asked)
    this.reopen(asked.digest)
    return asked
  }

  isAskedOnly(digest: Digest, peer: PeerId): boolean {
    const peers = this.#wants.peers(digest)
    return peers.size === 1 && peers.has(peer)
  }

  lookForSilence(step: Step): void {
    this.#overdue.look(step)
  }

  onAdmitted(step: Step, journey: Journey, peer: PeerId): void {
    const session = journey.session(peer)
    if (session !== undefined && isAdmitted(session)) this.#tempo.joined(wayTo(session, this.#config.region))
    this.#sentOn.onAdmitted(session)
    this.#chooser.onAdmitted(journey, step.now.monoMs)
    const { near } = this.#chooser.ranking(journey)
    for (const job of this.#jobs.all()) this.#queries.onAdmitted(job, near, step.now.monoMs)
  }

  /** Nothing comes of what it was asked for; that the connection broke says nothing of it. */
  onDisconnected(peer: PeerId, monoMs: number): void {
    this.#chooser.onDisconnected(peer, monoMs)
    this.#queries.onDisconnected(peer, monoMs)
    for (const id of this.#wants.of(peer)) this.#inVain(id, monoMs)
  }

  /** It may be asked for, unless somebody is whose word counts, or it is being written. */
  reopen(digest: Digest): void {
    const asked = this.#wants.peers(digest)
    if (asked.size >= MAX_ASKED || [...asked].some(this.#sources.counts) || this.#disk.isWriting(digest))
      return
    for (const job of this.#jobs.naming(digest)) job.reopen(digest)
  }

  /** Bytes under way have their bound, whatever asks for them; as many may come late of those that are silent. */
  get #isFull(): boolean {
    const { maxWants, maxWantBytes } = this.#config.limits
    const { size, bytes } = this.#disk
    const late = Math.max(0, this.#wants.silentBytes - maxWantBytes)
    return this.#wants.size + size >= maxWants || this.#wants.bytes + late + bytes >= maxWantBytes
  }

  /**
   * All of it is asked for, of other seeds, and none comes: they may wait for it as well, and ask this one. Who has it is to
   * be found all the same.
   */
  #mayQuery(job: FetchJob, monoMs: number): boolean {
    if (!this.#config.submit || job.isUnasked || monoMs < job.nextQueryMonoMs) return false
    return monoMs - job.progressMonoMs >= this.#patience.rescueMs
  }

  #pumpJob(step: Step, journey: Journey, job: FetchJob, ranking: Ranking): void {
    const { monoMs } = step.now
    const candidates = ranking.candidates(job)
    this.#askNeighbours(step, job, candidates)
    const sessions = storing(job, candidates)
    const isUnread = this.#overdue.isUnread(monoMs)
    const { doubtMs, stuckMs, failMs } = isUnread ? UNREAD : this.#patience
    const isOpen = (session: AdmittedSession) =>
      !this.#waits(job, wayTo(session, this.#config.region), monoMs)
    const underWay = () => this.#wants.ofSeeds(job.release.id)
    const isMute = (peer: PeerId) => this.#overdue.isMute(peer, monoMs)
    const going = { doubtMs, stuckMs, failMs, rescueMs: this.#patience.farRescueMs, isMute, isOpen, underWay }
    for (const choice of this.#chooser.bringIn(journey, job, sessions, step.now, going)) {
      if (this.#isFull || this.#isEarly(job, monoMs)) break
      this.#ask(step, job, choice)
    }
    if (!isUnread) this.#rescueOn(step, job, sessions, going)
    if (this.#isEarly(job, monoMs)) return step.wakeAt(this.#disk.pace.nextMonoMs)
    if (this.#isFull || job.open.count === 0) return
    this.#queries.ask(step, job, sessions, ranking.near)
    if (!job.rescue.isDue(monoMs) || isUnread) return
    if (job.awaitsAnswer(monoMs, MAX_HELD_MS) && !job.isAnswered) return
    job.rescue.postpone(monoMs, this.#config.random())
    if (monoMs - job.progressMonoMs < this.#patience.rescueMs) return
    let isAnyAsked = false
    for (let left = job.rescue.begin(); left > 0 && !this.#isFull; left -= 1) {
      const choice = this.#chooser.rescue(job, sessions, monoMs, going)
      if (choice !== undefined && this.#ask(step, job, choice)) isAnyAsked = true
    }
    if (!isAnyAsked) job.rescue.wasInVain(monoMs, this.#config.random())
  }

  /** The seed near gives what nobody brings in. */
  #rescueOn(step: Step, job: FetchJob, sessions: readonly AdmittedSession[], going: Again): void {
    const { monoMs } = step.now
    while (job.rescue.goesOn && !this.#isFull && !this.#isEarly(job, monoMs)) {
      const choice = this.#chooser.rescueOn(job, sessions, monoMs, going)
      if (choice === undefined || this.#waits(job, choice.way, monoMs)) return
      if (!this.#ask(step, job, choice)) return
    }
  }

  #askNeighbours(step: Step, job: FetchJob, sessions: readonly AdmittedSession[]): void {
    const { monoMs } = step.now
    const duty = this.#chooser.duty(job)
    for (const session of sessions) {
      for (;;) {
        const choice = this.#isEarly(job, monoMs) ? undefined : this.#next(job, session, monoMs, duty)
        if (choice === undefined || !this.#ask(step, job, choice)) break
      }
    }
  }

  #isLarge(job: FetchJob): boolean {
    return job.release.header.bytes > this.#config.limits.pacedBytes
  }

  /** A large release yields to all else. */
  #isEarly(job: FetchJob, monoMs: number): boolean {
    return this.#isLarge(job) && this.#disk.pace.isEarly(monoMs)
  }

  #next(job: FetchJob, session: AdmittedSession, monoMs: number, duty: JobDuty): Choice | undefined {
    if (this.#isFull || job.open.count === 0) return undefined
    const way = wayTo(session, this.#config.region)
    if (this.#waits(job, way, monoMs)) return undefined
    const onlyOwn = way === 'near' && this.#wants.underWay(way) >= duty.mostNear
    const choice = this.#chooser.pull(job, session, monoMs, duty, onlyOwn)
    return choice !== undefined && this.#mayTakePlace(choice) ? choice : undefined
  }

  /** As many are under way as come in time. */
  #waits(job: FetchJob, way: Way, monoMs: number): boolean {
    const isFew = job.digests.length <= this.#config.limits.fewBlocks
    return !this.#tempo.isOpen(way, this.#wants.underWay(way), isFew, monoMs)
  }

  /** Of a block that others were asked for in vain. */
  #mayTakePlace({ digest, peer, seed }: Choice): boolean {
    const asked = this.#wants.peers(digest).size
    if (asked === 0 || seed || this.#sources.isProven(peer)) return true
    return asked < MAX_ASKED - 1 && this.#sources.answers(peer)
  }

  /** False: this very peer is asked for it already, or it is being written. */
  #ask(step: Step, job: FetchJob, choice: Choice): boolean {
    const { digest, peer, way, seed, takeOver, inVain, rescue = false, last = false } = choice
    if (this.#wants.peers(digest).has(peer) || this.#disk.isWriting(digest)) return false
    if (way === 'near') this.#overdue.lookForHedge(step)
    const id = step.nextRequest()
    const [place, release] = [job.place(digest) ?? 0, job.release.id]
    for (const other of this.#jobs.naming(digest)) other.shut(digest)
    // Only a seed sends others on, and only over a border anybody is put off.
    const failed = last || (seed && (inVain ?? (takeOver !== true && job.redirected.has(digest))))
    this.#wants.open(id, {
      digest,
      release,
      peer,
      sinceMonoMs: step.now.monoMs,
      bytes: job.size(place),
      way,
      seed,
      takeOver: takeOver === true,
      failed,
      ...(rescue && { rescue: job.rescue }),
    })
    if (rescue) job.rescue.asked(way === 'border')
    this.#goes.gave()
    this.#sources.asked(peer, 1, step.now.monoMs)
    if (this.#isLarge(job)) this.#disk.pace.asked(step.now.monoMs)
    const message = failed ? ({ type: 'want', digest, failed } as const) : ({ type: 'want', digest } as const)
    const timeoutMs = this.#config.limits.blockDeadlineMs
    step.emit({ kind: 'request', id, peer, request: { protocol: 'blocks', message }, timeoutMs })
    return true
  }

  #close(id: RequestId, monoMs: number, said?: BlocksReply['type']): Asked | undefined {
    const asked = this.#wants.close(id)
    if (asked === undefined) return undefined
    this.#sources.asked(asked.peer, -1, monoMs)
    asked.rescue?.ended(said, asked, monoMs)
    return asked
  }

  #answered(step: Step, journey: Journey, asked: Asked, reply: BlocksReply): void {
    const { limits, random } = this.#config
    const { monoMs } = step.now
    const { release, peer, digest } = asked
    switch (reply.type) {
      case 'block':
        return this.#receive(step, journey, asked, reply.bytes)
      case 'gone':
        return this.#sources.lacks(asked, monoMs, this.#jobs.get(release)?.place(digest))
      case 'busy': {
        const waitMs = Math.min(Math.max(reply.retryAfterMs, this.#patience.busyMs), limits.blockDeadlineMs)
        const untilMonoMs = monoMs + waitMs * (0.5 + random())
        if (asked.way === 'border') this.#sources.putOff(peer, untilMonoMs, monoMs)
        else this.#sources.busy(peer, untilMonoMs, monoMs)
        return this.#alarms.set(untilMonoMs)
      }
      case 'redirect':
        return this.#redirected(step, journey, asked, reply)
      default:
        return this.#sources.silent(peer, monoMs)
    }
  }

  #redirected(
    step: Step,
    journey: Journey,
    { peer, release, digest, way, takeOver, failed }: Asked,
    to: Extract<BlocksReply, { type: 'redirect' }>,
  ): void {
    // Only a seed sends others on, and nobody twice: from anyone else it would make this node dial whomever a peer names.
    if (journey.session(peer)?.hello?.submit !== true || failed)
      return this.#sources.silent(peer, step.now.monoMs)
    const job = this.#jobs.get(release)
    const place = job?.place(digest)
    // It has come another way, or is to come no more.
    if (job === undefined || place === undefined || job.refused || !job.missing.has(digest)) return
    const again = { digest, peer, way, seed: true }
    const { monoMs } = step.now
    const isLost = this.#overdue.isMute(to.peer, monoMs) || this.#sources.of(release).isLiar(to.peer)
    // It is on its way to that one, who will announce it; if not soon, the seed is asked anew.
    if (takeOver && !isLost && job.leave(digest, monoMs, this.#patience.doubtMs)) return
    // It says nothing any more, spoils what it is given, or is beyond reach of all here: the seed is told at once.
    if (takeOver || isLost)
      return void this.#ask(step, job, { ...again, ...(takeOver && { takeOver }), inVain: true })
    const isLinked = journey.session(to.peer)?.hello !== undefined
    // Most blocks come by neighbours all the same: a link more is for those that have none with it.
    if (!isLinked && !this.#sources.of(release).any(this.#sources.counts))
      this.#sentOn.dial(step, journey, to.peer, to.addresses[0])
    if (this.#sentOn.isBeyondReach(journey, to.peer, monoMs))
      return void this.#ask(step, job, { ...again, inVain: true })
    const againMonoMs = monoMs + this.#patience.silenceMs('near', 0) * (0.75 + this.#config.random() / 2)
    job.redirected.set(digest, { to: to.peer, atMonoMs: againMonoMs })
    this.#alarms.set(againMonoMs)
    if (isLinked) this.#sources.holds(release, to.peer, { whole: false, ranges: [place, 1] })
  }

  #receive(step: Step, journey: Journey, asked: Asked, bytes: Uint8Array): void {
    const { peer, release, digest } = asked
    if (sha256(bytes) !== digest) {
      this.#sources.lied(release, peer)
      const text = 'a block did not match its digest; this peer is asked for nothing more of the release'
      step.emit({ kind: 'note', level: 'warn', code: 'BLOCK_DIGEST', text, peer, release })
      return
    }
    step.emit({ kind: 'count', metric: 'blocks_received', by: 1 })
    const isSecond = this.#disk.isWriting(digest) || journey.hasBlock(digest)
    if (isSecond) step.emit({ kind: 'count', metric: 'blocks_in_vain', by: 1 })
    this.#tempo.came(asked, this.#wants.underWay(asked.way), step.now.monoMs)
    const job = this.#jobs.get(release)
    if (asked.way !== 'near') {
      this.#sources.brokeSilence(peer)
      this.duty.broughtIn(digest)
      if (asked.way === 'seed' && !isSecond) job?.entered(digest, step.now.monoMs)
    } else if (job === undefined) this.#sources.brokeSilence(peer)
    else if (journey.session(peer)?.hello?.submit === false) this.#sources.gave(asked)
    this.#received(step, journey, digest, bytes)
  }
}
