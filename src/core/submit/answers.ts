/** How a seed answers `publish` requests, and what a verdict means to someone who submits. */
import type { Code } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { Channel, Name, PeerId, ReleaseId } from '../../model/ids.ts'
import type { PublishReply } from '../../model/messages.ts'
import { comparePlaces, type Place } from '../../model/place.ts'
import type { Release } from '../../model/release.ts'
import type { CoreConfig } from '../config.ts'
import type { EffectOf } from '../effects.ts'
import type { RequestId } from '../events.ts'
import type { ChannelFacts, Ingested, Journey, Verdict } from '../journey.ts'
import type { Step } from '../step.ts'
import type { LeaseTable } from './leases.ts'
import type { Upload } from './upload.ts'

/** Why a submission goes no further: the code and one line for the person who submits. */
export interface Refusal {
  readonly code: Code
  readonly text: string
  readonly retryAfterMs?: number
  /** With ORDER_PLACE_TAKEN: the proof. */
  readonly envelope?: Uint8Array
}

export const answer = (step: Step, id: RequestId, message: PublishReply): void =>
  step.emit({ kind: 'reply', id, reply: { protocol: 'publish', message } })

/**
 * @param isSubmission refused itself, and not a question or a part of it: then this is its answer
 * @param judged where order judged it: what that has against it says more
 */
export function refuse(
  step: Step,
  id: RequestId,
  peer: PeerId,
  refusal: Refusal,
  isSubmission = false,
  judged?: Pick<Ingested, 'refusal' | 'release'>,
): void {
  if (isSubmission) counted(step, refusal.code)
  if (judged?.refusal === undefined) noted(step, refusal, peer, judged?.release)
  else step.emit(ofSubmission(judged.refusal))
  answer(step, id, refusedBy(refusal))
}

/** Of what gossip brings the everyday is of no interest; what a publisher is told is looked for in the log. */
const ofSubmission = (note: EffectOf<'note'>): EffectOf<'note'> => ({
  ...note,
  level: note.level === 'debug' ? 'info' : note.level,
  text: `publish: ${note.text}`,
})

function noted(step: Step, { code, text }: Refusal, peer: PeerId, release: Release | undefined): void {
  const about = release === undefined ? {} : { channel: release.header.channel, release: release.id }
  step.emit({ kind: 'note', level: 'info', code, text: `publish: ${text}`, peer, ...about })
}

export const refusedBy = (refusal: Refusal): PublishReply => ({
  type: 'refused',
  code: refusal.code,
  text: refusal.text,
  ...(refusal.retryAfterMs === undefined ? {} : { retryAfterMs: refusal.retryAfterMs }),
  ...(refusal.envelope === undefined ? {} : { envelope: refusal.envelope }),
})

export const unwritten = (code: Code): Refusal => ({
  code,
  text: 'this seed cannot write to its disk; try another seed',
})

/** What is refused for a limit that another seed may have set higher. */
const ofThisSeed = (what: string): string =>
  `${what}, a limit of this seed (docs/limits.md); name another seed, or raise it here`

export const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** More than may be under way though no other upload is: to come back later would not help. */
export function tooMuchAlone(
  bytes: number,
  { maxStagedBytes, maxStagedBytesPerAddress }: Limits,
): Refusal | undefined {
  const [name, most] =
    maxStagedBytes < maxStagedBytesPerAddress
      ? ['maxStagedBytes', maxStagedBytes]
      : ['maxStagedBytesPerAddress', maxStagedBytesPerAddress]
  if (bytes <= most) return undefined
  const what = `${mib(bytes)} of it are new here, and at most ${mib(most)} may be under way (limits.${name})`
  return { code: 'LIMIT_CONTENT', text: ofThisSeed(what) }
}

export const TOO_MANY_WAIT: Refusal = {
  code: 'LIMIT_RATE',
  text: 'too many wait for this release',
  retryAfterMs: 1_000,
}

export const NOT_HERE: Refusal = {
  code: 'ADMIT_REFUSED',
  text: 'this node takes submissions from its own host only; name a seed',
}

/** Said of what comes once an upload ended in vain. */
export const ENDED: Refusal = { code: 'ORDER_PLACE_TAKEN', text: 'the upload has ended; submit again' }

/** Everything is here: what is left is to `await` the word that it is held. */
export const NOTHING_LACKS: PublishReply = { type: 'need', pages: [], blocks: [] }

type Done = Extract<PublishReply, { type: 'done' }>

/** How a release that is here was taken. */
export type Accepted = Done['verdict']

/** Known and whole here; which other seeds hold it is not known. */
export const heldHere = ({ self }: Pick<CoreConfig, 'self'>, journey: Journey, release: ReleaseId): Done => ({
  type: 'done',
  verdict: ranked(journey, release, 'DUPLICATE'),
  acknowledgedBy: [self],
})

export const STALE: Refusal = {
  code: 'ORDER_STALE',
  text: 'a newer release of this channel is known; publish on top of it',
}

export const STALE_EPOCH: Refusal = {
  code: 'ORDER_STALE_EPOCH',
  text: "made under a root from before the channel's epoch; sign it under the current root",
}

const REFUSED: Partial<Record<Verdict, Refusal>> = {
  STALE,
  STALE_EPOCH,
  AHEAD: { code: 'ORDER_AHEAD', text: 'made under a root not known here; push the root first' },
  UNAUTHORISED: {
    code: 'TRUST_UNAUTHORISED',
    text: 'not signed by the threshold of a publisher whose patterns cover the channel',
  },
  MISPLACED: {
    code: 'ORDER_MISPLACED',
    text: 'the release belongs to another fleet; take the root and the seeds of one fleet',
  },
  MALFORMED: { code: 'CODEC_MALFORMED', text: 'the release is not well formed' },
  UNSUPPORTED: {
    code: 'CODEC_UNSUPPORTED',
    text: 'the release is of a version this seed does not know; upgrade the seed',
  },
  RATE: { code: 'LIMIT_RATE', text: 'too many submissions at once', retryAfterMs: 1_000 },
}

/** Undefined: an upload may open (NEW, CONCURRENT, or DUPLICATE). TWIN and TWIN_KNOWN: the place is taken. */
export function refusalOf(journey: Journey, leases: LeaseTable, judged: Ingested): Refusal | undefined {
  // To come back later would not help: it is the release that is too much, here.
  if (judged.verdict === 'RATE' && judged.code !== undefined) {
    const what = judged.refusal?.text ?? 'the release is over a limit'
    return { code: judged.code, text: ofThisSeed(what) }
  }
  const refusal = REFUSED[judged.verdict]
  if (refusal !== undefined) return refusal
  if (judged.release === undefined) return REFUSED.MALFORMED
  const { header, id } = judged.release
  if (judged.verdict === 'TWIN' || judged.verdict === 'TWIN_KNOWN')
    return placeTaken(journey, leases, judged.release)
  if (judged.verdict === 'DUPLICATE') return undefined
  if (!judged.relayable) {
    if (journey.rootEnvelope(header.root) !== undefined)
      return { code: 'TRUST_UNAUTHORISED', text: `not authorised under root ${header.root}, which it names` }
    const text = `root ${header.root}, which it names, is not known here; hand it to this seed with all before it (confmesh trust push --root FILE, the older ones beside it), name another seed, or publish again under root ${journey.root().version}`
    return { code: 'TRUST_ROOT_GAP', text }
  }
  const place = journey.place(judged.release)
  const heldBy = journey.channel(header.channel)?.heads.find((head) => samePlace(journey.place(head), place))
  const lease = leases.at(header.channel, place)
  const taken =
    (heldBy !== undefined && heldBy.id !== id) || (lease !== undefined && lease.record.release !== id)
  return taken ? placeTaken(journey, leases, judged.release) : undefined
}

/** What has no place here would be uploaded and never ordered: its publisher would wait for nothing. */
export function untaken(
  journey: Journey,
  { limits }: Pick<CoreConfig, 'limits'>,
  channel: Channel,
): Refusal | undefined {
  const by = journey.keptOut(channel)
  if (by === undefined) return undefined
  if (by !== 'patterns') {
    const text = `this node has no room for ${channel} (limits.${by}: ${limits[by]}); name another seed, or raise that limit here`
    return { code: 'LIMIT_CHANNELS', text }
  }
  const text = `this node does not store ${channel}: its channels do not match; name a seed that stores it, or add it to channels here`
  return { code: 'ORDER_MISPLACED', text }
}

const samePlace = (a: Place, b: Place): boolean => comparePlaces(a, b) === 0

/**
 * The refusal of a place that another release has, with the envelope of the greatest that its publisher holds or has leased: the
 * next is signed behind that, or its upload gone on with where it was cut off. What others have there is neither.
 */
export function placeTaken(journey: Journey, leases: LeaseTable, { header }: Release): Refusal {
  const envelope = greatest(journey, leases, header.channel, header.publisher)
  return {
    code: 'ORDER_PLACE_TAKEN',
    text: 'another release has this counter; sign anew with the next one',
    ...(envelope === undefined ? {} : { envelope }),
  }
}

/** The envelope of the greatest place of a channel that is held or leased, by whomever or by one publisher. */
export function greatest(
  journey: Journey,
  leases: LeaseTable,
  channel: Channel,
  publisher?: Name,
): Uint8Array | undefined {
  const held = (journey.channel(channel)?.heads ?? [])
    .filter(({ header }) => publisher === undefined || header.publisher === publisher)
    .map((head) => ({ place: journey.place(head), envelope: journey.envelope(head.id) }))
  const leased = leases.greatest(channel, publisher)?.record
  return [...held, ...(leased === undefined ? [] : [leased])]
    .filter(({ envelope }) => envelope !== undefined)
    .sort((a, b) => comparePlaces(b.place, a.place))[0]?.envelope
}

function factsOf(journey: Journey, release: ReleaseId): ChannelFacts | undefined {
  const channel = journey.channelOf(release)
  return channel === undefined ? undefined : journey.channel(channel)
}

/**
 * Of a release that is here, where another one in its place is known, too: it counts nowhere before one of a greater place
 * comes, and whoever brings it, now or again, is told so.
 */
export function equivocation(journey: Journey, release: ReleaseId): Refusal | undefined {
  const facts = factsOf(journey, release)
  if (facts?.held !== true || !facts.floor.ids.includes(release)) return undefined
  const text = `another release was signed for the same place; ${facts.channel} is held until a greater one`
  return { code: 'ORDER_EQUIVOCATION', text }
}

/**
 * How a release was taken, but CONCURRENT where another publisher's stands beside it and ranks higher, whenever that came:
 * no node activates it then, and whoever brings it, now or again, is told so.
 */
export function ranked(journey: Journey, release: ReleaseId, taken: Accepted): Accepted {
  const facts = factsOf(journey, release)
  if (facts === undefined || facts.floor.ids.includes(release)) return taken
  return facts.heads.some(({ id }) => id === release) ? 'CONCURRENT' : taken
}

/** One submission has its answer: accepted, known already, or the code of the refusal. */
export const counted = (step: Step, label: Accepted | Code): void =>
  step.emit({ kind: 'count', metric: 'submissions', by: 1, label })

/** It is whole here, and was taken as `verdict` says. */
export function accepted(
  step: Step,
  { release: { id, header }, peer }: Pick<Upload, 'release' | 'peer'>,
  verdict: Accepted,
): void {
  const { channel } = header
  audit(step, { peer, release: id, channel, answer: verdict })
  step.emit({
    kind: 'note',
    level: 'info',
    code: 'SUBMIT',
    text: `${channel} ${id.slice(0, 12)}: ${verdict}, ${header.files} files, ${header.bytes} bytes`,
    peer,
    channel,
    release: id,
  })
  counted(step, verdict)
}

/** An upload ended in vain: said once, whoever waits for it just now. */
export function ended(
  step: Step,
  { release, peer }: Pick<Upload, 'release' | 'peer'>,
  refusal: Refusal,
): void {
  counted(step, refusal.code)
  noted(step, refusal, peer, release)
  audit(step, { peer, release: release.id, channel: release.header.channel, answer: refusal.code })
}

/** One line of the append-only audit log: who submitted what, what was answered. */
export function audit(
  step: Step,
  entry: {
    readonly peer: PeerId
    readonly release: ReleaseId
    readonly channel: Channel
    readonly answer: string
  },
): void {
  step.emit({
    kind: 'persist',
    ticket: step.nextTicket(),
    writes: [{ kind: 'audit', at: step.now.wallMs, ...entry }],
    sync: false,
  })
}
