import { type ChildProcess, spawn } from 'node:child_process'
import { killAll, killGroup, MARK } from './descendants.ts'
import { startApart } from './inherited.ts'

export interface CommandRun {
  /** Program and arguments: no shell reads them. */
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly maxOutputBytes: number
  /** By which all that it starts is known; no other command has the same. */
  readonly mark: string
  /** Called once it runs, with its process group. */
  readonly onStart: (group: number) => void
  /** Aborted when the node stops. */
  readonly signal: AbortSignal
}

export type CommandResult =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'timeout'; readonly text: string }
  /** The host had nothing left to start it with, which passes. */
  | { readonly kind: 'short'; readonly text: string }

/** No process, descriptor or memory for it now: no fault of the command. */
const SHORT = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'])

/** Parts of a command's time: a second each, of the minute that a hook has unless said otherwise. */
const PARTS = 60

/**
 * Runs a command to its end. It leads a process group of its own, so that a timeout can end all it started; what
 * it left behind in that group ends with it, too; a service it started is to leave the group by `setsid`. Never
 * rejects.
 */
export function runCommand(run: CommandRun): Promise<CommandResult> {
  const [program = '', ...args] = run.command
  return new Promise((resolve) => {
    let child: ChildProcess
    try {
      const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', ...run.env, [MARK]: run.mark }
      child = startApart(['ignore', 'pipe', 'pipe'], (stdio) =>
        spawn(program, args, { cwd: run.cwd, env, detached: true, stdio }),
      )
    } catch (error) {
      return resolve(unstarted(program, error as NodeJS.ErrnoException))
    }
    if (child.pid !== undefined) run.onStart(child.pid)
    const output = outputOf(child, run.maxOutputBytes)
    let ended = false
    const end = async (result: CommandResult, done = false): Promise<void> => {
      if (ended) return
      ended = true
      clearInterval(timer)
      run.signal.removeEventListener('abort', abort)
      if (child.pid !== undefined) await (done ? killGroup(child.pid) : killAll(child.pid, run.mark))
      // A process that escaped may hold the pipes open for ever; they are not waited for.
      child.stdout?.destroy()
      child.stderr?.destroy()
      resolve(result)
    }
    const timer = whenOver(run.timeoutMs, () => {
      void end({ kind: 'timeout', text: `${program}: not done after ${run.timeoutMs} ms, killed${output()}` })
    })
    const abort = (): void => void end({ kind: 'failed', text: `${program}: ended, the node stops` })
    run.signal.addEventListener('abort', abort)
    if (run.signal.aborted) abort()
    child.on('error', (error) => void end(unstarted(program, error)))
    child.on('exit', (code, signal) => {
      const how = signal === null ? `exit ${code}` : `killed by ${signal}`
      const text = `${program}: ${how}${output()}`
      void end(code === 0 ? { kind: 'passed' } : { kind: 'failed', text }, true)
    })
  })
}

/**
 * Time is counted in parts, of which one is over however long this process did not run, as in a frozen container: the
 * command did not run then either, or not all its time. After the last one it is first read what came meanwhile, as the
 * exit of the command may wait to be read.
 */
function whenOver(ms: number, work: () => void): NodeJS.Timeout {
  let left = Math.min(PARTS, ms)
  const timer = setInterval(
    () => {
      left -= 1
      if (left > 0) return
      clearInterval(timer)
      setImmediate(work)
    },
    Math.ceil(ms / left),
  )
  return timer
}

const unstarted = (program: string, { code = '', message }: NodeJS.ErrnoException): CommandResult =>
  SHORT.has(code)
    ? { kind: 'short', text: `${program}: cannot be started now (${code}), tried again` }
    : { kind: 'failed', text: `${program}: ${message}` }

/** The end of the output; what came before is read and dropped, so that a flood neither fills memory nor blocks. */
function outputOf(child: ChildProcess, maxBytes: number): () => string {
  const chunks: Buffer[] = []
  let kept = 0
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      kept += chunk.length
      for (let first = chunks[0]; first !== undefined && kept - first.length >= maxBytes; first = chunks[0]) {
        kept -= first.length
        chunks.shift()
      }
    })
  return () => {
    const text = Buffer.concat(chunks).subarray(-maxBytes).toString('utf8').trim()
    const last = (text.split('\n').at(-1) ?? '').replace(/\p{C}/gu, ' ').slice(-300)
    return last === '' ? '' : `: ${last}`
  }
}
