/** A token file is read before anything is asked of a node. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clientOf, shared } from '../../../src/cli/api-options.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-token-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const client = (file: string) =>
  clientOf(shared(new Command()).parse(['--token-file', file], { from: 'user' }))

test('one that cannot be sent is refused by its name, and nothing of it is shown', () => {
  const file = join(dir, 'token')
  for (const token of ['0123456789abcdef\nfedcba9876543210', '0123456789abcdefž']) {
    writeFileSync(file, `${token}\n`)
    const refusal = { code: 'CONFIG_INVALID', message: expect.stringContaining(`--token-file ${file}: `) }
    expect(() => client(file)).toThrow(expect.objectContaining(refusal))
    expect(() => client(file)).not.toThrow(/0123456789/)
  }
  writeFileSync(file, '0123456789abcdef\n')
  expect(() => client(file)).not.toThrow()
})

test('one that is not there is said so', () => {
  const refusal = { code: 'CONFIG_UNREADABLE', message: expect.stringContaining('ENOENT') }
  expect(() => client(join(dir, 'gone'))).toThrow(expect.objectContaining(refusal))
})
