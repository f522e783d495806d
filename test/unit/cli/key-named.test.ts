import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { keyNamed } from '../../../src/cli/key-files.ts'
import type { KeyId } from '../../../src/model/ids.ts'
import { publicPem } from '../../../src/trust/private-key.ts'

const dir = mkdtempSync(join(tmpdir(), 'confmesh-key-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const id = (beginning: string): KeyId => beginning.padEnd(64, '0') as KeyId
const KEYS = [id('12345678a'), id('12345678b'), id('9999999900')]
const named = (given: string): KeyId => keyNamed(given, KEYS, 'the root role')
const saying = (code: string, text: string) =>
  expect.objectContaining({ code, message: expect.stringContaining(text) })

test('a whole id, or a beginning that one key alone has', () => {
  expect(named(id('12345678a'))).toBe(KEYS[0])
  expect(named('12345678b')).toBe(KEYS[1])
  expect(named('99999999')).toBe(KEYS[2])
})

test('a beginning that two keys have names neither', () => {
  expect(() => named('12345678')).toThrow(saying('USAGE', '2 keys of the root role begin with 12345678'))
})

test('one that is shorter than 8 digits names nothing, however few keys there are', () => {
  expect(() => named('9999999')).toThrow(saying('USAGE', 'at least 8 digits'))
})

test('one that no key has is said to be none of the role', () => {
  expect(() => named('00000000')).toThrow(saying('USAGE', 'key 00000000 is none of the root role'))
  expect(() => named(id('77777777'))).toThrow(saying('USAGE', 'none of the root role'))
})

test('a file counts first, though it is called like the id of another key', () => {
  const { key } = generatePrivateKey('ed25519')
  const path = join(dir, '99999999')
  writeFileSync(path, publicPem(key.public))
  const home = process.cwd()
  process.chdir(dir)
  try {
    expect(named('99999999')).toBe(key.id)
  } finally {
    process.chdir(home)
  }
  expect(named(path)).toBe(key.id)
})

test('a file that is not there is said, and what does as well', () => {
  expect(() => named('root-3.key.pub')).toThrow(saying('CONFIG_KEY', 'root-3.key.pub: no such file'))
})
