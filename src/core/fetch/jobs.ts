/**
 * Releases being fetched, in the order in which that began. A node may fetch tens of thousands at once, and every block
 * concerns those alone that name it: most are named by one.
 */
import type { Channel, Digest, ReleaseId } from '../../model/ids.ts'
import type { Journey } from '../journey.ts'
import type { FetchJob } from './job.ts'
import { Rounds } from './rounds.ts'

/** Looked at by one tick: a look costs a microsecond, and of very many under way there is a tick each 25 ms. */
const JOBS_A_TICK = 1_024

interface Begun {
  readonly turn: number
  /** The job alone, as the list that all pages and blocks share which no other names. */
  readonly alone: readonly FetchJob[]
}

const NONE: readonly FetchJob[] = []

export class Jobs {
  readonly #jobs = new Map<ReleaseId, FetchJob>()
  readonly #begun = new Map<FetchJob, Begun>()
  readonly #channels = new Map<Channel, readonly FetchJob[]>()
  readonly #naming = new Map<Digest, readonly FetchJob[]>()
  readonly #ticks = new Rounds<FetchJob>(JOBS_A_TICK)
  #all: readonly FetchJob[] | undefined
  #turns = 0

  get(release: ReleaseId): FetchJob | undefined {
    return this.#jobs.get(release)
  }

  all(): readonly FetchJob[] {
    this.#all ??= [...this.#jobs.values()]
    return this.#all
  }

  /** For one tick: all, or where they are very many some of them, each in its turn. */
  inTurn(): readonly FetchJob[] {
    return this.#ticks.next(this.all())
  }

  ofChannel(channel: Channel): readonly FetchJob[] {
    return this.#channels.get(channel) ?? NONE
  }

  /** Whose pages and blocks this is one of, as far as their pages are read. */
  naming(digest: Digest): readonly FetchJob[] {
    return this.#naming.get(digest) ?? NONE
  }

  /** Some of them: of one that was refused nothing is to come any more. */
  areWithout(digest: Digest): boolean {
    return this.naming(digest).some((job) => !job.refused && job.missing.has(digest))
  }

  add(job: FetchJob): void {
    this.#jobs.set(job.release.id, job)
    this.#begun.set(job, { turn: this.#turns++, alone: [job] })
    this.#channels.set(job.channel, [...this.ofChannel(job.channel), job])
    this.#all = undefined
    this.#names(job, 0)
  }

  /** As `takePage` of the job. */
  takePage(job: FetchJob, journey: Journey, bytes: Uint8Array): readonly Digest[] {
    const known = job.digests.length
    try {
      return job.takePage(journey, bytes)
    } finally {
      // also of a page that turns out to be wrong halfway
      this.#names(job, known)
    }
  }

  /** @returns the job that has ended; undefined: there was none */
  end(release: ReleaseId): FetchJob | undefined {
    const job = this.#jobs.get(release)
    if (job === undefined) return undefined
    this.#jobs.delete(release)
    this.#begun.delete(job)
    this.#all = undefined
    this.#drop(this.#channels, job.channel, job)
    for (const digest of job.digests) this.#drop(this.#naming, digest, job)
    return job
  }

  #names(job: FetchJob, from: number): void {
    const begun = this.#begun.get(job)
    if (begun === undefined) return
    for (let place = from; place < job.digests.length; place += 1) {
      const digest = job.digests[place] as Digest
      const others = this.naming(digest)
      const before = others.findLastIndex((other) => (this.#begun.get(other)?.turn ?? 0) < begun.turn)
      this.#naming.set(digest, others.length === 0 ? begun.alone : others.toSpliced(before + 1, 0, job))
    }
  }

  #drop<K>(lists: Map<K, readonly FetchJob[]>, key: K, job: FetchJob): void {
    const others = (lists.get(key) ?? NONE).filter((other) => other !== job)
    const [first] = others
    if (first === undefined) lists.delete(key)
    else lists.set(key, others.length === 1 ? (this.#begun.get(first)?.alone ?? others) : others)
  }
}
