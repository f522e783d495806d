/**
 * Releases of which no peer gives what is missing. What only waits for its turn is none of them: what lacks least has the places
 * there are (`goes.ts`), and of a hundred under way most get no block for minutes, whoever has them.
 */
import { type AdmittedSession, storesChannel } from '../session.ts'
import type { Step } from '../step.ts'
import type { Disk } from './disk.ts'
import type { FetchHooks } from './hooks.ts'
import type { FetchJob } from './job.ts'
import type { Sources } from './sources.ts'

/** Of these, those so long without any block, but for the time in which this node's own disk, or others first in turn, kept them waiting. */
export function stuck(
  some: readonly FetchJob[],
  sources: Sources,
  disk: Disk,
  monoMs: number,
  ms: number,
): readonly FetchJob[] {
  if (disk.takesNoBlocks || monoMs - disk.behindMonoMs(monoMs) < ms) return []
  for (const job of some) if (disk.givenMonoMs > servedMonoMs(job)) wait(job, sources, disk.givenMonoMs)
  return some.filter((job) => !job.refused && job.missing.size > 0 && monoMs - servedMonoMs(job) >= ms)
}

/**
 * Said once of each, until a block of it comes or it is given up. What is not awaited is, unless nobody who stores its channel
 * was there for as long.
 * @param ms so long they were without any block
 * @returns those that are given up
 */
export function complain(
  step: Step,
  jobs: readonly FetchJob[],
  { failed, isAwaited }: FetchHooks,
  sessions: () => Iterable<AdmittedSession>,
  ms: number,
): readonly FetchJob[] {
  const isOver = (job: FetchJob): boolean => !isAwaited(job.channel, job.release.id)
  // Who is there is looked at for these alone: of what is awaited nothing is new once it is said.
  const open = jobs.filter((job) => !job.unavailable || isOver(job))
  if (open.length === 0) return []
  const { monoMs } = step.now
  const there = [...sessions()].filter(({ sinceMonoMs }) => monoMs - sinceMonoMs >= ms)
  const givenUp: FetchJob[] = []
  for (const job of open) {
    const { id } = job.release
    const goesOn = !isOver(job) || !there.some(({ hello }) => storesChannel(hello.patterns, job.channel))
    if (!goesOn) givenUp.push(job)
    else if (job.unavailable) continue
    job.unavailable = true
    const then = goesOn ? 'asking on' : 'asked for again with the next release of its channel, or a start'
    const text = `${job.missing.size} blocks of release ${id.slice(0, 12)} cannot be had from any peer; ${then}`
    failed(step, job.channel, id, 'FETCH_UNAVAILABLE', text)
  }
  return givenUp
}

const servedMonoMs = ({ progressMonoMs, passedMonoMs }: FetchJob): number =>
  Math.max(progressMonoMs, passedMonoMs)

/** Its time begins anew with what came of others, and goes on from there once its turn has come or nothing comes at all. */
function wait(job: FetchJob, sources: Sources, givenMonoMs: number): void {
  const isWaiting = job.isUnasked && sources.of(job.release.id).anyOf(job.open, sources.counts)
  if (isWaiting) job.passedMonoMs = givenMonoMs
}
