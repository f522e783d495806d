import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, sep } from 'node:path'
import type { NodeConfig } from '../config.ts'
import { type Finding, fine, wrong } from './finding.ts'

/** Each program of hooks and health check can be run: else every release would fail its check. */
export function checkCommands({ hooks, health }: NodeConfig): Promise<readonly Finding[]> {
  const commands = hooks.map(({ command }) => ({ name: 'hook', command }))
  if (health.command !== undefined) commands.push({ name: 'health.command', command: health.command })
  return Promise.all(commands.map(({ name, command: [program = ''] }) => checkProgram(name, program)))
}

async function checkProgram(name: string, program: string): Promise<Finding> {
  const check = `${name} ${program}`
  // It is run in the folder of each channel.
  if (!isAbsolute(program) && program.includes(sep))
    return fine(check, 'looked for in the folder of each channel')
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter)
  for (const folder of folders) if (await canRun(join(folder, program))) return fine(check, 'can be run')
  const text = isAbsolute(program) ? 'no program that this user may run' : 'in no folder of PATH'
  return wrong(check, text, 'name a program by its absolute path; it must be executable')
}

async function canRun(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
