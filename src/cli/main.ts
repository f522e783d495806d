#!/usr/bin/env node
import { runProgram } from './program.ts'
import { outliveStdout } from './stdout.ts'

// Whoever closed it, or has no room for it, reads nothing more there; the work and its exit code stay what they are.
process.stderr.on('error', () => {})

outliveStdout()

await runProgram(process.argv.slice(2))

// A command that failed half-way may leave connections and timers behind; nothing may keep it from ending.
if (process.exitCode !== undefined && process.exitCode !== 0) {
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}
