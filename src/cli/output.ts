/** What the command line says, and how: text for people, or one JSON value with `--json`; an error in either form. */
import { stripVTControlCharacters } from 'node:util'
import { isMeshError, MeshError } from '../errors.ts'
import { printable as escaped } from '../model/printable.ts'
import { EXIT_CODES } from './exit-codes.ts'

interface OutputMode {
  readonly json: boolean
  readonly verbose: boolean
}

let mode: OutputMode = { json: false, verbose: false }

/** Set once, by `main`. */
export function setOutput(next: OutputMode): void {
  mode = next
}

export const isJson = (): boolean => mode.json

/**
 * The command's result on stdout.
 * @param value what `--json` prints, with stable fields
 * @param text what people read, lines; strings that came from elsewhere go through `printable`
 */
export function out(value: unknown, text: string | readonly string[]): void {
  if (mode.json) process.stdout.write(`${JSON.stringify(value)}\n`)
  else if (text.length > 0) process.stdout.write(`${typeof text === 'string' ? text : text.join('\n')}\n`)
}

/** A line that people must see beside the result, on stderr; printable, whatever is quoted in it. */
export function warn(text: string): void {
  process.stderr.write(`confmesh: ${printable(text)}\n`)
}

/** Progress: on stderr, on a terminal only, as printable as a warning. */
export function progress(text: string): void {
  if (process.stderr.isTTY === true && !mode.json) process.stderr.write(`${printable(text)}\n`)
}

/**
 * Says what went wrong and sets the exit code: `confmesh: CODE: what, where, what to do` on stderr, or
 * `{error: {code, message, details}}` on stdout with `--json`. A stack trace only with `--verbose`.
 */
export function fail(error: unknown): void {
  say(error, mode.json)
}

/** The same once the result is out, which with `--json` is the one value on stdout: on stderr in either form. */
export function failAfterwards(error: unknown): void {
  say(error, false)
}

function say(error: unknown, asJson: boolean): void {
  const { code, message, details } = asMeshError(error)
  if (asJson) process.stdout.write(`${JSON.stringify({ error: { code, message, details } })}\n`)
  else process.stderr.write(`confmesh: ${code}: ${printable(message)}\n`)
  if (mode.verbose && error instanceof Error) process.stderr.write(`${traceOf(error)}\n`)
  process.exitCode = EXIT_CODES[code]
}

/** One line, at most 1,000 characters, no control, bidi or invisible characters: safe on a terminal. */
export const printable = (text: string): string =>
  escaped(stripVTControlCharacters(text).replace(/\s+/gu, ' '), MAX_LINE_CHARS)

const MAX_LINE_CHARS = 1_000

/** The same of all that a node answered, names too: no field that is shown can be forgotten. */
export function allPrintable<T>(said: T): T
export function allPrintable(said: unknown): unknown {
  if (typeof said === 'string') return printable(said)
  if (Array.isArray(said)) return said.map(allPrintable)
  if (typeof said !== 'object' || said === null) return said
  return Object.fromEntries(
    Object.entries(said).map(([name, value]) => [printable(name), allPrintable(value)]),
  )
}

/** What is none is a fault of ours. */
export function asMeshError(error: unknown): MeshError {
  if (isMeshError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new MeshError(
    'INTERNAL',
    `${reason}; this is a fault of confmesh: run it again with --verbose and report it`,
  )
}

/** It begins with the message again: a line that is forged there stays one of the trace. */
function traceOf(error: Error): string {
  const trace = (error.stack ?? String(error))
    .split(/\s*\n\s*/)
    .map(printable)
    .join('\n    ')
  return error.cause instanceof Error ? `${trace}\ncaused by: ${traceOf(error.cause)}` : trace
}
