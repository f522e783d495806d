/** `root.json` and its kin on disk: DSSE JSON, the old as `root.N.json`, what waits for signatures as `root.N.draft.json`. */
import { existsSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { encodeEnvelope } from '../codec/envelope.ts'
import { decodeEnvelopeJson, encodeEnvelopeJson } from '../codec/envelope-json.ts'
import { decodeRoot, encodeRoot } from '../codec/root.ts'
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { TrustRoot } from '../model/root.ts'
import { naming } from '../publish/naming.ts'
import { adopt, startChain } from '../trust/chain.ts'
import { checkRoot } from '../trust/root-rules.ts'
import { checkType } from '../trust/threshold.ts'
import { readInput, replaceFile, writeNew } from './files.ts'

export interface RootFile {
  /** Absolute. */
  readonly path: string
  readonly envelope: Envelope
  readonly root: TrustRoot
}

/** A root that holds by itself: valid, and signed by its own threshold. @throws MeshError INPUT_PATH, CODEC_*, TRUST_* */
export function readRoot(path: string): RootFile {
  const file = readRootDraft(path)
  naming(file.path, () => startChain(encodeEnvelope(file.envelope), LIMITS))
  return file
}

/** A root that may still lack signatures. @throws MeshError INPUT_PATH, CODEC_*, TRUST_ROOT_INVALID, TRUST_TYPE */
export function readRootDraft(given: string): RootFile {
  const path = resolve(given)
  const text = readInput(path, 'a trust root')
  if (!/^\s*\{/.test(text))
    throw new MeshError('INPUT_PATH', `${path}: no trust root; name the root.json that init wrote`, {
      path,
    })
  return naming(path, () => {
    const envelope = decodeEnvelopeJson(text, LIMITS)
    checkType(envelope, 'root')
    const root = decodeRoot(envelope.payload, LIMITS)
    checkRoot(root)
    return { path, envelope, root }
  })
}

/** The bytes to sign of an edited root, with its limits checked by reading them back. @throws MeshError TRUST_*, LIMIT_* */
export function payloadOf(root: TrustRoot): Uint8Array {
  const payload = encodeRoot(root)
  checkRoot(decodeRoot(payload, LIMITS))
  return payload
}

/** `root.json` → `root.3.draft.json`, beside it. */
export const draftPath = (path: string, version: number): string => beside(path, `${version}.draft`)

/** `root.json` → `root.2.json`, beside it. */
export const oldPath = (path: string, version: number): string => beside(path, String(version))

/** Where the newest belongs: `root.2.json` of version 2 → `root.json`, any other file where it is. */
export function newestPath({ path, root }: RootFile): string {
  const match = /^(.*)\.(\d+)\.json$/.exec(basename(path))
  return Number(match?.[2]) === root.version ? join(dirname(path), `${match?.[1]}.json`) : path
}

/** `root.3.draft.json` → `root.json`; undefined where the name is no draft's. */
export function rootOfDraft(path: string): string | undefined {
  const match = /^(.*)\.\d+\.draft\.json$/.exec(basename(path))
  return match === null ? undefined : join(dirname(path), `${match[1]}.json`)
}

/** @throws MeshError INPUT_PATH, LIMIT_BYTES */
export const saveEnvelope = (path: string, envelope: Envelope): void =>
  replaceFile(path, envelopeText(envelope), 0o644)

/** What a file of it holds. @throws MeshError LIMIT_BYTES */
export function envelopeText(envelope: Envelope): string {
  const size = encodeEnvelope(envelope).length
  if (size > LIMITS.maxRootBytes) {
    throw new MeshError(
      'LIMIT_BYTES',
      `the root would be ${size} bytes, more than ${LIMITS.maxRootBytes}; remove what is not used`,
      {
        bytes: size,
      },
    )
  }
  return encodeEnvelopeJson(envelope)
}

/** Keeps the old root under its own version; one that is there already must be the same root. */
export function keepOld({ path, envelope, root }: RootFile): string {
  const kept = oldPath(path, root.version)
  if (!existsSync(kept)) {
    writeNew(kept, encodeEnvelopeJson(envelope), 0o644)
  } else if (!Buffer.from(readRootDraft(kept).envelope.payload).equals(envelope.payload)) {
    throw new MeshError(
      'INPUT_EXISTS',
      `${kept} is there already and holds another root; move it away first`,
      { path: kept },
    )
  }
  return kept
}

/** Those kept beside it, down to the first gap; ascending. @throws MeshError as `readRoot` does */
export function olderBeside({ path, root }: RootFile): readonly RootFile[] {
  const older: RootFile[] = []
  for (let version = root.version - 1; version >= 1; version--) {
    const kept = oldPath(path, version)
    if (!existsSync(kept)) break
    older.unshift(readRoot(kept))
  }
  return older
}

/** Under another name, too: by that name they are handed out with what follows them, and shown to lead to it. */
export function keepAllOld(current: RootFile, path: string): void {
  for (const old of [...olderBeside(current), current]) keepOld({ ...old, path })
}

/** The oldest version, of those beside the file without a gap, from which each step was checked. @throws MeshError TRUST_*, CODEC_* */
export function followsFrom(file: RootFile): number {
  const [first, ...rest] = [...olderBeside(file), file]
  let chain = startChain(encodeEnvelope((first as RootFile).envelope), LIMITS)
  for (const step of rest) {
    const result = adopt(chain, encodeEnvelope(step.envelope), LIMITS)
    if (result.adoption.kind !== 'adopted') {
      const code = result.adoption.kind === 'narrows' ? 'TRUST_ROOT_NARROWS' : 'TRUST_ROOT_UNAUTHORISED'
      throw new MeshError(code, `${step.path}: ${result.adoption.text}`, { path: step.path })
    }
    chain = result.chain
  }
  return (first as RootFile).root.version
}

function beside(path: string, suffix: string): string {
  return join(dirname(path), `${basename(path).replace(/\.json$/, '')}.${suffix}.json`)
}
