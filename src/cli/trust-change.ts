/** One step of the trust root, from the edit to the files: says what changes, signs, and takes effect once enough signed. */
import { existsSync, unlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { isMeshError, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel } from '../model/ids.ts'
import { parsePattern } from '../model/names.ts'
import type { TrustRoot } from '../model/root.ts'
import { requireKnown } from '../trust/chain.ts'
import { describeChange, raisedBy } from '../trust/describe.ts'
import { alsoRaised, dropEndedRemovals, requireKept, requireRoom } from '../trust/edit.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { checkSuccession } from '../trust/root-rules.ts'
import { addSignature, signEnvelope } from '../trust/signing.ts'
import { keysOf, signers } from '../trust/threshold.ts'
import { argument } from './arguments.ts'
import { requireNew, whileLocked, writeNew } from './files.ts'
import { readPrivateKey } from './key-files.ts'
import { isJson, out, printable } from './output.ts'
import { saysYes } from './question.ts'
import {
  draftPath,
  envelopeText,
  followsFrom,
  keepAllOld,
  keepOld,
  payloadOf,
  type RootFile,
  readRoot,
  readRootDraft,
  rootOfDraft,
  saveEnvelope,
} from './root-files.ts'
import { notesOn } from './trust-notes.ts'

export interface ChangeOptions {
  readonly root: string
  readonly rootKey: readonly string[]
  readonly out?: string
  /** Patterns that get a new epoch beside those that the change needs. */
  readonly raise?: readonly string[]
  /** Asked which channels a new epoch touches. */
  readonly seed?: readonly string[]
  readonly yes?: true
}

/** Of somebody who signs what another changed. */
export type SignOptions = Pick<ChangeOptions, 'rootKey' | 'out' | 'seed' | 'yes'> &
  Partial<Pick<ChangeOptions, 'root'>>

interface Count {
  readonly have: number
  readonly need: number
}

/** How far the signatures are: the thresholds of the root that is left and of the one that comes. */
interface Signatures {
  readonly old: Count
  readonly next: Count
}

/** What came of it: facts for `--json`, lines for people. */
export interface Outcome {
  readonly complete: boolean
  readonly facts: object
  readonly lines: readonly string[]
}

export async function changeRoot(
  options: ChangeOptions,
  edit: (root: TrustRoot) => TrustRoot,
): Promise<void> {
  say(await applyChange(options, edit, []))
}

/**
 * Explains, asks on a terminal, writes: `out` only where nothing is.
 * @param own what the two roots do not tell
 * @param channels those that a new epoch touches, where they are known already
 */
export async function applyChange(
  options: ChangeOptions,
  edit: (root: TrustRoot) => TrustRoot,
  own: readonly string[],
  channels?: readonly Channel[],
): Promise<Outcome> {
  const current = readRoot(options.root)
  const raise = (options.raise ?? []).map((text) => argument('--raise', text, parsePattern))
  const edited = alsoRaised(edit(current.root), raise)
  const nowMs = Date.now()
  requireKept(current.root, edited, nowMs)
  const next = dropEndedRemovals(edited, nowMs)
  requireRoom(next, LIMITS)
  const payload = payloadOf(next)
  checkSuccession(current.root, next)
  const keys = rootKeys(options.rootKey, current.root, next)
  const target = resolve(options.out ?? options.root)
  if (target !== current.path) requireNew(target)
  const draft = draftPath(target, next.version)
  if (existsSync(draft)) readSame(draft, payload)
  const touched = channels ?? (await touchedChannels(options.seed, current.root, next))
  const sign = () =>
    existsSync(draft)
      ? keys.reduce(addSignature, readSame(draft, payload))
      : signEnvelope('root', payload, keys)
  const step = { current, next, sign, target, draft }
  const explained = explain(step, own, touched)
  await agree(explained.lines, 'write this root?', options.yes === true)
  return whileLocked(draft, () => conclude(step, explained))
}

/** @returns undefined where nobody was asked */
async function touchedChannels(
  seeds: readonly string[] | undefined,
  old: TrustRoot,
  next: TrustRoot,
): Promise<readonly Channel[] | undefined> {
  const patterns = raisedBy(old, next).map(({ pattern }) => pattern)
  if (seeds === undefined || patterns.length === 0) return undefined
  const { channelsAt } = await import('./trust-touched.ts')
  return channelsAt(seeds, patterns)
}

/** More signatures: on a draft, or on a root that holds already. Whoever signs is told what by this command, not by the other. */
export async function signRoot(file: string, options: SignOptions): Promise<void> {
  const beside = rootOfDraft(resolve(file))
  const left = options.root ?? beside
  if (left === undefined) return signCurrent(file, options)
  const current = readRoot(left)
  const target = resolve(options.out ?? left)
  if (target !== current.path) requireNew(target)
  const draft = readRootDraft(file)
  requireKnown(draft.root)
  checkSuccession(current.root, draft.root)
  const keys = rootKeys(options.rootKey, current.root, draft.root)
  // No draft, and nothing is missing: the root that is left was named only to say what it changes, and stays what it is.
  const isThere = beside === undefined && isComplete(count(current.root, draft.root, draft.envelope))
  if (isThere) requireInPlace(draft.path, options)
  const sign = () => keys.reduce(addSignature, readSame(draft.path, draft.envelope.payload))
  const step = { current, next: draft.root, sign, target, draft: draft.path }
  const explained = explain(step, [], await touchedChannels(options.seed, current.root, draft.root))
  await agree(explained.lines, 'sign this root?', options.yes === true)
  if (isThere) return signInPlace(draft, keys, explained.facts)
  await whileLocked(draft.path, () => say(conclude(step, explained)))
}

interface Step {
  readonly current: RootFile
  readonly next: TrustRoot
  /** With the signatures that others added while somebody was asked. @throws MeshError INPUT_EXISTS, INPUT_PATH */
  readonly sign: () => Envelope
  readonly target: string
  readonly draft: string
}

/** What changes, for whom, what must be issued again: before anything is written. */
interface Explained {
  readonly facts: object
  readonly lines: readonly string[]
}

function explain(
  { current, next }: Step,
  own: readonly string[],
  channels: readonly Channel[] | undefined,
): Explained {
  const notes = [...notesOn(current.root, next), ...own]
  const changes = describeChange(current.root, next, Date.now())
  const again = (channels ?? []).map(
    (channel) => `${channel} must be issued again under root ${next.version}`,
  )
  const lines = [...changes, ...again, ...notes.map((note) => `note: ${note}`)].map(printable)
  return { facts: { changes, notes, ...(channels === undefined ? {} : { channels }) }, lines }
}

/** @throws MeshError PUBLISH_DECLINED where somebody at a terminal says no */
async function agree(lines: readonly string[], question: string, yes: boolean): Promise<void> {
  if (!isJson()) process.stdout.write(`${lines.join('\n')}\n`)
  if (yes || isJson() || process.stdin.isTTY !== true || process.stderr.isTTY !== true) return
  if (await saysYes(question)) return
  throw new MeshError('PUBLISH_DECLINED', 'nothing was changed')
}

function conclude(step: Step, explained: Explained): Outcome {
  const { current, next, sign, target, draft } = step
  requireUnchanged(current)
  const envelope = sign()
  const signatures = count(current.root, next, envelope)
  const complete = isComplete(signatures)
  const facts = { fleetId: next.fleetId, version: next.version, ...explained.facts, complete, signatures }
  if (!complete) {
    saveEnvelope(draft, envelope)
    const lines = waiting(step, signatures)
    return { complete, facts: { root: current.path, draft, ...facts }, lines }
  }
  const replaces = target === current.path
  const previous = replaces ? keepOld(current) : current.path
  if (replaces) saveEnvelope(target, envelope)
  else {
    keepAllOld(current, target)
    writeNew(target, envelopeText(envelope), 0o644)
  }
  // A file that came under another name is not this command's to remove.
  if (existsSync(draft) && rootOfDraft(draft) !== undefined) unlinkSync(draft)
  const again =
    raisedBy(current.root, next).length === 0
      ? ''
      : '; with --key FILE it issues again what has a new epoch (not after a theft)'
  const lines = [
    `${target} is version ${next.version} now; version ${current.root.version} stays as ${previous}`,
    `hand it out: confmesh trust push --root ${target} --seed ADDRESS${again}`,
  ]
  return { complete, facts: { root: target, previous, ...facts }, lines }
}

const say = ({ facts, lines }: Outcome): void => out(facts, lines)

function waiting(
  { current: { path }, next: root, target, draft }: Step,
  { old, next }: Signatures,
): string[] {
  const missing = Math.max(old.need - old.have, next.need - next.have)
  const elsewhere = target === path ? '' : ` --root ${path} --out ${target}`
  return [
    `${path} is unchanged: ${missing} more ${missing === 1 ? 'signature is' : 'signatures are'} needed (version ${root.version - 1}: ${old.have} of ${old.need}, version ${root.version}: ${next.have} of ${next.need})`,
    `each of the others runs: confmesh trust sign ${draft}${elsewhere} --root-key FILE --seed ADDRESS`,
  ]
}

/** Somebody asked or waited meanwhile: what another run has put there is not overwritten. @throws MeshError INPUT_EXISTS */
export function requireUnchanged({ path, envelope }: RootFile): void {
  if (Buffer.from(readRootDraft(path).envelope.payload).equals(envelope.payload)) return
  throw new MeshError('INPUT_EXISTS', `${path} was replaced by another run meanwhile; look at it first`, {
    path,
  })
}

/** Somebody made the same change before: the signatures come together. Another change under way is not overwritten. */
function readSame(path: string, payload: Uint8Array): Envelope {
  const { envelope } = readRootDraft(path)
  if (Buffer.from(envelope.payload).equals(payload)) return envelope
  throw new MeshError(
    'INPUT_EXISTS',
    `${path} waits for signatures and changes something else; sign it (confmesh trust sign) or remove it first`,
    { path },
  )
}

/** @throws MeshError USAGE: who names a new file believes that the signatures go there, and that this one is left alone */
function requireInPlace(path: string, { out: given }: SignOptions): void {
  if (given === undefined) return
  throw new MeshError(
    'USAGE',
    `${path} holds already and takes further signatures where it is; leave out --out, or sign a copy of it`,
  )
}

/** Whoever signs it is told nothing, so it must hold already. @throws MeshError USAGE, CODEC_UNSUPPORTED */
async function signCurrent(file: string, options: SignOptions): Promise<void> {
  const current = readRootDraft(file)
  const { path, root } = current
  requireKnown(root)
  if (!holdsAlready(current))
    throw new MeshError(
      'USAGE',
      `${path} is version ${root.version} and not seen to hold already, step by step from version 1 beside it; name the root that is left: --root FILE`,
    )
  requireInPlace(path, options)
  const keys = rootKeys(options.rootKey, root, root)
  await signInPlace(current, keys, {})
}

/** Under the lock of whoever makes the next one here, which would be lost. @throws MeshError INPUT_EXISTS, INPUT_PATH */
function signInPlace(file: RootFile, keys: readonly PrivateKey[], explained: object): Promise<void> {
  return whileLocked(draftPath(file.path, file.root.version + 1), () => {
    requireUnchanged(file)
    // With the signatures that others added meanwhile.
    saveInPlace(file, keys.reduce(addSignature, readRootDraft(file.path).envelope), explained)
  })
}

function saveInPlace({ path, root }: RootFile, envelope: Envelope, explained: object): void {
  const { next } = count(root, root, envelope)
  saveEnvelope(path, envelope)
  const facts = {
    root: path,
    version: root.version,
    ...explained,
    complete: isMet(next),
    signatures: { next },
  }
  out(facts, `${path}: version ${root.version} bears ${next.have} of ${next.need} needed signatures`)
}

/**
 * Each step to it from version 1, whose digest is the fleet's id: a later version alone beside it may be anybody's, and
 * sign itself.
 */
function holdsAlready(file: RootFile): boolean {
  try {
    return followsFrom(file) === 1
  } catch (error) {
    if (isMeshError(error)) return false
    throw error
  }
}

/** A key that no root names would add a signature that counts for nothing. @throws MeshError CONFIG_KEY */
export function rootKeys(files: readonly string[], old: TrustRoot, next: TrustRoot): PrivateKey[] {
  return files.map((file) => {
    const key = readPrivateKey(file)
    if (old.root.keys.includes(key.id) || next.root.keys.includes(key.id)) return key
    const versions = old === next ? `version ${old.version}` : `version ${old.version} or ${next.version}`
    throw new MeshError('CONFIG_KEY', `${file}: key ${key.id.slice(0, 12)} is no root key of ${versions}`, {
      path: file,
    })
  })
}

function count(old: TrustRoot, next: TrustRoot, envelope: Envelope): Signatures {
  const of = (root: TrustRoot): Count => ({
    have: signers(envelope, 'root', keysOf(root.root.keys, root.keys), LIMITS).length,
    need: root.root.threshold,
  })
  return { old: of(old), next: of(next) }
}

const isMet = ({ have, need }: Count): boolean => have >= need

const isComplete = ({ old, next }: Signatures): boolean => isMet(old) && isMet(next)
