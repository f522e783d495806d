import { type Code, isFullCode, isMeshError, MeshError } from '../errors.ts'
import type { ActivationOutcome } from '../runtime/ports.ts'

/** Why files could not be put in place, with the code that says what to do. */
export function failedOutcome(error: unknown, dir: string): Extract<ActivationOutcome, { kind: 'failed' }> {
  if (isMeshError(error)) return { kind: 'failed', code: error.code, text: error.message }
  const text = error instanceof Error ? error.message : String(error)
  if (isFull(error)) return { kind: 'failed', code: 'STORE_FULL', text: `${dir}: ${fullText(codeOf(error))}` }
  return { kind: 'failed', code: 'ACTIVATE_FAILED', text: `${dir}: ${text}` }
}

const fullText = (code: string): string =>
  code === 'EROFS'
    ? 'on a read-only file system; remount it writable'
    : `no room for the release (${code}); free space`

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** The disk takes nothing more. */
export const isFull = (error: unknown): boolean => isFullCode(codeOf(error))

const SHORT = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

/** The host has too little of something: nothing is known of the files. */
export const isShort = (error: unknown): boolean => SHORT.has(codeOf(error))

export const activateError = (code: Code, text: string): MeshError => new MeshError(code, text)

/** Errors that only say "not there". */
export const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
