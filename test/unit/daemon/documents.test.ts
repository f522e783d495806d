import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { readPrivateKey as readNamedKey } from '../../../src/cli/key-files.ts'
import { readPrivateKey } from '../../../src/daemon/documents.ts'

let dir: string
let path: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-documents-'))
  path = join(dir, 'pool.key')
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a private key is read where its owner alone may, by configuration and by command line', () => {
  const { pem, key } = generatePrivateKey('ed25519')
  writeFileSync(path, pem, { mode: 0o600 })
  expect(readPrivateKey(path, 'admission.poolKey').public.id).toBe(key.public.id)
  expect(readNamedKey(path).public.id).toBe(key.public.id)
  chmodSync(path, 0o640)
  const refused = { code: 'CONFIG_KEY_MODE', message: expect.stringContaining('mode 0640') }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(refused))
  expect(() => readNamedKey(path)).toThrow(expect.objectContaining(refused))
})

test('a key that is not there, or is none, is said with the setting that names it', () => {
  const unreadable = { code: 'CONFIG_UNREADABLE', message: expect.stringContaining('admission.poolKey') }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(unreadable))
  writeFileSync(path, 'not a key', { mode: 0o600 })
  const wrong = { code: 'CONFIG_KEY', message: expect.stringContaining(path) }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(wrong))
})
