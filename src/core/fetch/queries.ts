/** Neighbours are asked what they have of a release where nobody says so, or nothing of use comes for long. */
import type { PeerId, ReleaseId } from '../../model/ids.ts'
import type { AnyReply } from '../../model/messages.ts'
import type { CoreConfig } from '../config.ts'
import type { RequestId } from '../events.ts'
import type { AdmittedSession } from '../session.ts'
import type { Step } from '../step.ts'
import type { FetchJob } from './job.ts'
import type { Jobs } from './jobs.ts'
import type { Patience } from './patience.ts'
import type { Sources } from './sources.ts'

interface Query {
  readonly release: ReleaseId
  readonly peer: PeerId
}

export class Queries {
  readonly #config: CoreConfig
  readonly #sources: Sources
  readonly #patience: Patience
  readonly #jobs: Jobs
  readonly #open = new Map<RequestId, Query>()

  constructor(config: CoreConfig, sources: Sources, patience: Patience, jobs: Jobs) {
    this.#config = config
    this.#sources = sources
    this.#patience = patience
    this.#jobs = jobs
  }

  /**
   * Nothing heard of it from anybody, or nothing of use for long: ask a few what they have, each time later; who has nothing
   * yet remembers it (`askers.ts`). While none of them has answered no more are asked: on a host where all is late a whole
   * fleet's questions are what makes it late.
   */
  ask(step: Step, job: FetchJob, sessions: readonly AdmittedSession[], near: ReadonlySet<PeerId>): void {
    const { limits, random, submit } = this.#config
    const { monoMs } = step.now
    const release = job.release.id
    if (job.awaitsAnswer(monoMs, limits.blockDeadlineMs / 2)) return
    const isStuck = monoMs - job.progressMonoMs >= this.#patience.rescueMs
    // Before a seed is asked neighbours are, whenever they were asked last.
    if (job.nextQueryMonoMs > monoMs && !(isStuck && job.queries === 0)) return
    if (!isStuck && this.#isServed(release, near)) return this.#askAnother(step, job, sessions, near)
    job.nextQueryMonoMs =
      monoMs + limits.repairMs * Math.min(4 * 2 ** job.queries, 16) * (0.75 + random() / 2)
    job.queries += 1
    job.rounds += 1
    const others = sessions.filter(({ hello }) => !hello.submit || submit)
    const nearer = others.filter(({ peer }) => near.has(peer))
    // A seed asks other seeds for blocks even if they announced nothing, and not what they have.
    const farther = others.filter(({ peer, hello }) => !near.has(peer) && !hello.submit)
    // What an ordinary node of another region was given, seeds bring home: each other time they ask there.
    const asksFar = nearer.length === 0 || (submit && job.rounds % 2 === 0 && farther.length > 0)
    const from = asksFar ? farther : nearer
    const asked = inTurn(this.#unknown(job, from, monoMs), job.questioned, limits.offersAtOnce)
    if (asked.length > 0) job.onAsked(monoMs)
    for (const { peer } of asked) this.#put(step, job, peer)
  }

  /**
   * Whoever has all of it tells no newcomer, and one neighbour gives a block at a time: of a large release each near that has
   * said nothing is asked once, too, one after another, or a node whose links come singly would have it all from the first.
   */
  #askAnother(
    step: Step,
    job: FetchJob,
    sessions: readonly AdmittedSession[],
    near: ReadonlySet<PeerId>,
  ): void {
    const { limits, random } = this.#config
    if (job.release.header.bytes <= limits.pacedBytes) return
    // On a host that is late questions make it later.
    if (this.#isAsked(job.release.id)) return
    const holders = this.#sources.of(job.release.id)
    const isSilent = ({ peer, hello }: AdmittedSession) =>
      near.has(peer) && !hello.submit && !holders.knows(peer) && !job.questioned.has(peer)
    const next = sessions.find(isSilent)
    if (next === undefined) return
    job.nextQueryMonoMs = step.now.monoMs + this.#patience.rescueMs * (0.75 + random() / 2)
    job.questioned.add(next.peer)
    this.#put(step, job, next.peer)
  }

  /** Somebody has yet to say what he has of it. */
  #isAsked(release: ReleaseId): boolean {
    return this.#open.values().some((query) => query.release === release)
  }

  #put(step: Step, job: FetchJob, peer: PeerId): void {
    const release = job.release.id
    const id = step.nextRequest()
    this.#open.set(id, { release, peer })
    const message = { type: 'have', release, channel: job.channel, whole: false } as const
    const timeoutMs = this.#config.limits.blockDeadlineMs
    step.emit({ kind: 'request', id, peer, request: { protocol: 'blocks', message }, timeoutMs })
  }

  /** Of what waits for its turn, whoever has said to have all of it need not say so again and again. */
  #unknown(job: FetchJob, from: readonly AdmittedSession[], monoMs: number): readonly AdmittedSession[] {
    if (monoMs - job.passedMonoMs >= this.#patience.rescueMs) return from
    const holders = this.#sources.of(job.release.id)
    return from.filter(({ peer }) => !holders.isWhole(peer) || !this.#sources.counts(peer))
  }

  /** Somebody new may have what nobody near has so far. */
  onAdmitted(job: FetchJob, near: ReadonlySet<PeerId>, monoMs: number): void {
    if (!this.#isServed(job.release.id, near)) job.mayAskAgain(monoMs)
  }

  /** By neighbours, where there are any: over the border it is to come once, not to each of them. */
  #isServed(release: ReleaseId, near: ReadonlySet<PeerId>): boolean {
    const { counts } = this.#sources
    const isRelied = near.size === 0 ? counts : (peer: PeerId) => near.has(peer) && counts(peer)
    return this.#sources.of(release).any(isRelied)
  }

  /** @returns the release that it was about; undefined: the question was none of these */
  onReply(step: Step, id: RequestId, reply: AnyReply): ReleaseId | undefined {
    const query = this.#close(id, step.now.monoMs, true)
    if (query === undefined) return undefined
    if (reply.protocol === 'blocks' && reply.message.type === 'noted' && reply.message.whole === true)
      this.#sources.announced(query.release, query.peer, { whole: true })
    return query.release
  }

  onFailed(step: Step, id: RequestId): boolean {
    return this.#close(id, step.now.monoMs, false) !== undefined
  }

  onDisconnected(peer: PeerId, monoMs: number): void {
    for (const [id, query] of this.#open) if (query.peer === peer) this.#close(id, monoMs, false)
  }

  /** One of those asked what they have has answered, or none of them can. */
  #close(id: RequestId, monoMs: number, answers: boolean): Query | undefined {
    const query = this.#open.get(id)
    if (query === undefined) return undefined
    this.#open.delete(id)
    const { release } = query
    if (answers || !this.#isAsked(release)) this.#jobs.get(release)?.onAnswer(monoMs, answers)
    return query
  }
}

/** Whoever was not asked yet comes first: those that gave something most may be the very ones that lack it. */
function inTurn(
  sessions: readonly AdmittedSession[],
  before: Set<PeerId>,
  most: number,
): readonly AdmittedSession[] {
  const others = sessions.filter(({ peer }) => !before.has(peer))
  const again = sessions.filter(({ peer }) => before.has(peer))
  const turn = [...others, ...again].slice(0, most)
  if (others.length <= most) for (const { peer } of sessions) before.delete(peer)
  for (const { peer } of turn) before.add(peer)
  return turn
}
