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

/**
 * What is left of a command that was under way when its node was killed: all with its mark where it runs yet. Where it
 * has ended meanwhile only what is in its group goes, as at any end: a service that left the group is to stay.
 *
 * @param group undefined where it is not known: then all count as the command's
 */
export async function killLeft(mark: string, group: number | undefined): Promise<void> {
  const marked = await processesMarked(mark)
  if (group === undefined || marked.includes(group)) return killMarked(mark)
  // Only what has the mark says that it is this group still, and not another of the same number.
  for (const pid of marked) if ((await groupOf(pid)) === group) return kill(-group)
}

/** Undefined where it has gone meanwhile. */
async function groupOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  // "pid (name) state parent group": the name may hold anything.
  const group = /.*\) \S \d+ (\d+) /s.exec(stat)?.[1]
  return group === undefined ? undefined : Number(group)
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
