import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeaderCore } from '../codec/header.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { isAbsent, storeError } from '../store/faults.ts'
import type { Problem } from '../store/problem.ts'
import { type SignedKind, verifyStore } from '../store/verify.ts'
import { authorised } from '../trust/authorise.ts'
import { adopt, type RootChain, startChain } from '../trust/chain.ts'
import { keysOf, signers } from '../trust/threshold.ts'
import { floorName } from './folders.ts'
import { checkFiles, type Files } from './verify-files.ts'

export type { Problem }

export interface Verified {
  /** What is wrong, and where; nothing where all that was looked at is sound. */
  readonly problems: readonly Problem[]
  /** What is no damage, and yet to be known. */
  readonly notes: readonly string[]
  /** The second copy of floors and root that was looked at; undefined: none was, as nothing says where it lies. */
  readonly floorDir: string | undefined
}

/** How far it is, for whoever waits. */
export interface Watch {
  readonly onRead: (bytes: number) => void
  readonly onTree: (path: string) => void
}

/**
 * Every stored byte and signature of the stopped node whose data folder this is.
 * @param ownFloorDir where the configuration keeps the second copy of floors and root; else the folder of the store's fleet below `<data>/floor`, where it is there
 * @param files where the configuration has them put; else none are looked at
 * @throws MeshError STORE_MISSING, STORE_LOCKED, STORE_VERSION, STORE_FAILED, USAGE (another user's store)
 */
export async function verifyData(
  data: string,
  limits: Limits,
  ownFloorDir?: string,
  files?: Files,
  watch?: Watch,
): Promise<Verified> {
  await checkOwner(join(data, 'store'))
  // A node that materializes keeps its second copy beside the files, where only its configuration leads.
  const floorDirOf = ownFloorDir === undefined ? await floorFolders(data) : () => ownFloorDir
  let floorDir = floorDirOf(undefined)
  const notes: string[] = []
  const problems = await verifyStore({
    dir: join(data, 'store'),
    floorDirOf: (fleet) => {
      floorDir = floorDirOf(fleet)
      return floorDir
    },
    limits,
    checkEnvelope: signatureCheck(limits, notes),
    ...(watch !== undefined && { onRead: watch.onRead }),
    ...(files !== undefined && {
      checkElse: (stored) => checkFiles(files, stored, limits, notes, watch?.onTree),
    }),
  })
  return { problems, notes, floorDir }
}

/** A host that has changed fleets has one of each below `<data>/floor`: where the store does not say whose it is, only one alone is its. */
async function floorFolders(data: string): Promise<(fleet: FleetId | undefined) => string | undefined> {
  const path = join(data, 'floor')
  const folders = ((await lookAt(path, readdir(path))) ?? []).filter((name) => /^[0-9a-f]{8}$/.test(name))
  return (fleet) => {
    const own = fleet === undefined ? folders : folders.filter((name) => name === floorName(fleet))
    return own[0] === undefined || own.length > 1 ? undefined : join(path, own[0])
  }
}

/** LevelDB makes files anew when it opens: made by another user, the node could not open its own store again. */
async function checkOwner(dir: string): Promise<void> {
  const found = await lookAt(dir, stat(dir))
  const user = process.geteuid?.()
  if (found !== undefined && user !== undefined && found.uid !== user)
    throw new MeshError('USAGE', `${dir} belongs to user ${found.uid}; run this as that user`, { dir })
  const current = join(dir, 'CURRENT')
  await lookAt(current, stat(current))
}

/** @returns undefined where nothing is there @throws MeshError USAGE where this user may not look, STORE_FAILED */
async function lookAt<T>(path: string, look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if (isAbsent(error)) return undefined
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EACCES' && code !== 'EPERM') throw storeError(error, path)
    const text = `${path}: ${code}; run this as the node's user`
    throw new MeshError('USAGE', text, { path }, { cause: error })
  }
}

interface StoredRoots {
  /** @returns what is wrong with the next one; undefined where it counts */
  take(envelope: Uint8Array): string | undefined
  /** Every one that counts. */
  readonly kept: readonly TrustRoot[]
}

/**
 * One by one, as a node that starts takes them: above a hole another chain begins. Roots that were made while a node was off
 * never come to lie in its store, if it was started with a newer one.
 */
function storedRoots(limits: Limits, notes: string[]): StoredRoots {
  const kept: TrustRoot[] = []
  let chain: RootChain | undefined
  let isBroken = false

  function begin(envelope: Uint8Array): string | undefined {
    const begun = startChain(envelope, limits)
    if (chain !== undefined) {
      const { fleetId, version } = chain.current
      if (begun.current.fleetId !== fleetId) return `root ${begun.current.version} is of another fleet`
      notes.push(holeText(version + 1, begun.current.version - 1))
    }
    chain = begun
    kept.push(begun.current)
    return undefined
  }

  function take(envelope: Uint8Array): string | undefined {
    if (chain === undefined) return begin(envelope)
    const next = adopt(chain, envelope, limits)
    if (next.adoption.kind === 'gap' && !isBroken) return begin(envelope)
    if (next.adoption.kind !== 'adopted') {
      // What cannot be read is as good as lost.
      isBroken ||= next.adoption.kind !== 'invalid'
      return next.adoption.text
    }
    chain = next.chain
    kept.push(chain.current)
    return undefined
  }

  return { take, kept }
}

const holeText = (first: number, last: number): string =>
  `${first === last ? `root ${first} is` : `roots ${first} to ${last} are`} not here: made while this node was off, or lost; the next one that is here counts`

/** Everything else must be signed as one of the stored roots asks. */
function signatureCheck(
  limits: Limits,
  notes: string[],
): (kind: SignedKind, envelope: Uint8Array) => string | undefined {
  const roots = storedRoots(limits, notes)

  function releaseProblem(envelopeBytes: Uint8Array): string | undefined {
    const envelope = decodeEnvelope(envelopeBytes, limits.maxEnvelopeBytes, limits)
    const header = decodeHeaderCore(envelope.payload, limits)
    // Under the root it was made under, or, where that was before this node's time, under any it kept.
    const named = roots.kept.filter(({ version }) => version === header.root)
    const known = named.length > 0 ? named : roots.kept
    return known.some((root) => authorised(root, envelope, { header }, limits))
      ? undefined
      : `no threshold of ${header.publisher}'s keys signed it under any root stored here`
  }

  function beaconProblem(envelopeBytes: Uint8Array): string | undefined {
    const envelope = decodeEnvelope(envelopeBytes, limits.maxBeaconBytes, limits)
    const isSigned = roots.kept.some(
      ({ freshness, keys }) => signers(envelope, 'beacon', keysOf(freshness.keys, keys), limits).length > 0,
    )
    return isSigned ? undefined : 'no freshness key of any root stored here signed it'
  }

  return (kind, envelope) => {
    try {
      if (kind === 'root') return roots.take(envelope)
      return kind === 'release' ? releaseProblem(envelope) : beaconProblem(envelope)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}
