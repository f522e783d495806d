import { readdir, readFile } from 'node:fs/promises'

/** Set in the environment of a command and inherited by whatever it starts. */
export const MARK = 'CONFMESH_RUN'

/** Sends SIGKILL. Gone already is what was wanted; one that changed its user is not ours to kill. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}

/** What is left of a command in its process group. */
export const killGroup = async (group: number): Promise<void> => kill(-group)

/**
 * Kills a command with everything it started: its process group, and those that left it by `setsid`, which are
 * known by the mark they inherited (Linux; elsewhere the group alone). Repeated, as they may fork meanwhile.
 */
export async function killAll(group: number, mark: string): Promise<void> {
  kill(-group)
  await killMarked(mark)
}

/** All that has this mark, and nothing else (Linux; elsewhere nothing): no two commands of any node have the same. */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < 5; round++) {
    const marked = await processesMarked(mark)
    if (marked.length === 0) return
    for (const pid of marked) kill(pid)
  }
}

async function processesMarked(mark: string): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => [] as string[])
  const found: number[] = []
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    // Gone meanwhile, a zombie, or another user's: not ours to kill.
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
    if (environment.split('\0').includes(`${MARK}=${mark}`)) found.push(Number(name))
  }
  return found
}
