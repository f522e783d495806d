/** `trust fetch`: the newest root, back out of a running fleet, for whoever has lost it or comes with an old copy. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../codec/envelope.ts'
import { type Code, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { type AtRoot, fetchRoots } from '../publish/fetch-roots.ts'
import type { Seeds } from '../publish/seeds.ts'
import { type KeptRoot, type RootChain, startChain } from '../trust/chain.ts'
import { whileLocked, writeNew } from './files.ts'
import { reachNode } from './local-node.ts'
import { out, warn } from './output.ts'
import { connect, seedAddresses, warnOfExpiry } from './publish-session.ts'
import {
  draftPath,
  envelopeText,
  keepOld,
  newestPath,
  oldPath,
  type RootFile,
  readRoot,
  saveEnvelope,
} from './root-files.ts'
import { short } from './text.ts'
import { requireUnchanged } from './trust-change.ts'
import type { FetchOptions } from './trust-hand-out.ts'
import { unreachedOf } from './trust-push.ts'

export async function fetchNewest(options: FetchOptions, command: Command): Promise<void> {
  const given = readRoot(options.root)
  const target = newestPath(given)
  const standing = standingAt(target, given)
  const seeds = await (options.seed === undefined ? reachNode(command) : connect(seedAddresses(options)))
  try {
    await bring(given, { target, standing }, seeds)
  } finally {
    await seeds.close()
  }
}

/** Where the newest root is to be, and what stands there. */
interface Place {
  readonly target: string
  readonly standing: RootFile | undefined
}

function standingAt(target: string, given: RootFile): RootFile | undefined {
  if (target === given.path) return given
  return existsSync(target) ? readRoot(target) : undefined
}

/** A seed has another root, or newer ones: what the others have need not be the fleet's newest. */
const DISPUTES: ReadonlySet<Code> = new Set([
  'TRUST_ROOT_FORK',
  'TRUST_ROOT_OLD',
  'TRUST_ROOT_GAP',
  'CODEC_UNSUPPORTED',
])

/** @throws MeshError what a seed has against it, where none has it; INPUT_EXISTS */
export async function bring(
  given: RootFile,
  place: Place,
  seeds: Pick<Seeds, 'reached' | 'missed'>,
): Promise<void> {
  const start = startChain(encodeEnvelope(given.envelope), LIMITS)
  const fetched = await fetchRoots(start, seeds.reached, LIMITS)
  // Of one whose newest does not follow from here: a seed that is behind says nothing against that.
  const disputed = fetched.refused.find(({ error }) => DISPUTES.has(error.code))?.error
  if (disputed !== undefined && !fetched.isHeld) throw disputed
  if (fetched.seeds.length === 0)
    throw fetched.refused[0]?.error ?? new MeshError('USAGE', 'no seed is named')
  const rival = fetched.refused.find(({ isRival }) => isRival)?.error
  if (rival !== undefined) throw contested(rival)
  for (const { error } of fetched.refused) warn(`${error.code}: ${error.message}`)
  const { target, standing } = place
  const { version, fleetId } = fetched.chain.current
  warnOfExpiry(fetched.chain.current)
  // The lock of whoever makes the next one here.
  const lock = draftPath(target, (standing?.root.version ?? version) + 1)
  const written = await whileLocked(lock, () => save(place, fetched.chain))
  const refused = fetched.refused.map(({ peer, error }) => ({ peer, code: error.code }))
  const facts = { root: target, fleetId, version, from: given.root.version, written }
  out({ ...facts, seeds: fetched.seeds, refused, unreached: unreachedOf(seeds) }, [
    ...written.filter((path) => path !== target).map((path) => `${path} is written`),
    standing?.root.version === version
      ? `${target} is version ${version} already${disputed === undefined ? ', and the seeds have none that is newer' : ''}`
      : `${target} is version ${version} now`,
    ...fetched.seeds.map((seed) => lineOf(seed, version, disputed !== undefined)),
  ])
}

/** Whoever is asked first would decide, be it a seed that a thief of older root keys serves his roots from. */
const contested = ({ code, message, details }: MeshError): MeshError =>
  new MeshError(
    code,
    `${message}; both follow from the root here, so nothing was written: ask who holds the root keys which of them is the fleet's, and name seeds that have it alone`,
    details,
  )

function lineOf({ peer, version, forked }: AtRoot, newest: number, isDisputed: boolean): string {
  const is = `seed ${short(peer)} is at root ${version}`
  if (version > newest) return `${is} by now: fetch once more`
  if (version < newest) return isDisputed ? is : `${is}: hand it the newer ones (confmesh trust push)`
  return forked === undefined
    ? is
    : `${is}; its root ${forked} was another than the one kept here: what this one changed counts only if the newest says so, too`
}

/**
 * Older ones first: a run that is cut off leaves nothing that the next one would not write.
 * @returns what it wrote
 * @throws MeshError INPUT_EXISTS where another root stands in the place of one of these
 */
function save({ target, standing }: Place, chain: RootChain): readonly string[] {
  if (standing !== undefined) {
    requireUnchanged(standing)
    requireStep(standing, chain)
  }
  const steps = [...chain.roots.values()].map(({ root, envelope }: KeptRoot) => ({
    path: target,
    root,
    envelope: decodeEnvelope(envelope, LIMITS.maxRootBytes, LIMITS),
  }))
  const newest = steps.pop() as RootFile
  const written: string[] = []
  for (const step of steps) {
    const isNew = !existsSync(oldPath(target, step.root.version))
    const kept = keepOld(step)
    if (isNew) written.push(kept)
  }
  if (standing?.root.version === newest.root.version) return written
  if (standing === undefined) writeNew(target, envelopeText(newest.envelope), 0o644)
  else saveEnvelope(target, newest.envelope)
  return [...written, target]
}

/** What stands there is nothing that would be lost: one of the versions that are kept now. @throws MeshError INPUT_EXISTS */
function requireStep({ path, root, envelope }: RootFile, { roots, current }: RootChain): void {
  if (roots.get(root.version)?.digest === sha256(envelope.payload)) return
  const [first] = roots.keys()
  throw new MeshError(
    'INPUT_EXISTS',
    `${path} is there already, as version ${root.version}, and none of those from ${first} to ${current.version} that the fleet has; move it away first if it is not wanted any more`,
    { path },
  )
}
