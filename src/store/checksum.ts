import { createHash } from 'node:crypto'
import { equalBytes } from '../codec/digest.ts'

/** 64 bits: one chance in 1.8e19 that damage passes. Nobody who can write here needs to forge it. */
const CHECKSUM_BYTES = 8

/** Over the name, too, so that a record found in another one's place is damage. */
function checksum(name: string, body: Uint8Array): Uint8Array {
  const hash = createHash('sha256')
    .update(`${Buffer.byteLength(name)}:`)
    .update(name)
    .update(body)
    .digest()
  return hash.subarray(0, CHECKSUM_BYTES)
}

/** A record as it lies on disk: checksum over name and body, then the body. LevelDB itself reads damaged bytes without an error. */
export function seal(name: string, body: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(CHECKSUM_BYTES + body.length)
  sealed.set(checksum(name, body))
  sealed.set(body, CHECKSUM_BYTES)
  return sealed
}

/** The body, or undefined where name and bytes do not belong together: damaged. */
export function unseal(name: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < CHECKSUM_BYTES) return undefined
  const body = sealed.subarray(CHECKSUM_BYTES)
  return equalBytes(sealed.subarray(0, CHECKSUM_BYTES), checksum(name, body)) ? body : undefined
}
