/** Brings a signed release to a seed: the header first, then only the pages and blocks it lacks, then its word that it is held. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Code, isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { PublishReply, PublishRequest } from '../model/messages.ts'
import type { Content } from './content.ts'
import { askPatiently, askSeed, RefusedBySeed, replyOf, type Seed } from './seeds.ts'

export interface Submitted {
  readonly verdict: 'NEW' | 'CONCURRENT' | 'DUPLICATE'
  readonly acknowledgedBy: readonly PeerId[]
  /** Of pages and blocks. */
  readonly uploadedBytes: number
}

export interface Submission {
  readonly release: ReleaseId
  readonly envelope: Uint8Array
  readonly content: Pick<Content, 'read' | 'bytes'>
}

/** What whoever waits may want to hear. */
export interface Progress {
  /** Of pages and blocks, sent to the seed that is at it. */
  readonly onProgress?: (uploadedBytes: number) => void
  /** The seed has all of it, and brings it to a second one: still. */
  readonly onWait?: (seed: PeerId, waitedMs: number) => void
  /** It takes it later and said when; it is asked again. */
  readonly onBusy?: (seed: PeerId, error: MeshError) => void
  /** It went silent, cannot take it, or lacks what is not at hand here (`CONTENT_GONE`); the next one is tried. */
  readonly onLost?: (seed: PeerId, error: MeshError) => void
}

export interface SubmitOptions extends Progress {
  readonly limits: Limits
}

type Need = Extract<PublishReply, { type: 'need' }>
type Done = Extract<PublishReply, { type: 'done' }>
type Part = Extract<PublishRequest, { type: 'page' | 'block' }>

/** Streams that parts are sent on at once: one crosses the network while another is written. */
const PARALLEL = 2
/**
 * A seed that has a part of it is dialled again this often, each time that it took something in between: fifteen seconds of
 * waits at least, so that one that is stopped in order and started again is back by then.
 */
const REDIALS = 5
/**
 * Beyond that, one whose connection is lost without a word: once after each time that it took something, so often until it has
 * taken enough since the last. What lets nothing pass but handshakes is found out after one answer's deadline more, and somebody
 * else is asked.
 */
const SILENT_REDIALS = 5
/**
 * Between two silences: what lies between drops each connection after a while, and the upload goes on. In ten minutes a link of
 * 0.25 Mbit/s brings that much; who takes a block or two between silences stays far below.
 */
const ENOUGH_BYTES = 16 * 1024 * 1024
/** An upload that it has ended is begun again this often: nothing new is signed for it. */
const REOPENINGS = 2
/** A seed that is busy is asked again this often. */
const BUSY_TRIES = 6

/** What a seed lacks is not at hand here either. */
class Lacking extends MeshError {
  constructor(who: string) {
    const what = 'and it is not at hand here; publish the files instead, or name a seed that has them'
    super('CONTENT_GONE', `${who}, ${what}`)
  }
}

/**
 * What a seed says of itself and not of the release: its disk is full or fails, it has no room for one more channel or for
 * what is under way, takes less than the built-in limits that the release was made by, does not store this channel, lags
 * behind in roots or began after the one that the release names, lost what it was brought, lacks what is not at hand here
 * either, or takes nothing at all.
 */
const OF_SEED: ReadonlySet<Code> = new Set([
  'LIMIT_CHANNELS',
  'LIMIT_RATE',
  'LIMIT_CONTENT',
  'LIMIT_BYTES',
  'LIMIT_SIGNATURES',
  'ORDER_MISPLACED',
  'ORDER_AHEAD',
  'TRUST_ROOT_GAP',
  'FETCH_UNAVAILABLE',
  'CONTENT_GONE',
  'ADMIT_REFUSED',
])
const isOfSeed = (code: Code): boolean => code.startsWith('STORE_') || OF_SEED.has(code)

/**
 * One seed after another while they cannot be reached, cannot take it, or lack what is not at hand here; what one of them
 * refuses of the release itself is refused. A seed that has all of it is left to bring it to a second one: any other would
 * be sent again what it is just pulling. One that goes silent before it says so may have brought it to nobody, so the next
 * is asked what it lacks.
 * @throws MeshError the seed's refusal (`RefusedBySeed`), NET_*, CONTENT_GONE, CONTENT_DIGEST
 */
export async function submitToFirst(
  seeds: readonly Seed[],
  submission: Submission,
  options: SubmitOptions,
): Promise<Submitted> {
  const errors: MeshError[] = []
  let uploadedBytes = 0
  for (const [index, seed] of seeds.entries()) {
    let toThisOne = 0
    const sent = (bytes: number) => {
      toThisOne += bytes
      uploadedBytes += bytes
      options.onProgress?.(toThisOne)
    }
    try {
      const { verdict, acknowledgedBy } = await bring(seed, submission, options, sent)
      return { verdict, acknowledgedBy, uploadedBytes }
    } catch (error) {
      if (!isMeshError(error) || !mayOtherTake(error)) throw error
      errors.push(error)
      if (index < seeds.length - 1) options.onLost?.(seed.peer, error)
    }
  }
  throw whyNone(seeds, errors)
}

const mayOtherTake = (error: MeshError): boolean => error.code.startsWith('NET_') || isOfSeed(error.code)

/** A seed that has ended the upload meanwhile says why where the same release is submitted again, or takes it up anew. */
async function bring(
  seed: Seed,
  submission: Submission,
  options: SubmitOptions,
  sent: (bytes: number) => void,
): Promise<Done> {
  for (let reopened = 0; ; reopened += 1) {
    try {
      const answer = await upload(seed, submission, options, sent)
      return answer ?? (await awaitDone(seed, submission, options))
    } catch (error) {
      if (!(error instanceof Late)) throw error
      if (reopened === REOPENINGS) throw error.cause
    }
  }
}

/** @param errors one of each seed */
function whyNone(seeds: readonly Seed[], errors: readonly MeshError[]): MeshError {
  // One that went silent, or could not take it, may have what the others lack: trying again may help.
  const passing = errors.findLast((error) => !(error instanceof Lacking))
  if (passing !== undefined) return passing
  const [first] = errors
  if (first === undefined) return new MeshError('USAGE', 'no seed is named; give --seed ADDRESS')
  const peers = seeds.map(({ peer }) => peer).join(', ')
  return errors.length === 1 ? first : new Lacking(`none of seeds ${peers} holds all of it any more`)
}

/** Until the seed lacks nothing any more. @returns its word, where it had it to say at once */
async function upload(
  seed: Seed,
  submission: Submission,
  options: SubmitOptions,
  sent: (bytes: number) => void,
): Promise<Done | undefined> {
  return overCuts(seed, options.limits, async (progressed) => {
    const count = (bytes: number) => {
      progressed(bytes)
      sent(bytes)
    }
    let reply = await open(seed, submission.envelope, options)
    while (reply.type === 'need' && reply.pages.length + reply.blocks.length > 0)
      reply = await sendAll(seed, submission, reply, { ...options, sent: count })
    return reply.type === 'done' ? reply : undefined
  })
}

/**
 * Again over a new connection to the same seed: any other would have to be sent what this one has. One that had ended
 * before anything is asked tells nothing of the seed, which keeps none that idles for long: it is dialled first.
 * @param atFirst redials before anything was taken: none where it has nothing yet
 */
async function overCuts<T>(
  seed: Seed,
  limits: Limits,
  run: (progressed: (bytes: number) => void) => Promise<T>,
  atFirst = 0,
): Promise<T> {
  let most = atFirst
  let redials = 0
  let silences = 0
  /** Since the last of them. */
  let takenBytes = 0
  /** Since it took something last. */
  let wasSilent = false
  const progressed = (bytes: number) => {
    most = REDIALS
    redials = 0
    wasSilent = false
    takenBytes += bytes
    if (takenBytes >= ENOUGH_BYTES) silences = 0
  }
  let isCut = seed.isGone === true
  for (;;) {
    let isDialled = false
    try {
      if (isCut) {
        await delay(limits.redialMinMs * Math.max(1, redials) * (1 + Math.random() / 2))
        await seed.redial?.()
      }
      isDialled = true
      return await run(progressed)
    } catch (error) {
      // What lies between may drop a connection without a word to either end.
      const isSilent = isDialled && isMeshError(error) && error.code === 'NET_TIMEOUT'
      isCut = isSilent || (isMeshError(error) && error.code === 'NET_UNREACHABLE')
      if (!isCut || seed.redial === undefined || redials === most) throw error
      if (isSilent && (wasSilent || silences === SILENT_REDIALS)) throw error
      wasSilent ||= isSilent
      silences += Number(isSilent)
      if (isSilent) takenBytes = 0
      redials += 1
    }
  }
}

async function open(seed: Seed, envelope: Uint8Array, { limits, onBusy }: SubmitOptions) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await askSeed(seed, { type: 'submit', envelope }, ['need', 'done'], limits)
    } catch (error) {
      if (!(error instanceof RefusedBySeed)) throw error
      const { retryAfterMs: waitMs } = error
      if (waitMs === undefined || attempt === BUSY_TRIES) throw error
      onBusy?.(seed.peer, error)
      await delay(Math.min(waitMs, limits.publishDeadlineMs) * (1 + Math.random() / 2))
    }
  }
}

/** Sends a batch; the answer to its last part says what comes next. */
async function sendAll(
  seed: Seed,
  { release, envelope, content }: Submission,
  need: Need,
  options: SubmitOptions & { readonly sent: (bytes: number) => void },
) {
  const queue: { type: 'page' | 'block'; digest: Digest }[] = [
    ...need.pages.map((digest) => ({ type: 'page' as const, digest })),
    ...need.blocks.map((digest) => ({ type: 'block' as const, digest })),
  ]
  let next: Need | undefined
  const { limits, sent } = options
  async function* parts(): AsyncGenerator<Part> {
    for (let part = queue.shift(); part !== undefined; part = queue.shift())
      yield { type: part.type, release, bytes: await readPart(seed, content, part.digest) }
  }
  const sendSome = () =>
    seed.askInOrder(parts(), limits.publishDeadlineMs, (answer, part) => {
      const reply = replyOf(seed, part, answer, ['need', 'noted'])
      if ('bytes' in part) sent(part.bytes.length)
      if (reply.type === 'need') next = reply
    })
  const failures: unknown[] = []
  await Promise.all(
    Array.from({ length: PARALLEL }, () =>
      sendSome().catch((error) => {
        // What is left is asked for again, over another connection.
        queue.length = 0
        failures.push(error)
      }),
    ),
  )
  if (failures.length > 0) throw lateOr(failures.find((error) => !isMerelyLate(error)) ?? failures[0])
  // The seed lost count (it was restarted): submitting again says where it stands.
  return next ?? open(seed, envelope, options)
}

/** The seed ended the upload before this part came, and says why elsewhere: a place that is taken comes with the proof. */
const isMerelyLate = (error: unknown): boolean =>
  error instanceof RefusedBySeed && error.code === 'ORDER_PLACE_TAKEN' && error.envelope === undefined

/** So it was with whatever came after the submission itself, which is what says why. */
class Late extends Error {}

const lateOr = (error: unknown): unknown => (isMerelyLate(error) ? new Late('late', { cause: error }) : error)

/**
 * It knows nothing of the upload any more, and takes it up anew: it was restarted before all of it was on its disk, or a block
 * that it had counted on was removed meanwhile, though the release may stand there as the target.
 */
const isForgotten = (error: unknown): boolean =>
  error instanceof RefusedBySeed && (error.code === 'FETCH_UNAVAILABLE' || error.code === 'CONTENT_GONE')

async function readPart(seed: Seed, content: Submission['content'], digest: Digest): Promise<Uint8Array> {
  const bytes = await content.read(digest)
  if (bytes !== undefined) return bytes
  throw new Lacking(`seed ${seed.peer} no longer holds block ${digest.slice(0, 12)}`)
}

/** As long as the seed itself waits for a second one, which goes by the bytes, and what it may take to write the last. */
async function awaitDone(
  seed: Seed,
  { release, content }: Submission,
  { limits, onWait }: SubmitOptions,
): Promise<Done> {
  const { acknowledgeMs, acknowledgeMsPerMib, publishIdleMs } = limits
  const allowedMs = acknowledgeMs + (content.bytes / 2 ** 20) * acknowledgeMsPerMib + publishIdleMs
  const begun = performance.now()
  for (;;) {
    const ask = () => askPatiently(seed, { type: 'await', release }, ['done', 'noted'], limits)
    const reply = await overCuts(seed, limits, ask, REDIALS).catch((error) => {
      throw isForgotten(error) ? new Late('forgotten', { cause: error }) : lateOr(error)
    })
    if (reply.type === 'done') return reply
    const waitedMs = performance.now() - begun
    if (waitedMs > allowedMs)
      throw new MeshError(
        'NET_TIMEOUT',
        `seed ${seed.peer} has not said that it holds the release; see its log`,
      )
    onWait?.(seed.peer, waitedMs)
  }
}
