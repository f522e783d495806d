#!/usr/bin/env node
import { endProcess, isLookingUp } from '../daemon/end-process.ts'
import { runProgram } from './program.ts'
import { outliveStdout } from './stdout.ts'

// Whoever closed it, or has no room for it, reads nothing more there; the work and its exit code stay what they are.
process.stderr.on('error', () => {})

outliveStdout()

/** For a supervisor that waits for a node's end, and for nobody else: who reads at all has read it by then. */
const LAST_WORDS_MS = 5_000

const args = process.argv.slice(2)
await runProgram(args)

// A command that failed half-way may leave connections and timers behind, and any a lookup of a name that nobody waits for
// any more; nothing may keep it from ending.
if ((process.exitCode !== undefined && process.exitCode !== 0) || isLookingUp()) {
  // That stdout is lost is told behind the writes to it.
  process.stdout.write('', () => process.stderr.write('', () => setImmediate(() => endProcess())))
  // What is wrong was said into a pipe, perhaps, whose reader has stopped.
  if (args.find((arg) => !arg.startsWith('-')) === 'node')
    setTimeout(() => endProcess(), LAST_WORDS_MS).unref()
}
