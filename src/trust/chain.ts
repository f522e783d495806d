import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeRoot } from '../codec/root.ts'
import { type Code, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Digest } from '../model/ids.ts'
import type { TrustRoot } from '../model/root.ts'
import { checkRoot, checkSuccession } from './root-rules.ts'
import { checkType, meets, signsItself } from './threshold.ts'

export interface KeptRoot {
  readonly root: TrustRoot
  /** Encoded envelope, as received. */
  readonly envelope: Uint8Array
  /** Digest of the signed payload: other signatures over it make no other root. */
  readonly digest: Digest
}

/** Every root from the one a node started with to the newest, without a gap. */
export interface RootChain {
  readonly roots: ReadonlyMap<number, KeptRoot>
  readonly current: TrustRoot
  readonly currentDigest: Digest
}

export type Adoption =
  | { readonly kind: 'adopted'; readonly root: TrustRoot }
  | {
      readonly kind:
        | 'old'
        | 'gap'
        | 'fork'
        | 'old-fork'
        | 'unauthorised'
        | 'invalid'
        | 'narrows'
        | 'unsupported'
      readonly text: string
    }
export type AdoptionKind = Adoption['kind']

export const ADOPTION_CODES: Readonly<Record<Exclude<AdoptionKind, 'adopted'>, Code>> = {
  old: 'TRUST_ROOT_OLD',
  gap: 'TRUST_ROOT_GAP',
  fork: 'TRUST_ROOT_FORK',
  'old-fork': 'TRUST_ROOT_OLD',
  unauthorised: 'TRUST_ROOT_UNAUTHORISED',
  invalid: 'TRUST_ROOT_INVALID',
  narrows: 'TRUST_ROOT_NARROWS',
  unsupported: 'CODEC_UNSUPPORTED',
}

interface Opened {
  readonly envelope: Envelope
  readonly kept: KeptRoot
}

/**
 * A chain that begins with the root a node was configured with: trusted because it was configured, yet it must be a
 * valid root that bears its own threshold.
 * @throws MeshError CODEC_*, LIMIT_*, TRUST_TYPE, TRUST_ROOT_INVALID, TRUST_ROOT_UNAUTHORISED
 */
export function startChain(envelopeBytes: Uint8Array, limits: Limits): RootChain {
  const { envelope, kept } = open(envelopeBytes, limits)
  checkRoot(kept.root)
  if (!signsItself(kept.root, envelope, limits)) {
    throw new MeshError(
      'TRUST_ROOT_UNAUTHORISED',
      `root ${kept.root.version} does not bear the signatures of its own threshold; take the root.json that was handed out`,
      { version: kept.root.version },
    )
  }
  requireKnown(kept.root)
  return extend(new Map(), kept)
}

/** @throws MeshError CODEC_UNSUPPORTED where it needs what this build does not know */
export function requireKnown(root: TrustRoot): void {
  if (root.critical.length > 0) throw new MeshError('CODEC_UNSUPPORTED', unknownNames(root))
}

/**
 * N → N+1, one by one. The chain comes back unchanged unless the root was adopted. A refusal is a value: roots come
 * from peers, and a bad one is an ordinary outcome.
 */
export function adopt(
  chain: RootChain,
  envelopeBytes: Uint8Array,
  limits: Limits,
): { adoption: Adoption; chain: RootChain } {
  const stay = (adoption: Adoption) => ({ adoption, chain })
  let opened: Opened
  try {
    opened = open(envelopeBytes, limits)
  } catch (error) {
    return stay(unreadable(chain, envelopeBytes, limits, error))
  }
  const { root } = opened.kept
  const { version } = root
  const current = chain.current.version
  if (version > current + 1) {
    return stay({ kind: 'gap', text: `root ${version} does not follow ${current}; those between come first` })
  }
  if (version <= current) return stay(judgeKnown(chain, opened, limits))
  const refusal = refusalOf(chain.current, opened, limits)
  if (refusal !== undefined) return stay(refusal)
  return { adoption: { kind: 'adopted', root }, chain: extend(chain.roots, opened.kept) }
}

function open(envelopeBytes: Uint8Array, limits: Limits): Opened {
  const envelope = decodeEnvelope(envelopeBytes, limits.maxRootBytes, limits)
  checkType(envelope, 'root')
  const root = decodeRoot(envelope.payload, limits)
  return { envelope, kept: { root, envelope: envelopeBytes, digest: sha256(envelope.payload) } }
}

function extend(roots: ReadonlyMap<number, KeptRoot>, kept: KeptRoot): RootChain {
  return {
    roots: new Map(roots).set(kept.root.version, kept),
    current: kept.root,
    currentDigest: kept.digest,
  }
}

/**
 * Known versions change nothing; another valid root of one is a fork, and the first stays. The root in force alone can
 * be disputed: whoever has old keys, even ones that are out of use, can make forks of what is replaced.
 */
function judgeKnown(chain: RootChain, opened: Opened, limits: Limits): Adoption {
  const { root, digest } = opened.kept
  const old: Adoption = {
    kind: 'old',
    text: `root ${root.version} is known; ${chain.current.version} is current`,
  }
  const ours = chain.roots.get(root.version)
  const before = chain.roots.get(root.version - 1)
  if (ours === undefined || before === undefined || ours.digest === digest) return old
  if (refusalOf(before.root, opened, limits) !== undefined) return old
  if (root.version < chain.current.version) {
    const text = `another valid root of version ${root.version}, which is replaced: ${chain.current.version} is current`
    return { kind: 'old-fork', text }
  }
  return {
    kind: 'fork',
    text: `two valid roots of version ${root.version}: ${ours.digest.slice(0, 12)} is kept, ${digest.slice(0, 12)} is not; a next root signed by the thresholds of both ends it`,
  }
}

function refusalOf(previous: TrustRoot, opened: Opened, limits: Limits): Adoption | undefined {
  const { envelope, kept } = opened
  try {
    // The old threshold first: until it holds, the new root's own keys are a stranger's word.
    if (!meets(previous.root, previous.keys, envelope, 'root', limits)) {
      return unauthorised(kept.root.version, previous.version)
    }
    checkRoot(kept.root)
    if (!signsItself(kept.root, envelope, limits)) return unauthorised(kept.root.version, kept.root.version)
    if (kept.root.critical.length > 0) return { kind: 'unsupported', text: unknownNames(kept.root) }
    checkSuccession(previous, kept.root)
    return undefined
  } catch (error) {
    return refused(error)
  }
}

function unauthorised(version: number, threshold: number): Adoption {
  return {
    kind: 'unauthorised',
    text: `root ${version} lacks signatures of the root keys of version ${threshold}`,
  }
}

/** No critical name is known yet: a root that has one says something that this build would get wrong. */
function unknownNames({ version, critical }: TrustRoot): string {
  return `root ${version} needs ${critical.join(', ')}, unknown to this build; upgrade this node`
}

/** An unknown form is said to be one only if this fleet's root keys signed it; else anybody could cry "upgrade". */
function unreadable(chain: RootChain, bytes: Uint8Array, limits: Limits, error: unknown): Adoption {
  if (!(error instanceof MeshError) || error.code !== 'CODEC_UNSUPPORTED') return refused(error)
  const envelope = decodeEnvelope(bytes, limits.maxRootBytes, limits)
  const { root, keys, version } = chain.current
  if (!meets(root, keys, envelope, 'root', limits)) return unauthorised(version + 1, version)
  return { kind: 'unsupported', text: `${error.message}; upgrade this node` }
}

function refused(error: unknown): Adoption {
  if (!(error instanceof MeshError)) throw error
  return { kind: error.code === 'TRUST_ROOT_NARROWS' ? 'narrows' : 'invalid', text: error.message }
}
