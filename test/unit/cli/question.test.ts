import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { saysYes } from '../../../src/cli/question.ts'

/** As a terminal hands over keys: no line discipline lies between. */
function answering(keys: string, isTTY = true): Promise<boolean> {
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => input })
  const output = Object.assign(new PassThrough(), { isTTY, columns: 80 })
  const said = saysYes('go on?', { input, output })
  if (keys === 'end') input.end()
  else input.write(keys)
  return said
}

test.each([
  ['y\r', true],
  ['yes\r', true],
  ['n\r', false],
  ['\r', false],
  ['\u0003', false],
  ['\u0004', false],
  ['end', false],
])('%j', async (keys, yes) => {
  expect(await answering(keys)).toBe(yes)
})

test('an answer without a line end, then the end of the input', async () => {
  expect(await answering('end', false)).toBe(false)
})
