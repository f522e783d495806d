import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
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
}

/** The processes of one demo: all of them end with it, those that are just starting too, and none starts after. */
export class Processes {
  readonly #running = new Set<ChildProcess>()
  /** Each resolves once the log's file is closed. */
  readonly #logs = new Set<Promise<void>>()
  #isOver = false
  #cutLogs = 0

  /** Logs that could not be written to their end. */
  get cutLogs(): number {
    return this.#cutLogs
  }

  /**
   * Runs one command to its end and gives its JSON.
   * @throws MeshError with the code that the command reported
   */
  async run(args: readonly string[]): Promise<Record<string, unknown>> {
    const what = `confmesh ${args[0]}`
    const child = this.#spawn(what, [...args, '--json'])
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    child.stderr?.resume()
    await new Promise<void>((resolve, reject) => {
      child.once('close', () => resolve())
      child.once('error', (error) => reject(cannotStart(what, error)))
    })
    let value: Record<string, unknown>
    try {
      value = JSON.parse(text) as Record<string, unknown>
    } catch {
      throw new MeshError('INTERNAL', `${what} said nothing that can be read`)
    }
    const error = value.error as { code: 'INTERNAL'; message: string } | undefined
    if (error !== undefined)
      throw new MeshError(error.code, `confmesh ${args.slice(0, 2).join(' ')}: ${error.message}`)
    return value
  }

  /** Starts a node and waits until it listens. @throws MeshError NET_TIMEOUT, or what the node reported */
  async startNode(
    name: string,
    region: string,
    args: readonly string[],
    logFile: string,
    deadlineMs: number,
  ): Promise<NodeProcess> {
    const child = this.#spawn(name, ['node', ...args, '--label', `region=${region}`, '--json'])
    if (child.stderr) this.#keepLog(child.stderr, logFile)
    const ready = await firstLine(child, name, deadlineMs)
    return { name, region, ...ready, kill: () => void child.kill('SIGKILL') }
  }

  /** SIGTERM, then SIGKILL after the deadline. Their logs are closed then. */
  async end(deadlineMs: number): Promise<void> {
    this.#isOver = true
    await Promise.all(
      [...this.#running].map(async (child) => {
        const closed = once(child, 'close')
        child.kill('SIGTERM')
        const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
        await closed
        clearTimeout(timer)
      }),
    )
    // A file that is only being opened would come back after its folder was removed.
    await Promise.all(this.#logs)
  }

  /** A child that ends at once when this process does, kill -9 included. */
  #spawn(what: string, args: readonly string[]): ChildProcess {
    if (this.#isOver) throw new MeshError('INTERNAL', 'the demo is over')
    const child = started(what, args)
    this.#running.add(child)
    // One that could not be started ends by its error alone.
    for (const last of ['close', 'error']) child.once(last, () => this.#running.delete(child))
    return child
  }

  /** Without room for it the node, which waits for nobody to read it, goes on. */
  #keepLog(log: Readable, path: string): void {
    const file = createWriteStream(path)
    this.#logs.add(new Promise<void>((resolve) => file.once('close', () => resolve())))
    // Of a process that was not started there is no end.
    log.once('close', () => file.end())
    file.once('error', () => {
      this.#cutLogs += 1
      log.resume()
    })
    log.pipe(file)
  }
}

function started(what: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, [PARENT_FD_VARIABLE]: String(PARENT_FD) }
  try {
    return spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  } catch (error) {
    // Some errors are thrown, as that of no memory, and others come as an event.
    throw cannotStart(what, error as NodeJS.ErrnoException)
  }
}

const cannotStart = (what: string, error: NodeJS.ErrnoException): MeshError =>
  new MeshError(
    'INTERNAL',
    `${what} cannot be started: ${error.code ?? error.message}; try fewer --nodes, or allow more processes and open files (ulimit)`,
    {},
    { cause: error },
  )

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
    child.once('error', (error) => fail(cannotStart(name, error)))
    // There is none either where the files that may be open did not suffice for it.
    if (!child.stdout) return
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
