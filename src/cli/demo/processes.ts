import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MeshError } from '../../errors.ts'
import { PARENT_FD, PARENT_FD_VARIABLE } from '../parent-watch.ts'

/** The program itself, as source or as built. */
const PROGRAM = join(import.meta.dirname, `../launcher.${import.meta.filename.endsWith('.ts') ? 'ts' : 'js'}`)

export interface NodeProcess {
  readonly name: string
  readonly region: string
  readonly api: string
  readonly peerId: string
  readonly addresses: readonly string[]
  kill(): void
  /** SIGTERM, then SIGKILL after the deadline. */
  stop(deadlineMs: number): Promise<void>
}

/** A child that ends at once when this process does, kill -9 included. */
function spawnProgram(args: readonly string[]): ChildProcess {
  const env = { ...process.env, [PARENT_FD_VARIABLE]: String(PARENT_FD) }
  return spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
}

/**
 * Runs one command to its end and gives its JSON.
 * @throws MeshError with the code that the command reported
 */
export async function run(args: readonly string[]): Promise<Record<string, unknown>> {
  const child = spawnProgram([...args, '--json'])
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  child.stderr?.resume()
  await new Promise((resolve) => child.once('close', resolve))
  let value: Record<string, unknown>
  try {
    value = JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new MeshError('INTERNAL', `confmesh ${args[0]} said nothing that can be read`)
  }
  const error = value.error as { code: 'INTERNAL'; message: string } | undefined
  if (error !== undefined)
    throw new MeshError(error.code, `confmesh ${args.slice(0, 2).join(' ')}: ${error.message}`)
  return value
}

/** Starts a node and waits until it listens. @throws MeshError NET_TIMEOUT, or what the node reported */
export async function startNode(
  name: string,
  region: string,
  args: readonly string[],
  logFile: string,
  deadlineMs: number,
): Promise<NodeProcess> {
  const child = spawnProgram(['node', ...args, '--label', `region=${region}`, '--json'])
  child.stderr?.pipe(createWriteStream(logFile))
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const ready = await firstLine(child, name, deadlineMs)
  return {
    name,
    region,
    ...ready,
    kill: () => void child.kill('SIGKILL'),
    async stop(stopDeadlineMs) {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopDeadlineMs)
      await closed
      clearTimeout(timer)
    },
  }
}

function firstLine(
  child: ChildProcess,
  name: string,
  deadlineMs: number,
): Promise<{ api: string; peerId: string; addresses: readonly string[] }> {
  return new Promise((resolve, reject) => {
    const fail = (error: MeshError): void => {
      clearTimeout(timer)
      child.kill('SIGKILL')
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new MeshError('NET_TIMEOUT', `${name} did not start within ${deadlineMs} ms`)),
      deadlineMs,
    )
    child.once('close', () =>
      fail(new MeshError('INTERNAL', `${name} ended before it listened; see its log`)),
    )
    if (child.stdout === null) return
    createInterface(child.stdout).once('line', (line) => {
      const value = JSON.parse(line) as {
        event?: string
        error?: { code: 'INTERNAL'; message: string }
        api: string
        peerId: string
        addresses: string[]
      }
      if (value.error !== undefined)
        return fail(new MeshError(value.error.code, `${name}: ${value.error.message}`))
      clearTimeout(timer)
      resolve({ api: value.api, peerId: value.peerId, addresses: value.addresses })
    })
  })
}
