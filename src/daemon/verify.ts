import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeaderCore } from '../codec/header.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Problem } from '../store/problem.ts'
import { type SignedKind, verifyStore } from '../store/verify.ts'
import { authorised } from '../trust/authorise.ts'
import { adopt, type RootChain, startChain } from '../trust/chain.ts'
import { keysOf, signers } from '../trust/threshold.ts'

export type { Problem }

/**
 * Every stored byte and signature of the stopped node whose data folder this is.
 * @param ownFloorDir where the configuration keeps the second copy of floors and root; else the fleet's folder below `<data>/floor`, where it is there
 * @returns what is wrong, and where; nothing where all is sound
 * @throws MeshError STORE_MISSING, STORE_LOCKED, STORE_VERSION, STORE_FAILED, USAGE (another user's store)
 */
export async function verifyData(
  data: string,
  limits: Limits,
  ownFloorDir?: string,
): Promise<readonly Problem[]> {
  await checkOwner(join(data, 'store'))
  const floorDir = ownFloorDir ?? (await floorFolder(data))
  return verifyStore({
    dir: join(data, 'store'),
    // A node that materializes keeps its second copy beside the files, where only its configuration leads.
    floorDir,
    limits,
    checkEnvelope: signatureCheck(limits),
  })
}

/** `<data>/floor/<first 8 digits of the fleet's id>`. */
async function floorFolder(data: string): Promise<string | undefined> {
  const folders = await readdir(join(data, 'floor')).catch((): string[] => [])
  const own = folders.filter((name) => /^[0-9a-f]{8}$/.test(name)).sort()[0]
  return own === undefined ? undefined : join(data, 'floor', own)
}

/** LevelDB makes files anew when it opens: made by another user, the node could not open its own store again. */
async function checkOwner(dir: string): Promise<void> {
  const found = await stat(dir).catch(() => undefined)
  const user = process.geteuid?.()
  if (found === undefined || user === undefined || found.uid === user) return
  throw new MeshError('USAGE', `${dir} belongs to user ${found.uid}; run this as that user`, { dir })
}

/** Follows the stored roots one by one; everything else must be signed as one of them asks. */
function signatureCheck(limits: Limits): (kind: SignedKind, envelope: Uint8Array) => string | undefined {
  let chain: RootChain | undefined

  function rootProblem(envelope: Uint8Array): string | undefined {
    if (chain === undefined) {
      chain = startChain(envelope, limits)
      return undefined
    }
    const next = adopt(chain, envelope, limits)
    chain = next.chain
    return next.adoption.kind === 'adopted' ? undefined : next.adoption.text
  }

  const roots = (): readonly TrustRoot[] => [...(chain?.roots.values() ?? [])].map(({ root }) => root)

  function releaseProblem(envelopeBytes: Uint8Array): string | undefined {
    const envelope = decodeEnvelope(envelopeBytes, limits.maxEnvelopeBytes, limits)
    const header = decodeHeaderCore(envelope.payload, limits)
    // Under the root it was made under, or, where that was before this node's time, under any it kept.
    const named = roots().filter(({ version }) => version === header.root)
    const known = named.length > 0 ? named : roots()
    return known.some((root) => authorised(root, envelope, { header }, limits))
      ? undefined
      : `no threshold of ${header.publisher}'s keys signed it under any root stored here`
  }

  function beaconProblem(envelopeBytes: Uint8Array): string | undefined {
    const envelope = decodeEnvelope(envelopeBytes, limits.maxBeaconBytes, limits)
    const isSigned = roots().some(
      ({ freshness, keys }) => signers(envelope, 'beacon', keysOf(freshness.keys, keys), limits).length > 0,
    )
    return isSigned ? undefined : 'no freshness key of any root stored here signed it'
  }

  return (kind, envelope) => {
    try {
      if (kind === 'root') return rootProblem(envelope)
      return kind === 'release' ? releaseProblem(envelope) : beaconProblem(envelope)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}
