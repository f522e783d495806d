/** The command line in this process, in a folder of its own: as many processes would take minutes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'

const scratch = mkdtempSync(join(tmpdir(), 'confmesh-cli-'))
const home = process.cwd()

/** Commands run in the scratch folder, which goes in the end. */
export function inScratch(): void {
  beforeAll(() => process.chdir(scratch))
  afterAll(() => {
    process.chdir(home)
    rmSync(scratch, { recursive: true, force: true })
  })
}

export const at = (...parts: string[]): string => join(scratch, ...parts)

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command line in this process, with what it wrote and the exit code it left: 100 processes would take minutes. */
export async function confmesh(...args: string[]): Promise<Run> {
  const written = { out: '', err: '' }
  const take = (to: 'out' | 'err') => (text: string | Uint8Array, taken?: unknown) => {
    written[to] += String(text)
    if (typeof taken === 'function') taken()
    return true
  }
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(take('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(take('err')),
  ]
  process.exitCode = 0
  try {
    await runProgram(args)
    return { code: Number(process.exitCode), ...written }
  } finally {
    process.exitCode = 0
    for (const spy of spies) spy.mockRestore()
  }
}

/** With `--json`: the one value on stdout. */
export async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const run = await confmesh(...args, '--json')
  expect(run, run.err).toMatchObject({ code: 0 })
  return JSON.parse(run.out) as T
}

/** Refused: exit code and error code, one line on stderr that names what it must, and the same with `--json`. */
export async function refused(code: number, error: string, names: string, ...args: string[]): Promise<void> {
  const run = await confmesh(...args)
  expect(run.err).toMatch(/^confmesh: [A-Z_]+: [^\n]+\n$/)
  expect(run.err).toContain(`confmesh: ${error}: `)
  expect(run.err).toContain(names)
  expect({ code: run.code, out: run.out }).toEqual({ code, out: '' })
  const machine = await confmesh(...args, '--json')
  expect(machine.code).toBe(code)
  expect(JSON.parse(machine.out)).toMatchObject({
    error: { code: error, message: expect.any(String), details: {} },
  })
  expect(machine.err).toBe('')
}

export interface Fleet {
  fleetId: string
  root: string
  rootKeys: string[]
  publisher: string
  publisherKey: string
  admissionKey: string
  pool: string
  seedConfig: string
  nodeConfig: string
  seedAddress: string
}

export interface Shown {
  version: number
  fleetId: string
  expires: string
  publishers: Record<string, { threshold: number; patterns: string[] }>
  epochs: { pattern: string; value: number }[]
  roles: { root: { keys: string[]; threshold: number } }
  freshness: { keys: string[]; maxAgeS: number; maxSkewS: number }
  removed: { peers: { id: string }[]; pools: { key: string; until?: string }[] }
}
export const show = (root: string): Promise<Shown> => json<Shown>('trust', 'show', '--root', root)

/** One whose root needs two of three keys and whose publisher has its channels, and one as `init` makes it by itself. */
export async function twoFleets(): Promise<{ readonly fleet: Fleet; readonly single: Fleet }> {
  const channels = ['--channel', 'pay/*', 'web']
  const fleet = await json<Fleet>('init', 'fleet', '--root-keys', '3', ...channels, '--host', '10.0.0.1')
  return { fleet, single: await json<Fleet>('init', 'single', '--fleet', 'acme') }
}
