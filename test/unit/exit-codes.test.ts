import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { CODES } from '../../src/errors.ts'

const text = readFileSync(resolve(join(import.meta.dirname, '../../docs/errors.md')), 'utf8')

test.each(CODES)('docs/errors.md tells the exit code of %s as it is', (code) => {
  const row = new RegExp(`^\\| \`${code}\` \\|.*\\| ([1-4-]) \\|$`, 'm').exec(text)
  // A dash: no command reports it.
  expect([String(EXIT_CODES[code]), '-']).toContain(row?.[1])
})

test('a seed that has no time now, to the end, may take the very same later: that is no refusal', () => {
  expect([EXIT_CODES.LIMIT_RATE, EXIT_CODES.LIMIT_STREAMS]).toEqual([4, 4])
})
