/** A slip of the hand in an option of a script ends it at once: a run of nothing must not look like one that is green. */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

const run = (script: string, ...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, script), ...args], { encoding: 'utf8', timeout: 60_000 })

test.each([
  ['sim', '--seeds 2OO'],
  ['sim', '--seeds 0'],
  ['sim', '--workers x'],
  ['sim', '--seed x'],
  ['sim', '--from -1'],
  ['crash-points', '--stride 0'],
  ['crash-points', '--stride x'],
  ['crash-points', '--node 1.5'],
  ['soak', '--minutes x'],
  ['soak', '--minutes 0'],
  ['kills', '--times x'],
  ['chaos', '--minutes x'],
  ['siege', '--nodes x'],
  ['fuzz', '--seconds x'],
])('%s %s', (script, given) => {
  const [name = '', value = ''] = given.split(' ')
  const { status, stderr } = run(`scripts/${script}.ts`, `${name}=${value}`)
  expect(stderr).toMatch(new RegExp(`^${name} ${value}: expected a whole number from [01] on\n$`))
  expect(status).toBe(2)
})

test.each([
  ['attack', ['--nodes', '1'], '--nodes 1: expected a whole number from 2 on'],
  ['attack', ['--target', 'sed'], '--target sed: expected node or seed'],
  ['large', ['--files', '1OOO'], '--files 1OOO: expected a whole number from 1 on'],
  ['large', ['--bytes', '4Gb'], '--bytes 4Gb: expected a size such as 4GiB (B, KiB, MiB, GiB)'],
  ['large', ['--bytes', '0'], '--bytes 0: expected a size such as 4GiB (B, KiB, MiB, GiB)'],
  ['large', [], '--bytes SIZE or --files NUMBER: expected one of them'],
  ['large', ['--bytes', '1MiB', '--files', '9'], '--bytes SIZE or --files NUMBER: expected one of them'],
])('bench/%s.ts %j', (script, given, said) => {
  const { status, stderr } = run(`bench/${script}.ts`, ...given)
  expect(stderr).toBe(`${said}\n`)
  expect(status).toBe(2)
})
