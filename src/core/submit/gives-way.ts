/** Which upload gives its place to one that has none. */
import { replaces } from '../../model/clock.ts'
import type { Release } from '../../model/release.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'
import type { Upload } from './upload.ts'

/** Once nothing has come for so long from a publisher that is gone, its upload gives its place to one that has none. */
export const ABANDONED_MS = 30_000
/** A publisher that has one place of so many, or more, gives up one to a publisher that would still have fewer. */
export const SHARE_OF_PUBLISHER = 4

/**
 * One that waits for what its publisher, who is gone, does not send: first what the new release replaces, such as that of a
 * pipeline which was stopped and runs anew, then what has had nothing for longest. What it has is cache from then on.
 */
export function abandonedOf(
  step: Step,
  journey: Journey,
  uploads: readonly Upload[],
  { header: { channel, clock } }: Release,
): Upload | undefined {
  const abandoned = uploads
    .filter(
      ({ need, sender, progressMonoMs }) =>
        need.size > 0 &&
        journey.session(sender) === undefined &&
        step.now.monoMs - progressMonoMs >= ABANDONED_MS,
    )
    .sort((a, b) => a.progressMonoMs - b.progressMonoMs)
  const replaced = abandoned.find(
    ({ release: { header } }) => header.channel === channel && replaces(clock, header.clock),
  )
  return replaced ?? abandoned[0]
}

/**
 * Whoever has a publisher's key may begin uploads without end and keep each with a block now and then. So of the publisher
 * that has most places the upload of which nothing has come for longest; the publisher is that of a release that verified.
 */
export function overShareOf(uploads: readonly Upload[], { header }: Release): Upload | undefined {
  const of = Map.groupBy(uploads, ({ release }) => release.header.publisher)
  const most = [...of.values()].reduce((a, b) => (b.length > a.length ? b : a), [])
  const isOver = most.length * SHARE_OF_PUBLISHER >= uploads.length
  if (!isOver || most.length <= (of.get(header.publisher)?.length ?? 0) + 1) return undefined
  return most
    .filter(({ phase }) => phase !== 'finishing')
    .sort((a, b) => a.progressMonoMs - b.progressMonoMs)[0]
}
