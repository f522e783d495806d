/** The end of this process, which no silent name server holds up. */
import { accessSync, constants } from 'node:fs'

/** Of names, by the system: what a socket that is to be connected asks first. */
export const isLookingUp = (): boolean => process.getActiveResourcesInfo().includes('GetAddrInfoReqWrap')

/**
 * As `process.exit`, which by itself waits for the lookups under way: nothing cuts one short, and where no name server
 * answers glibc by default takes up to 20 s and more for it. A signal to itself would end it, but loses the exit code. So
 * this process becomes another program then, which has no lookups and ends with that code.
 */
export function endProcess(code = process.exitCode): never {
  // after all other listeners, the last lines of a log among them
  process.on('exit', leaveLookups)
  process.exit(code)
}

function leaveLookups(): void {
  if (process.platform === 'win32' || !isLookingUp()) return
  // Node does so at its end: whoever else writes there is not to find a pipe that refuses what it has no room for.
  for (const { _handle } of [process.stdout, process.stderr] as { _handle?: Blocking }[])
    _handle?.setBlocking?.(true)
  const { execPath, exitCode = 0 } = process
  // The program that runs, also where its file was replaced or removed meanwhile.
  const program = process.platform === 'linux' ? '/proc/self/exe' : execPath
  // What it needs to start (`LD_LIBRARY_PATH`), and nothing that tells Node to do more.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')))
  try {
    // What cannot be run would end this process by SIGABRT.
    accessSync(program, constants.X_OK)
    process.execve?.(program, [execPath, '--eval', `process.exit(${exitCode})`], env)
  } catch {
    // Not allowed: it ends when its lookups do.
  }
}

interface Blocking {
  setBlocking?(isBlocking: boolean): void
}
