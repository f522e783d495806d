/** A release signed by several people: its header, the signatures so far, and where the files lie. */
import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { decodeEnvelopeJson, encodeEnvelopeJson } from '../codec/envelope-json.ts'
import { decodeHeader } from '../codec/header.ts'
import { parseJson } from '../codec/json.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Release } from '../model/release.ts'
import { checkType } from '../trust/threshold.ts'
import { naming } from './naming.ts'
import { unreadable } from './sources.ts'

const MAX_PATHS = 4096
const MAX_PATH = 4096

const FORM = z.strictObject({
  version: z.literal(1),
  /** DSSE JSON; what is signed is inside. */
  envelope: z.record(z.string(), z.unknown()),
  /** Where the one who prepared it had the files; not signed, and another place may be named. */
  paths: z.array(z.string().max(MAX_PATH)).max(MAX_PATHS),
})

export interface Prepared {
  readonly envelope: Envelope
  readonly release: Release
  readonly paths: readonly string[]
}

export const encodePrepared = ({ envelope, paths }: Pick<Prepared, 'envelope' | 'paths'>): string =>
  `${JSON.stringify({ version: 1, envelope: JSON.parse(encodeEnvelopeJson(envelope)), paths }, null, 2)}\n`

/** Told before anything is signed: whether the file can be read again, with all signatures that it may come to bear. @throws MeshError USAGE */
export function requireRoomFor(paths: readonly string[], limits: Limits): void {
  const bytes = Buffer.byteLength(JSON.stringify({ paths }, null, 2))
  // Base64 and white space at most double an envelope.
  const most = limits.maxConfigBytes - 2 * limits.maxEnvelopeBytes
  if (paths.length <= MAX_PATHS && paths.every((one) => one.length <= MAX_PATH) && bytes <= most) return
  throw new MeshError(
    'USAGE',
    `${paths.length} paths of ${bytes} bytes are more than a prepared release names (${MAX_PATHS} of ${MAX_PATH} characters, ${most} bytes in all); name one folder that holds the files`,
  )
}

/** @throws MeshError INPUT_PATH (unreadable, no such file), STORE_FAILED (its disk), CODEC_MALFORMED, TRUST_TYPE */
export function readPrepared(file: string, limits: Limits): Prepared {
  let text: string
  try {
    if (statSync(file).size > limits.maxConfigBytes)
      throw new MeshError('INPUT_PATH', `${file}: too long for a prepared release`, { path: file })
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(file, error)
  }
  let form: z.infer<typeof FORM>
  try {
    form = FORM.parse(parseJson(text, limits, file))
  } catch (error) {
    throw new MeshError(
      'INPUT_PATH',
      `${file}: not a prepared release; make one with: confmesh publish … --prepare ${file}`,
      { path: file },
      { cause: error },
    )
  }
  return naming(file, () => {
    const envelope = decodeEnvelopeJson(JSON.stringify(form.envelope), limits)
    checkType(envelope, 'release')
    return { envelope, release: decodeHeader(envelope.payload, limits), paths: form.paths }
  })
}
