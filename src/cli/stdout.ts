/** A stdout that takes nothing any more: its reader has seen enough (`| head`), or its disk is full. */
import { EXIT_CODES } from './exit-codes.ts'

let isPrinting = false
const loss = Promise.withResolvers<undefined>()

/** That it is lost, for a command which otherwise waits until somebody ends it; mostly this never comes. */
export const stdoutLost = loss.promise

/** From here on the command only prints, perhaps without end: it is over where nobody can read it. */
export function onlyPrints(): void {
  isPrinting = true
}

/**
 * Any other command goes on to its end, for it may stand between two things that belong together, and ends with what came
 * of it. That something could not be written is told last; a reader who went away is told nothing.
 */
export function outliveStdout(): void {
  let lost: NodeJS.ErrnoException | undefined
  process.stdout.on('error', (error) => {
    lost ??= error
    loss.resolve(undefined)
    if (isPrinting) process.exit()
  })
  process.on('exit', () => {
    if (lost === undefined || lost.code === 'EPIPE') return
    const code = 'OUTPUT_FAILED'
    process.stderr.write(`confmesh: ${code}: stdout: ${lost.code ?? lost.message}; is its disk full?\n`)
    process.exitCode ||= EXIT_CODES[code]
  })
}
