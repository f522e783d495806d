/**
 * A root handed out together with what it leaves without a release. That is looked up before the root goes out, for
 * afterwards it counts no more, and issued again right after it: nodes born in between would stay empty.
 */
import { basename } from 'node:path'
import { type Code, isMeshError, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel, KeyId, Pattern } from '../model/ids.ts'
import { parseChannel } from '../model/names.ts'
import { matchesAny } from '../model/pattern.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { channelsUnder } from '../publish/channels.ts'
import { contentAtSeeds } from '../publish/content.ts'
import { type CounterMemory, joinMemories } from '../publish/counter.ts'
import { requireKnown } from '../publish/known.ts'
import { type Published, publish } from '../publish/publish.ts'
import { type By, ownersOf, requireThreshold, speakerFor } from '../publish/publisher.ts'
import { has, type RootEnvelope, rootAtSeeds } from '../publish/roots.ts'
import { overRestarts, UNANSWERED } from '../publish/seeds.ts'
import { NewerRelease, type Standing, type StandingOptions, standingOf } from '../publish/standing.ts'
import { raisedBy } from '../trust/describe.ts'
import { epochOf } from '../trust/epoch.ts'
import { argument } from './arguments.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { out, progress, warn } from './output.ts'
import { tellUpload } from './progress.ts'
import { keyMissing, type Session, withSession } from './publish-session.ts'
import { publishedFacts, warnIfBeside } from './publish-text.ts'
import { oldPath, readRoot } from './root-files.ts'
import { short } from './text.ts'
import { timeOf } from './time.ts'
import type { PushOptions } from './trust-hand-out.ts'
import { type Handed, lineOf, pushToAll, rootsBeside, unreachedOf } from './trust-push.ts'
import { warnUnsaid } from './trust-touched.ts'

/** What counted in a channel before the root. */
export type Target = readonly [Channel, Release]

export interface HandedOut extends Handed {
  readonly reissued: readonly ({ readonly channel: Channel } & Published)[]
  readonly left: readonly Left[]
}

const NAME_IT = 'name with --channel what is missing'

/** Without a release under the root that is out, and why. */
interface Left {
  readonly channel: Channel
  readonly code: Code
  readonly message: string
}

/** `trust push` with a publisher's keys: of a root that others have signed, so that no `rotate` is left to do it. */
export async function pushAndReissue(options: PushOptions): Promise<void> {
  await withSession(options, async (session) => {
    const { root } = readRoot(options.root)
    requireNewest(root, options.root, session)
    const old = await rootOfFleet(options.root, session)
    const owners = ownersOf(root, speaking(session))
    const isOwn = (channel: Channel) => owners.some(({ patterns }) => matchesAny(patterns, channel))
    if (old.version === root.version) return pushAgain(root, isOwn, options, session)
    const raised = raisedBy(old, root).map(({ pattern }) => pattern)
    const channels = await channelsKnown(raised, options.channel, [session.memory], root, session)
    const own = channels.filter(isOwn)
    const targets = await targetsOf(own, old, session).catch(async (error: unknown) => {
      // That it has another one in the place of this says more.
      if (isMeshError(error) && error.code === 'TRUST_ROOT_OLD') await requireNoOther(options.root, session)
      throw error
    })
    requireSigners(old, root, targets, session)
    const handed = await handOut(options.root, old, targets, session)
    out({ version: root.version, ...factsOf(handed), unreached: unreachedOf(session.seeds) }, [
      ...handed.seeds.map(lineOf),
      ...reissuedLines(handed),
      ...leftOut(own, targets, old),
      ...notTheirs(channels.filter((channel) => !isOwn(channel))),
    ])
    tellLeft(handed.left, root)
  })
}

/**
 * The fleet has the root: the end of a run that was cut off, perhaps. What counted before is known to no seed any more, so
 * that what was not issued again can only be named.
 */
async function pushAgain(
  root: TrustRoot,
  isOwn: (channel: Channel) => boolean,
  options: PushOptions,
  session: Session,
): Promise<void> {
  const patterns = root.epochs.map(({ pattern }) => pattern)
  const held = await channelsUnder(patterns, session.seeds.reached, LIMITS, warnUnsaid(NAME_IT))
  const channels = [...new Set([...named(options.channel), ...held])].sort()
  const stale = await staleOf(channels, root, session)
  const handed = await pushToAll(rootsBeside(options.root), session.seeds.reached)
  const message = 'what it holds is of an older epoch, and what counted there is not known any more'
  const left = stale
    .filter(isOwn)
    .map((channel) => ({ channel, code: 'ORDER_STALE_EPOCH', message }) as const)
  const facts = factsOf({ ...handed, reissued: [], left })
  out({ version: root.version, ...facts, unreached: unreachedOf(session.seeds) }, [
    ...handed.seeds.map(lineOf),
    `nothing is issued again: what counted before root ${root.version} is not known any more`,
    ...notTheirs(stale.filter((channel) => !isOwn(channel))),
  ])
  tellLeft(left, root)
}

const notTheirs = (channels: readonly Channel[]): string[] =>
  channels.map((channel) => `${channel} is not issued again: these keys may not publish there`)

/** @throws MeshError TRUST_ROOT_GAP where what the seeds have is not at hand; AnotherRoot where that is of this version */
async function rootOfFleet(path: string, session: Session): Promise<TrustRoot> {
  const roots = rootsBeside(path)
  const known = await rootAtSeeds(roots, session.seeds.reached, LIMITS)
  if (known !== undefined) return known
  await requireNoOther(path, session)
  const before = basename(oldPath(path, (roots.at(-1) as RootEnvelope).version - 1))
  throw new MeshError(
    'TRUST_ROOT_GAP',
    `no seed has a root that is kept beside ${path}, so what a new epoch touches is not known; put ${before} and those before it there`,
    { path },
  )
}

/** @throws AnotherRoot; MeshError NET_* */
async function requireNoOther(path: string, { seeds }: Session): Promise<void> {
  const newest = rootsBeside(path).at(-1) as RootEnvelope
  for (const seed of seeds.reached) await has(seed, newest, LIMITS)
}

/** @throws MeshError TRUST_ROOT_OLD */
export function requireNewest({ version }: TrustRoot, path: string, { chain }: Session): void {
  if (chain.current.version <= version) return
  throw new MeshError(
    'TRUST_ROOT_OLD',
    `the fleet is at root ${chain.current.version}, ${path} is version ${version}; take the newest first`,
  )
}

/** Those the seeds hold under the patterns, those that keys remember, and those named. */
export async function channelsKnown(
  patterns: readonly Pattern[],
  given: readonly string[] | undefined,
  memories: readonly CounterMemory[],
  { fleetId }: TrustRoot,
  { seeds }: Session,
): Promise<readonly Channel[]> {
  const literal = patterns.filter((pattern) => !pattern.includes('*')).map((pattern) => parseChannel(pattern))
  const remembered = joinMemories(memories)
    .channels(fleetId)
    .filter((channel) => matchesAny(patterns, channel))
  const held = await channelsUnder(patterns, seeds.reached, LIMITS, warnUnsaid(NAME_IT))
  return [...new Set([...named(given), ...literal, ...remembered, ...held])].sort()
}

const named = (given: readonly string[] | undefined): readonly Channel[] =>
  (given ?? []).map((text) => argument('--channel', text, parseChannel))

/**
 * @param known found before: a seed that told of it may be silent now, or have the next root from somebody else
 * @throws MeshError as `standingOf`
 */
export async function targetsOf(
  channels: readonly Channel[],
  root: TrustRoot,
  session: Session,
  known?: readonly Target[],
): Promise<readonly Target[]> {
  const found: Target[] = []
  const how = { isLeft: known === undefined }
  for await (const [channel, { target }] of standings(channels, root, session, known, how))
    if (target !== undefined) found.push([channel, target])
  return found
}

/** Those that hold nothing of their epoch under the root. */
export async function staleOf(
  channels: readonly Channel[],
  root: TrustRoot,
  session: Session,
): Promise<readonly Channel[]> {
  const found: Channel[] = []
  for await (const [channel, { releases }] of standings(channels, root, session, [], { isNewerLeft: true }))
    if (releases.length === 0) found.push(channel)
  return found
}

async function* standings(
  channels: readonly Channel[],
  root: TrustRoot,
  { seeds }: Session,
  known: readonly Target[] = [],
  { isNewerLeft = false, ...how }: Pick<StandingOptions, 'isLeft'> & { readonly isNewerLeft?: boolean } = {},
): AsyncGenerator<readonly [Channel, Standing]> {
  const before = new Map(known)
  for (const [index, channel] of channels.entries()) {
    if (index > 0 && index % 100 === 0) progress(`looked at ${index} of ${channels.length} channels`)
    const release = before.get(channel)
    const also = release === undefined ? [] : [release]
    try {
      yield [channel, await standingOf(seeds.reached, root, channel, { limits: LIMITS, also, ...how })]
    } catch (error) {
      if (error instanceof NewerRelease && isNewerLeft) continue
      throw error
    }
  }
}

/**
 * Before anything changes: a wrong key, one too few, or a tool that is too old would leave the channels empty.
 * @throws MeshError TRUST_UNAUTHORISED, USAGE, CODEC_UNSUPPORTED
 */
export function requireSigners(
  old: TrustRoot,
  next: TrustRoot,
  targets: readonly Target[],
  session: Session,
): void {
  const touched = targets.filter(isTouched(old, next))
  if (touched.length === 0) return
  for (const target of touched) if (!isOver(target, Date.now())) requireKnown(target[1], HAND_OUT_FIRST)
  if (session.signers.length === 0) throw keyMissing()
  const by = speaking(session)
  requireStaying(old, next, by)
  for (const [channel] of touched)
    requireThreshold(speakerFor(next, channel, by), session.signers.length, HAND_OUT_FIRST)
}

/** Nothing is lost by it: what was active stays until the channels have their releases. */
const HAND_OUT_FIRST =
  'hand the root out without keys (confmesh trust push, after a rotate without --seed), and publish each channel by: confmesh publish --prepare, then confmesh sign'

/** @throws MeshError TRUST_UNAUTHORISED: what to do about a key that no publisher has would bring it back */
function requireStaying(old: TrustRoot, next: TrustRoot, by: By): void {
  const isIn = ({ publishers }: TrustRoot, key: KeyId) =>
    [...publishers.values()].some(({ keys }) => keys.includes(key))
  const leaving = by.keys.find((key) => isIn(old, key) && !isIn(next, key))
  if (leaving === undefined) return
  throw new MeshError(
    'TRUST_UNAUTHORISED',
    `key ${leaving.slice(0, 12)} is no publisher's any more in root ${next.version}; what is issued again is signed by the keys that stay: --key FILE`,
  )
}

const speaking = ({ signers, publisher }: Session): By => ({
  keys: signers.map(({ keyId }) => keyId).filter((id) => id !== undefined),
  name: publisher,
})

const isTouched =
  (old: TrustRoot, next: TrustRoot) =>
  ([channel]: Target): boolean =>
    epochOf(next, channel) !== epochOf(old, channel)

/** Seeds or a signing command that are silent cost their deadline for each channel: after so many in a row the rest is not tried. */
const MOST_SILENT = 3

/** A signing command that ends at once, as a KMS refuses a call, costs nothing to try again. */
const isSilence = ({ code, details }: MeshError): boolean =>
  code.startsWith('NET_') || code === 'LIMIT_RATE' || (code === 'SIGN_FAILED' && details.late === true)

/** Asked once more no seed has answered: one that took the root acts at once, and says so only when it is on its disk. */
export class MayBeOut extends MeshError {}

/** Of channels, in a line. */
const MOST_NAMED = 20

/** What is known of them is known to this run alone. */
function mayBeOut(
  { code, message, details }: MeshError,
  version: number,
  touched: readonly Target[],
): MayBeOut {
  const named = touched.slice(0, MOST_NAMED).map(([channel, { id }]) => `${channel} ${short(id)}`)
  if (touched.length > named.length) named.push(`${touched.length - named.length} more`)
  const waiting = named.join(', ')
  const lost =
    waiting === '' ? '' : `, which then leaves without a release what counted until now: ${waiting}`
  const text = `${message}; the fleet may have root ${version} all the same${lost}`
  return new MayBeOut(code, text, { ...details, ...(waiting === '' ? {} : { waiting }) })
}

/** Issued again it would be the first of the new epoch, which no host activates, instead of what is active. */
const isOver = ([, { header }]: Target, nowMs: number): boolean =>
  header.expires !== undefined && header.expires <= nowMs

const leftOver = ([channel, { header }]: Target): Left => ({
  channel,
  code: 'ACTIVATE_EXPIRED',
  message: `what counted there expired at ${timeOf(header.expires ?? 0)}`,
})

/** One channel that fails stops none after it: the root is out, and each of them counts for itself. @throws MayBeOut, MeshError as `pushToAll` */
export async function handOut(
  path: string,
  old: TrustRoot,
  targets: readonly Target[],
  session: Session,
): Promise<HandedOut> {
  const { root } = readRoot(path)
  const { reached } = session.seeds
  const touched = targets.filter(isTouched(old, root))
  // A question that waited for its answer for long has outlasted the connections; and who was late with his has the root now.
  const push = () => pushToAll(rootsBeside(path), reached)
  const handed = await overRestarts(reached, LIMITS, push, UNANSWERED).catch((error: unknown) => {
    throw isMeshError(error) && UNANSWERED.has(error.code) ? mayBeOut(error, root.version, touched) : error
  })
  const nowMs = Date.now()
  const over = touched.filter((target) => isOver(target, nowMs))
  const lasting = touched.filter((target) => !isOver(target, nowMs))
  const reissued: ({ readonly channel: Channel } & Published)[] = []
  const left: Left[] = []
  let silent = 0
  for (const [index, [channel, release]] of lasting.entries()) {
    const last = left.at(-1)
    if (silent === MOST_SILENT && last !== undefined) {
      left.push({ ...last, channel })
      continue
    }
    progress(`issuing ${channel} again, ${index + 1} of ${lasting.length}`)
    try {
      const done = await reissue(channel, release, root, session)
      warnIfBeside(channel, done)
      reissued.push({ channel, ...done })
      silent = 0
    } catch (error) {
      if (!isMeshError(error)) throw error
      left.push({ channel, code: error.code, message: error.message })
      silent = isSilence(error) ? silent + 1 : 0
    }
  }
  return { ...handed, reissued, left: [...left, ...over.map(leftOver)] }
}

export const factsOf = ({ seeds, refused, reissued, left }: HandedOut) => ({
  seeds,
  refused,
  reissued: reissued.map((one) => ({ channel: one.channel, ...publishedFacts(one) })),
  left: left.map(({ channel, code }) => ({ channel, code })),
})

/** The root is out and these wait for a release under it: said beside the result, which is not all that was wanted. */
export function tellLeft(left: readonly Left[], { version }: TrustRoot): void {
  const [first] = left
  if (first === undefined) return
  for (const { channel, code, message } of left)
    warn(`${code}: ${channel} is left without a release under root ${version}: ${message}`)
  warn(
    `root ${version} is handed out and what is active stays; publish each of these ${left.length}: confmesh publish CHANNEL FOLDER`,
  )
  process.exitCode = EXIT_CODES[first.code]
}

export const reissuedLines = ({ reissued }: HandedOut): string[] =>
  reissued.map(({ channel, release }) => `${channel} issued again as ${short(release)}`)

/** Whose last release did not count before either, such as one of a publisher that was removed. */
export function leftOut(
  channels: readonly Channel[],
  targets: readonly Target[],
  { version }: TrustRoot,
): string[] {
  const done = new Set(targets.map(([channel]) => channel))
  return channels
    .filter((channel) => !done.has(channel))
    .map(
      (channel) => `${channel} is not issued again: nothing there counted under root ${version}; publish it`,
    )
}

function reissue(channel: Channel, release: Release, root: TrustRoot, session: Session) {
  const { bytes, message, expires } = release.header
  return publish({
    channel,
    content: contentAtSeeds(release),
    root,
    seeds: session.seeds.reached,
    signers: session.signers,
    memory: session.memory,
    publisher: session.publisher,
    message,
    expires,
    expect: undefined,
    checkName: false,
    again: true,
    // Signed once more it would be the second of the epoch, which hosts do not know for what had failed its check there.
    isAwaited: true,
    until: 'submitted',
    limits: LIMITS,
    wallMs: Date.now,
    confirm: async () => true,
    ...tellUpload(bytes),
  })
}
