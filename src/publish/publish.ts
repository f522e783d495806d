/**
 * A publish from content to acknowledgement: what stands in the channel, the next clock, signatures, the upload. A place
 * that another pipeline is proven to have taken meanwhile is left to it and the next one signed, a few times, unless the
 * caller named what it expects to replace. Where it was taken for the very same release, by a run that was cut off, that
 * one is brought to its end.
 */

import { sha256 } from '../codec/digest.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { VectorClock } from '../model/clock.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, Name, PeerId, ReleaseId } from '../model/ids.ts'
import type { Header, Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { nextClock } from './clock.ts'
import type { Content } from './content.ts'
import type { CounterMemory } from './counter.ts'
import { type Replacing, replacing } from './difference.ts'
import { isNewChannel, requireExpected } from './expected.ts'
import { isSameButForTime, makeHeader } from './header.ts'
import { holdersFirst } from './holders.ts'
import { unknownIn } from './known.ts'
import { lookForNew, type NewChannel } from './new-channel.ts'
import { requireThreshold, type Speaker, speakerFor } from './publisher.ts'
import { overRestarts, RefusedBySeed, type Seed } from './seeds.ts'
import { type Signer, signRelease } from './signer.ts'
import { type Standing, standingOf, verified } from './standing.ts'
import { type Progress, type Submission, type Submitted, submitToFirst } from './submit.ts'

export interface Change {
  readonly standing: Standing
  readonly header: Header
  /** Nothing was ever published there: a slip of the hand, perhaps. */
  readonly isNew: NewChannel | undefined
}

export interface PublishOptions extends Progress {
  readonly channel: Channel
  readonly content: Content
  /** Brought up to date (`catchUp`). */
  readonly root: TrustRoot
  /** In the order reached: the first takes the upload, or the first that holds what seeds alone have. */
  readonly seeds: readonly Seed[]
  readonly signers: readonly Signer[]
  readonly memory: CounterMemory
  /** Needed where the keys do not tell. */
  readonly publisher: Name | undefined
  readonly message: string
  /** Milliseconds since 1970. */
  readonly expires: number | undefined
  /** Id, or a prefix of it, of the release that must be the target; `none`: the channel must be empty; `any`: it must be known. */
  readonly expect: string | undefined
  /** Whether an empty channel is looked up among the known ones: a person or a pipeline wrote its name. */
  readonly checkName: boolean
  /** Publish even where the target is the same. */
  readonly again: boolean
  /** Nobody runs it again, so that seeds that restart are waited for: what is signed by then is brought to them as it is. */
  readonly isAwaited?: boolean
  /** Stop before signing, or after it: nothing is sent. */
  readonly until: 'submitted' | 'signed' | 'shown'
  readonly limits: Limits
  readonly wallMs: () => number
  /** False: the person said no. Asked again for each new counter. */
  readonly confirm: (change: Change) => Promise<boolean>
}

export interface Published extends Partial<Replacing> {
  readonly release: ReleaseId
  readonly clock: VectorClock
  readonly files: number
  readonly bytes: number
  readonly uploadedBytes: number
  readonly unchanged: boolean
  /** Nothing was ever published there; absent where nobody asked what stands there. */
  readonly newChannel?: boolean
  readonly acknowledgedBy: readonly PeerId[]
  /** How the seed ordered it; absent where nothing was submitted. */
  readonly verdict?: Submitted['verdict']
  /** Signed, where `until` says so. */
  readonly envelope?: Envelope
}

/** @throws MeshError TRUST_UNAUTHORISED, PUBLISH_EXPECT, PUBLISH_DECLINED, PUBLISH_COUNTER, ORDER_*, NET_*, … */
export async function publish(options: PublishOptions): Promise<Published> {
  const { root, channel, signers, limits } = options
  const keys = signers.map(({ keyId }) => keyId).filter((id) => id !== undefined)
  const speaker = speakerFor(root, channel, { keys, name: options.publisher })
  if (options.until === 'submitted') requireThreshold(speaker, signers.length)
  const also: Release[] = []
  let name: NewChannel | 'known' | MeshError = 'known'
  for (let attempt = 1; ; attempt++) {
    const standing = await awaiting(options, () => standingOf(options.seeds, root, channel, { limits, also }))
    if (attempt === 1 && options.checkName && standing.releases.length === 0)
      name = await lookForNew(channel, options.seeds, limits)
    // To go back to what is the target already: of what was to be replaced the seeds reached know nothing.
    if (standing.target?.id === options.content.heldAs) requireExpected(standing, name, options)
    // First else: a run that was cut off once it was done is run again with the same expectation.
    if (!options.again && isUnchanged(standing, options, speaker)) return unchanged(standing)
    requireExpected(standing, name, options)
    const result = await tryOnce(options, speaker, { standing, isNew: isNewChannel(name) ? name : undefined })
    if (!('taken' in result)) return result
    const { taken, other, signed } = result
    // A seed that lies would have keys without a memory sign one place twice, and any other waste counters.
    if (other === undefined || other.id === signed.id || other.counter < signed.counter) throw taken
    if (!['any', undefined].includes(options.expect)) throw notBehind(taken, limits)
    if (attempt === limits.counterTries) throw outrun(taken, speaker, attempt)
    also.push(other)
  }
}

const awaiting = <T>({ isAwaited, seeds, limits }: PublishOptions, run: () => Promise<T>): Promise<T> =>
  isAwaited === true ? overRestarts(seeds, limits, run) : run()

/** Another release has the place. */
interface Taken {
  readonly taken: RefusedBySeed
  /** Where the seed proves it. */
  readonly other: Release | undefined
  readonly signed: Pick<Release, 'id' | 'counter'>
}

async function tryOnce(
  options: PublishOptions,
  speaker: Speaker,
  { standing, isNew }: Pick<Change, 'standing' | 'isNew'>,
): Promise<Published | Taken> {
  const { root, channel, content, memory, limits } = options
  const publisher = speaker.publisher.name
  const { epoch } = standing
  const remembered = memory.counter(root.fleetId, channel, epoch)
  const clock = nextClock(publisher, channel, { releases: standing.releases, remembered }, limits)
  const created = options.wallMs()
  const facts = { root, channel, publisher, clock, content, created }
  const { header, payload } = makeHeader(
    { ...facts, message: options.message, expires: options.expires },
    limits,
  )
  const release = sha256(payload) as string as ReleaseId
  const counter = clock.get(publisher) ?? 0
  const { files, bytes } = content
  const base = {
    ...{ release, clock, files, bytes, uploadedBytes: 0, unchanged: false, acknowledgedBy: [] },
    ...replacing(standing, header),
    newChannel: isNew !== undefined,
  }
  if (!(await options.confirm({ standing, header, isNew })))
    throw new MeshError('PUBLISH_DECLINED', 'nothing was signed or sent')
  if (options.until === 'shown') return base
  // On disk before a signature exists: a run that dies here only wastes a counter.
  const at = { fleet: root.fleetId, channel, epoch }
  await memory.record(at, { counter, release })
  const envelope = await signRelease(payload, options.signers, speaker.keys)
  if (options.until === 'signed') return { ...base, envelope }
  const bring = async (id: ReleaseId, bytes: Uint8Array): Promise<Published> => {
    const submission = { release: id, envelope: bytes, content }
    return { ...base, release: id, ...(await awaiting(options, () => submit(submission, options))) }
  }
  try {
    return await bring(release, encodeEnvelope(envelope))
  } catch (error) {
    if (!(error instanceof RefusedBySeed) || error.code !== 'ORDER_PLACE_TAKEN') throw error
    const proof = error.envelope
    const other = proof === undefined ? undefined : verified(proof, root, channel, limits)
    const isEarlier = other !== undefined && other.id !== release && isSameButForTime(other, header)
    if (proof === undefined || !isEarlier) return { taken: error, other, signed: { id: release, counter } }
    await memory.record(at, { counter, release: other.id })
    return bring(other.id, proof)
  }
}

async function submit(submission: Submission, options: PublishOptions): Promise<Submitted> {
  const { heldAs } = options.content
  const { seeds, limits } = options
  const first = heldAs === undefined ? seeds : await holdersFirst(seeds, heldAs, limits)
  return submitToFirst(first, submission, options)
}

/** To sign anew is what was done each time: only the other runs can let this one through. */
const outrun = (taken: RefusedBySeed, { publisher }: Speaker, tries: number): MeshError =>
  new MeshError(
    'PUBLISH_COUNTER',
    `${tries} places, one after another, were taken by other runs (said by seed ${taken.details.seed}); let the runs of ${publisher.name} wait for each other, then try again`,
    taken.details,
    { cause: taken },
  )

/** What was expected is replaced by whatever has the place, so that a release behind it would replace that. */
const notBehind = (taken: RefusedBySeed, { leaseMs }: Limits): MeshError =>
  new MeshError(
    'ORDER_PLACE_TAKEN',
    `another run of this publisher has the next place (said by seed ${taken.details.seed}), and with --expect nothing is signed behind it; once its release stands there, look at it; if it was cut off, run this again ${leaseMs / 60_000} minutes after its last block`,
    taken.details,
    { cause: taken },
  )

/** The same files by the same publisher, whole at a seed, with nothing left to settle. */
function isUnchanged(
  { epoch, target, conflict, holders }: Standing,
  options: PublishOptions,
  speaker: Speaker,
): boolean {
  if (target === undefined || conflict || holders.length === 0) return false
  const { header, counter } = target
  const { root, channel, memory } = options
  // What was signed past it may be at a seed that was not reached, and would win once that one is back.
  if (memory.counter(root.fleetId, channel, epoch) > counter) return false
  return (
    header.publisher === speaker.publisher.name &&
    header.expires === options.expires &&
    unknownIn(header).length === 0 &&
    header.pages.length === options.content.pages.length &&
    header.pages.every((page, index) => page === options.content.pages[index])
  )
}

function unchanged({ target, holders }: Standing): Published {
  if (target === undefined) throw new MeshError('INTERNAL', 'unchanged without a target')
  const { clock, files, bytes } = target.header
  return {
    release: target.id,
    clock,
    files,
    bytes,
    uploadedBytes: 0,
    unchanged: true,
    replaces: null,
    difference: null,
    newChannel: false,
    acknowledgedBy: holders,
  }
}
