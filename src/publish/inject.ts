/** Brings what others signed to a seed. Nothing is signed anew, so the seed's answer is the answer: no second try. */
import { encodeEnvelope } from '../codec/envelope.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Content } from './content.ts'
import { replacing } from './difference.ts'
import { isNewChannel, requireExpected } from './expected.ts'
import { lookForNew } from './new-channel.ts'
import type { Prepared } from './prepared.ts'
import type { Change, Published } from './publish.ts'
import type { Seed } from './seeds.ts'
import { standingOf } from './standing.ts'
import { type Progress, submitToFirst } from './submit.ts'

export interface InjectOptions extends Progress {
  readonly content: Content
  /** To verify what stands in the channel; undefined: nobody asks what it is. */
  readonly root: TrustRoot | undefined
  /** In the order reached: the first takes the upload. */
  readonly seeds: readonly Seed[]
  /** As of a publish; needs the root. */
  readonly expect: string | undefined
  /** `shown`: nothing is sent. */
  readonly until: 'submitted' | 'shown'
  readonly limits: Limits
  /** False: the person said no. */
  readonly confirm: (change: Change) => Promise<boolean>
}

/** @throws MeshError PUBLISH_EXPECT, PUBLISH_DECLINED, the seed's refusal, NET_*, CONTENT_* */
export async function inject(
  { envelope, release }: Pick<Prepared, 'envelope' | 'release'>,
  options: InjectOptions,
): Promise<Published> {
  const { root, seeds, content } = options
  const { clock, files, bytes } = release.header
  const seen = root === undefined ? undefined : await look(release, root, options)
  const facts = {
    ...{ release: release.id, clock, files, bytes },
    ...(seen === undefined || seen.target?.id === release.id ? {} : replacing(seen, release.header)),
  }
  if (options.until === 'shown') {
    const holders = seen?.target?.id === release.id ? seen.holders : []
    return { ...facts, uploadedBytes: 0, unchanged: holders.length > 0, acknowledgedBy: holders }
  }
  const submission = { release: release.id, envelope: encodeEnvelope(envelope), content }
  const { verdict, uploadedBytes, acknowledgedBy } = await submitToFirst(seeds, submission, options)
  const unchanged = verdict === 'DUPLICATE' && uploadedBytes === 0
  return { ...facts, uploadedBytes, unchanged, acknowledgedBy, verdict }
}

/** What stands there is what was expected, or this very release, and is shown. */
async function look(
  { id, header }: Prepared['release'],
  root: TrustRoot,
  { seeds, limits, expect, confirm }: InjectOptions,
): Promise<Change['standing']> {
  const { channel, fleet } = header
  if (fleet !== root.fleetId)
    throw new MeshError('ORDER_MISPLACED', `the release for ${channel} is of another fleet than the root`)
  const standing = await standingOf(seeds, root, channel, { limits, clock: header.clock })
  const name = standing.releases.length === 0 ? await lookForNew(channel, seeds, limits) : 'known'
  if (standing.target?.id !== id) requireExpected(standing, name, { channel, expect })
  if (!(await confirm({ standing, header, isNew: isNewChannel(name) ? name : undefined })))
    throw new MeshError('PUBLISH_DECLINED', 'nothing was sent')
  return standing
}
