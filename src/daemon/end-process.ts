/** The end of this process, which no silent name server holds up. */

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
  process.execve?.(execPath, [execPath, '--eval', `process.exit(${exitCode})`], {})
}

interface Blocking {
  setBlocking?(isBlocking: boolean): void
}
