#!/usr/bin/env node
import { EXIT_CODES } from './exit-codes.ts'
import { runProgram } from './program.ts'

// Whoever closed it, or has no room for it, reads nothing more there; the work and its exit code stay what they are.
process.stderr.on('error', () => {})

// A reader that has seen enough (`| head`) ends the command, without a trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  const code = 'OUTPUT_FAILED'
  process.stderr.write(`confmesh: ${code}: stdout: ${error.code ?? error.message}; is its disk full?\n`)
  process.exit(EXIT_CODES[code])
})

await runProgram(process.argv.slice(2))

// A command that failed half-way may leave connections and timers behind; nothing may keep it from ending.
if (process.exitCode !== undefined && process.exitCode !== 0) {
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}
