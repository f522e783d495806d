/** What signs a release: a key at hand, or a command that asks a KMS or HSM. */
import { spawn } from 'node:child_process'
import { preAuthEncoding } from '../codec/envelope.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type Envelope, PAYLOAD_TYPES, type Signature } from '../model/envelope.ts'
import type { KeyId } from '../model/ids.ts'
import type { PublicKey } from '../model/root.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { verifySignature } from '../trust/public-key.ts'

export interface Signer {
  /** Undefined: found out by its first signature. */
  readonly keyId: KeyId | undefined
  /**
   * @param data the pre-authentication encoding, exactly what is signed
   * @param candidates keys of the publisher, of which one must be the signer's
   * @throws MeshError SIGN_FAILED, `late` in its details where the time was over
   */
  sign(data: Uint8Array, candidates: readonly PublicKey[]): Promise<Signature>
}

export const keySigner = (key: PrivateKey): Signer => ({
  keyId: key.id,
  sign: async (data) => ({ keyId: key.id, sig: key.sign(data) }),
})

/**
 * Runs `command` in a shell: the bytes to sign on its stdin, the signature on its stdout, raw or as base64. Ed25519:
 * 64 bytes; P-256: ECDSA with SHA-256 over the bytes, DER.
 */
export const commandSigner = (command: string, limits: Limits): Signer => ({
  keyId: undefined,
  async sign(data, candidates) {
    const output = await run(command, data, limits)
    for (const sig of [new Uint8Array(output), fromBase64(output)])
      for (const key of candidates)
        if (sig !== undefined && verifySignature(key, data, sig)) return { keyId: key.id, sig }
    throw new MeshError(
      'SIGN_FAILED',
      `the signing command's output (${output.length} bytes) is no signature by a key of this publisher`,
    )
  },
})

function fromBase64(output: Buffer): Uint8Array | undefined {
  const text = output.toString('latin1').trim()
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : undefined
}

/** A signature and the white space around it are far below this. */
export const MAX_OUTPUT_BYTES = 4096

/**
 * It stays in the tool's process group, or it had no terminal on which to ask for a PIN; so what the shell started and
 * ignores a closed pipe may outlive it, but nobody waits for that.
 */
function run(command: string, data: Uint8Array, limits: Limits): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const failed = (reason: string, cause?: unknown, details = {}) =>
    reject(new MeshError('SIGN_FAILED', `the signing command ${reason}`, details, { cause }))
  const child = spawn(command, { shell: true, stdio: ['pipe', 'pipe', 'inherit'] })
  const end = (reason: string, details = {}) => {
    failed(reason, undefined, details)
    // What the shell started may outlive it: a closed pipe ends it, too.
    child.stdout.destroy()
    child.stdin.destroy()
    child.kill('SIGKILL')
  }
  const { signTimeoutMs } = limits
  const late = setTimeout(
    () => end(`had not ended and closed its output after ${signTimeoutMs} ms`, { late: true }),
    signTimeoutMs,
  )
  const parts: Buffer[] = []
  let size = 0
  child.stdout.on('data', (part: Buffer) => {
    size += part.length
    parts.push(part)
    if (size > MAX_OUTPUT_BYTES)
      end(`printed more than ${MAX_OUTPUT_BYTES} bytes; it must print the signature alone`)
  })
  child.once('error', (error) => failed(`cannot be run: ${error.message}`, error))
  child.once('exit', (code, signal) => {
    if (code === 0) return
    failed(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`)
    child.stdout.destroy()
  })
  child.once('close', () => resolve(Buffer.concat(parts)))
  // A command that does not read its input is told by its exit code or signature.
  child.stdin.on('error', () => undefined)
  child.stdin.end(data)
  return promise.finally(() => clearTimeout(late))
}

/** A header's bytes, signed by all of them. @throws MeshError SIGN_FAILED */
export async function signRelease(
  payload: Uint8Array,
  signers: readonly Signer[],
  candidates: readonly PublicKey[],
): Promise<Envelope> {
  const data = preAuthEncoding(PAYLOAD_TYPES.release, payload)
  const signatures = new Map<KeyId, Signature>()
  for (const signer of signers) {
    const signature = await signer.sign(data, candidates)
    signatures.set(signature.keyId, signature)
  }
  const ascending = [...signatures.values()].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
  return { payloadType: PAYLOAD_TYPES.release, payload, signatures: ascending }
}
