import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { readPrivateKey as readNamedKey } from '../../../src/cli/key-files.ts'
import { readPrivateKey } from '../../../src/daemon/documents.ts'

let dir: string
let path: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-documents-'))
  path = join(dir, 'pool.key')
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true })
})

test('a private key is read where its owner alone may, by configuration and by command line', () => {
  const { pem, key } = generatePrivateKey('ed25519')
  writeFileSync(path, pem, { mode: 0o600 })
  expect(readPrivateKey(path, 'admission.poolKey').public.id).toBe(key.public.id)
  expect(readNamedKey(path).public.id).toBe(key.public.id)
  chmodSync(path, 0o640)
  const refused = {
    code: 'CONFIG_KEY_MODE',
    message: expect.stringMatching(/mode 0640, .* chmod 600 .*\/pool\.key; where that changes nothing/),
  }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(refused))
  expect(() => readNamedKey(path)).toThrow(expect.objectContaining(refused))
})

/** As a user of this id and group, of a file that is root's. */
function readAs(uid: number, groups: readonly number[], mode: number) {
  vi.spyOn(process, 'geteuid').mockReturnValue(uid)
  vi.spyOn(process, 'getegid').mockReturnValue(groups[0] as number)
  vi.spyOn(process, 'getgroups').mockReturnValue(groups.slice(1))
  chmodSync(path, mode)
  return readPrivateKey(path, 'admission.poolKey').public.id
}

test.runIf(process.geteuid?.() === 0)(
  'one of root’s is read where its group is ours and may read, no more',
  () => {
    const { pem, key } = generatePrivateKey('ed25519')
    writeFileSync(path, pem)
    const { gid } = statSync(path)
    expect(readAs(10_001, [10_001, gid], 0o440)).toBe(key.public.id)
    expect(readAs(10_001, [gid], 0o640)).toBe(key.public.id)
    const refused = expect.objectContaining({ code: 'CONFIG_KEY_MODE' })
    for (const mode of [0o460, 0o450, 0o444, 0o441])
      expect(() => readAs(10_001, [10_001, gid], mode), mode.toString(8)).toThrow(refused)
    expect(() => readAs(10_001, [10_001, gid + 1], 0o440)).toThrow(refused)
    expect(() => readAs(0, [gid], 0o440)).toThrow(refused)
    chownSync(path, 10_002, gid)
    expect(() => readAs(10_001, [gid], 0o440)).toThrow(refused)
  },
)

test('a key that is not there, or is none, is said with the setting that names it', () => {
  const unreadable = { code: 'CONFIG_UNREADABLE', message: expect.stringContaining('admission.poolKey') }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(unreadable))
  writeFileSync(path, 'not a key', { mode: 0o600 })
  const wrong = { code: 'CONFIG_KEY', message: expect.stringContaining(path) }
  expect(() => readPrivateKey(path, 'admission.poolKey')).toThrow(expect.objectContaining(wrong))
})
