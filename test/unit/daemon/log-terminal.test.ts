/** The log on a terminal: for people, in colours where they want them. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const SOURCE = new URL('../../../src/daemon/log.ts', import.meta.url)
const PROGRAM = `import { createLogger } from '${SOURCE}'
process.stderr.isTTY = true
const logger = await createLogger('info')
logger.warn({ code: 'READY' }, 'it is there')`

test.each([
  ['as it comes', { TERM: 'xterm' }, true],
  ['whose user wants no colours', { TERM: 'xterm', NO_COLOR: '1' }, false],
  ['whose user says nothing of colours', { TERM: 'xterm', NO_COLOR: '' }, true],
  ['that knows no colours', { TERM: 'dumb' }, false],
])('a terminal %s', (_, env, isPainted) => {
  const options = { env: { PATH: process.env.PATH, ...env }, encoding: 'utf8' } as const
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], options)
  expect(stderr).toContain('it is there')
  expect(stderr.includes('\u001b[')).toBe(isPainted)
})
