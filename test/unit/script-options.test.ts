/** A slip of the hand in an option of a script ends it at once: a run of nothing must not look like one that is green. */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

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
  const args = [join(root, `scripts/${script}.ts`), `${name}=${value}`]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  expect(stderr).toMatch(new RegExp(`^${name} ${value}: expected a whole number from [01] on\n$`))
  expect(status).toBe(2)
})
