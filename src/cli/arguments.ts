/** Reads what was typed. Whatever is wrong here is the caller's typing: code USAGE. */
import { isMeshError, MeshError } from '../errors.ts'

/** Turns a strict parser's refusal into one of usage that names the argument. */
export function argument<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text)
  } catch (error) {
    if (!isMeshError(error)) throw error
    throw new MeshError('USAGE', `${name}: ${error.message}`, { argument: name }, { cause: error })
  }
}

export function wholeNumber(name: string, text: string, least: number, most: number): number {
  const n = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (n >= least && n <= most) return n
  throw new MeshError('USAGE', `${name}: "${text}" is no whole number from ${least} to ${most}`, {
    argument: name,
  })
}

/** `--expect`: an empty or mistyped one must not pass for whatever stands there. */
export function requireExpectation(text: string | undefined): void {
  if (text === undefined || /^([0-9a-f]{8,64}|none|any)$/.test(text)) return
  throw new MeshError('USAGE', `--expect: "${text}" is no release; give at least 8 hex digits, none or any`)
}

/** Commander's collector for an option that may be given several times, with one or several values. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  value,
]
