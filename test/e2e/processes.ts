/** What runs on this machine, as /proc tells, and a Node too old for the program. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A Node binary and what goes before the launcher. */
export interface Runner {
  readonly node: string
  readonly options: readonly string[]
}

/** The Node of this test: new enough for the program to run in the launcher's own process. */
export const newNode: Runner = { node: process.execPath, options: [] }

/** Makes a new Node look old to the launcher alone: the option is not handed to what it starts. */
const LOOK_OLD = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } })`

/** @param dir where the module that makes it look old goes */
export function nodeThatLooksOld(dir: string): Runner {
  const preload = join(dir, 'old.mjs')
  writeFileSync(preload, LOOK_OLD)
  return { node: process.execPath, options: ['--import', preload] }
}

/** The machine's own Node where it is an older one: then the launcher is also run by the real thing. */
export function systemNode(): Runner | undefined {
  const path = (process.env.PATH ?? '').split(':').filter((entry) => !entry.includes('node_modules'))
  const found = spawnSync('node', ['-p', 'process.execPath + " " + process.versions.node'], {
    env: { ...process.env, PATH: path.join(':') },
    encoding: 'utf8',
  })
  const [node, version] = found.status === 0 ? found.stdout.trim().split(' ') : []
  return node !== undefined && Number.parseInt(version ?? '', 10) < 24 ? { node, options: [] } : undefined
}

/** True while a process of this id runs (one that waits to be collected by its parent does not). */
export function runs(pid: number): boolean {
  try {
    return statOf(pid)[0] !== 'Z'
  } catch {
    return false
  }
}

/** The processes whose command line holds this. */
export function processesWith(argument: string): number[] {
  const ids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))
  return ids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(argument)
    } catch {
      return false // gone while we looked
    }
  })
}

/** @throws Error where there is no such process */
export const parentOf = (pid: number): number => Number(statOf(pid)[1])

/** What follows the process's name, which may hold anything: state, parent and more. */
function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}
