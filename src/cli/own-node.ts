// Must stay readable for Node 18: see launcher.ts.

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { PARENT_FD, PARENT_FD_VARIABLE } from './parent-watch.ts'

/** The major version of Node that the program is written for. */
export const oldestNode = 24

/** The binary of the npm package `node` that is installed beside this one, if there is one and it is new enough. */
export function ownNode(): string | undefined {
  let manifest: string
  try {
    manifest = createRequire(import.meta.url).resolve('node/package.json')
  } catch {
    return undefined // not installed, which is the ordinary case in production
  }
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  const binary = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  // Without its install script the package is there, but not the binary.
  return Number.parseInt(version, 10) >= oldestNode && existsSync(binary) ? binary : undefined
}

const passedOn = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const

/**
 * A terminal sends ^C and ^\ to every process of the foreground group, the program among them. Passed on as well they
 * would come twice, and a second SIGINT means "now, without draining".
 */
const sentByTerminal = (signal: NodeJS.Signals): boolean =>
  (signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY === true

/**
 * Runs this very command line under `node`: same stdio, signals passed on, same exit code or fatal signal. The
 * program holds one end of a pipe whose other end only this process has, so it notices when this process is gone,
 * however it died.
 */
export function runUnder(node: string, onCannotStart: (cause: Error) => void): void {
  const stdio: 'inherit'[] = ['inherit', 'inherit', 'inherit']
  const child = spawn(node, process.argv.slice(1), {
    stdio: [...stdio, 'pipe'],
    env: { ...process.env, [PARENT_FD_VARIABLE]: String(PARENT_FD) },
  })
  const forward = (signal: NodeJS.Signals): void => {
    if (!sentByTerminal(signal)) child.kill(signal)
  }
  for (const signal of passedOn) process.on(signal, forward)
  child.once('error', onCannotStart)
  child.once('exit', (code, signal) => {
    for (const name of passedOn) process.removeListener(name, forward)
    if (signal === null) process.exit(code ?? 1)
    endAs(signal)
  })
}

/** Ends by the signal that ended the program, so that a shell or supervisor sees what it would have seen directly. */
function endAs(signal: NodeJS.Signals): void {
  process.kill(process.pid, signal)
  // Node catches a few signals for itself (SIGUSR1): then the shell's number for it.
  setTimeout(() => process.exit(128 + constants.signals[signal]), 100)
}
