/** Rotation of a publisher's keys: with seeds, the new root and what it leaves without a release go out in one run. */
import { isMeshError, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel, KeyId, Name } from '../model/ids.ts'
import { parseName } from '../model/names.ts'
import { covers } from '../model/pattern.ts'
import type { PublicKey, TrustRoot } from '../model/root.ts'
import { openMemory } from '../publish/counter.ts'
import { AnotherRoot, isWithheld, type RootEnvelope, requireOurs } from '../publish/roots.ts'
import { overRestarts, redialGone } from '../publish/seeds.ts'
import { changePublisherKeys } from '../trust/edit.ts'
import { argument } from './arguments.ts'
import { keyNamed, readPublicKey } from './key-files.ts'
import { out } from './output.ts'
import { type Session, withSession } from './publish-session.ts'
import { olderBeside, type RootFile, readRoot } from './root-files.ts'
import { applyChange, type Outcome } from './trust-change.ts'
import type { RotateOptions } from './trust-hand-out.ts'
import { lineOf, raisedFor, rootsBeside } from './trust-push.ts'
import {
  channelsKnown,
  factsOf,
  handOut,
  leftOut,
  MayBeOut,
  reissuedLines,
  requireNewest,
  requireSigners,
  type Target,
  targetsOf,
  tellLeft,
} from './trust-reissue.ts'

export async function rotate(name: string, options: RotateOptions): Promise<void> {
  const publisher = argument('publisher', name, parseName)
  const add = (options.addKey ?? []).map(readPublicKey)
  const remove = keysLeaving(publisher, options)
  if (add.length + remove.length === 0)
    throw new MeshError('USAGE', 'nothing to rotate: name --add-key FILE or --remove-key FILE')
  const change: KeyChange = { publisher, add, remove }
  if (options.seed === undefined) {
    requireNothingToSend(options)
    const { facts, lines } = await changeKeys(change, options)
    out(facts, lines)
    return
  }
  if (options.raise !== undefined)
    throw new MeshError(
      'USAGE',
      '--raise with rotate is for a root that is handed out later: leave out --seed, then confmesh trust push --key FILE',
    )
  await withSession({ ...options, publisher: name, keyless: true }, (session) =>
    rotateInFleet(change, options, session),
  )
}

function keysLeaving(publisher: Name, { removeKey = [], root, seed }: RotateOptions): readonly KeyId[] {
  if (removeKey.length === 0) return []
  const current = readRoot(root)
  const keysOf = (file?: RootFile) => file?.root.publishers.get(publisher)?.keys ?? []
  // Of a run that was cut off the root is written already: the same command is to say that it must be handed out.
  const before = () => (seed === undefined ? [] : keysOf(olderBeside(current).at(-1)))
  return removeKey.map((given) => keyNamed(given, keysOf(current), `publisher ${publisher}`, before))
}

/** @throws MeshError USAGE: who names these believes that the fleet gets it */
function requireNothingToSend({ key, signWith, channel }: RotateOptions): void {
  const idle = Object.entries({ '--key': key, '--sign-with': signWith, '--channel': channel })
  const [first] = idle.find(([, given]) => given !== undefined) ?? []
  if (first !== undefined)
    throw new MeshError('USAGE', `${first} is for what is issued again, which needs seeds: --seed ADDRESS`)
}

interface KeyChange {
  readonly publisher: Name
  readonly add: readonly PublicKey[]
  readonly remove: readonly KeyId[]
}

const changed = (root: TrustRoot, { publisher, add, remove }: KeyChange): TrustRoot =>
  changePublisherKeys(root, publisher, { add, remove })

function changeKeys(
  change: KeyChange,
  options: RotateOptions,
  channels?: readonly Channel[],
): Promise<Outcome> {
  const edit = (root: TrustRoot) => changed(root, change)
  return applyChange(options, edit, options.stolen === true ? [STOLEN_NOTE] : [], channels)
}

const STOLEN_NOTE =
  "nothing is issued again by itself: what stands there may be the thief's; publish the right content of each channel"

export async function rotateInFleet(
  change: KeyChange,
  options: RotateOptions,
  session: Session,
): Promise<void> {
  const old = readRoot(options.root).root
  requireNewest(old, options.root, session)
  // On top of another root than the fleet's it would undo that one, and nobody would be told before.
  const roots = rootsBeside(options.root)
  await requireOurs(roots, session.seeds.reached, LIMITS)
  await requireHandedOut(roots, change.publisher, options, session)
  const found = change.remove.length === 0 ? NOTHING : await lookUp(change, old, options, session)
  requireSigners(old, changed(old, change), found.targets, session)
  const { complete, facts, lines } = await changeKeys(change, options, found.channels)
  const path = options.out ?? options.root
  if (!complete) {
    const key = issuesAgain(change, options) ? ' --key FILE' : ''
    const then = `nothing was handed out yet; once enough have signed: confmesh trust push --root ${path} --seed ADDRESS${key}`
    out({ ...facts, seeds: [], refused: [], reissued: [], left: [] }, [...lines, then])
    return
  }
  const { channels, targets, handed } = await sayingHowToGoOn(
    path,
    issuesAgain(change, options) ? change.publisher : undefined,
    options,
    session,
    async () => {
      const now = await lookAgain(found, change, old, options, session)
      requireSigners(old, readRoot(path).root, now.targets, session)
      return { ...now, handed: await handOut(path, old, now.targets, session) }
    },
  )
  out({ ...facts, ...factsOf(handed) }, [
    ...lines.filter((line) => !line.startsWith('hand it out')),
    ...handed.seeds.map(lineOf),
    ...reissuedLines(handed),
    ...(options.stolen === true
      ? channels.map((channel) => `publish the right content of ${channel} now: confmesh publish`)
      : leftOut(channels, targets, old)),
  ])
  tellLeft(handed.left, readRoot(path).root)
}

/**
 * What a root that nobody has yet raises would go out with this one, and nothing of it be issued again or named.
 * @throws MeshError USAGE
 */
async function requireHandedOut(
  roots: readonly RootEnvelope[],
  publisher: Name,
  options: RotateOptions,
  session: Session,
): Promise<void> {
  const { reached } = session.seeds
  const newest = roots.at(-1)
  if (newest === undefined || !(await isWithheld(newest, reached, LIMITS))) return
  const { version } = newest
  const say = (what: string, next: string) =>
    new MeshError('USAGE', `no seed has root ${version} yet: hand out first ${what}: ${next}`, {
      version,
      next,
    })
  const push = pushCommand(options.root, undefined, options, session)
  if (options.stolen === true)
    throw say("what it changes, without --key, for what that issues again may be the thief's", push)
  const raised = await raisedFor(roots, reached)
  if (raised.length === 0) throw say('what it changes', push)
  const own = readRoot(options.root).root.publishers.get(publisher)?.patterns ?? []
  const isOwn = raised.some((pattern) => own.some((one) => covers(pattern, one) || covers(one, pattern)))
  const again = isOwn ? pushCommand(options.root, publisher, options, session) : `${push} --key FILE`
  throw say('what it changes, which issues again what has a new epoch (not after a theft)', again)
}

interface Found {
  readonly channels: readonly Channel[]
  readonly targets: readonly Target[]
}

/** Whatever the first look found: more may be published while somebody is asked, or others have yet to sign. */
const issuesAgain = ({ remove }: KeyChange, { stolen }: RotateOptions): boolean =>
  remove.length > 0 && stolen !== true

const NOTHING: Found = { channels: [], targets: [] }

async function lookUp(
  { publisher }: KeyChange,
  root: TrustRoot,
  options: RotateOptions,
  session: Session,
  known?: Found,
): Promise<Found> {
  const held = await channelsOf(publisher, root, options, session)
  const channels = [...new Set([...(known?.channels ?? []), ...held])].sort()
  const targets = options.stolen === true ? [] : await targetsOf(channels, root, session, known?.targets)
  return { channels, targets }
}

/**
 * What was published while somebody was asked would be rolled back without a word. After a theft nothing is issued again,
 * and the root must go out.
 */
async function lookAgain(
  found: Found,
  change: KeyChange,
  root: TrustRoot,
  options: RotateOptions,
  session: Session,
): Promise<Found> {
  if (!issuesAgain(change, options)) return found
  const { reached } = session.seeds
  return overRestarts(reached, LIMITS, async () => {
    // The question may have outlasted them all, and a list of channels that none gives is an empty one.
    await redialGone(reached)
    return lookUp(change, root, options, session, found)
  })
}

/**
 * The root's file is changed already, so that the same command again would find nothing to do.
 * @param publisher of what must be issued again, if anything may have to be
 * @throws MeshError as `run` does
 */
async function sayingHowToGoOn<T>(
  path: string,
  publisher: Name | undefined,
  options: RotateOptions,
  session: Session,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!isMeshError(error)) throw error
    const { version } = readRoot(path).root
    if (error instanceof AnotherRoot) {
      const text = `${error.message}; ${path} is version ${version} now, which no seed has`
      throw new MeshError(error.code, text, { ...error.details, root: path, version }, { cause: error })
    }
    const next = pushCommand(path, publisher, options, session)
    const go = error instanceof MayBeOut ? 'go on with' : 'the fleet is where it was until this is done'
    throw new MeshError(
      error.code,
      `${error.message}; ${path} is version ${version} now, but no seed has said that it has it: ${go}: ${next}`,
      { ...error.details, root: path, version, next },
      { cause: error },
    )
  }
}

function pushCommand(
  path: string,
  publisher: Name | undefined,
  options: RotateOptions,
  { signers }: Session,
): string {
  const words = (option: string, given: readonly string[] = []) => given.flatMap((one) => [option, one])
  const again =
    publisher === undefined
      ? []
      : [
          // Where nothing stood there was no need of a key, and something may stand there by now.
          ...words('--key', signers.length === 0 ? ['FILE'] : options.key),
          // It may hold a secret.
          ...words(
            '--sign-with',
            options.signWith?.map(() => 'COMMAND'),
          ),
          ...words('--publisher', [publisher]),
          ...words('--channel', options.channel),
        ]
  return ['confmesh trust push --root', path, ...words('--seed', options.seed), ...again].join(' ')
}

/** Under the publisher's patterns; what the keys that leave remember, too, where their files are there. */
function channelsOf(
  publisher: Name,
  root: TrustRoot,
  options: RotateOptions,
  session: Session,
): Promise<readonly Channel[]> {
  const patterns = root.publishers.get(publisher)?.patterns ?? []
  const leaving = (options.removeKey ?? []).map((file) => openMemory(file.replace(/\.pub$/, '')))
  return channelsKnown(patterns, options.channel, [session.memory, ...leaving], root, session)
}
