/** Folders on a file system that keeps no modes, such as a stick with exFAT: keys are made for nobody there. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register as init } from '../../../src/cli/commands/init.ts'
import { register as keygen } from '../../../src/cli/commands/keygen.ts'
import { readPrivateKey } from '../../../src/cli/key-files.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { loadConfig } from '../../../src/daemon/config.ts'
import { startNode } from '../../../src/daemon/node.ts'
import { loadOrCreateIdentity } from '../../../src/net/identity.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../trust/fixtures.ts'
import { run } from './run-command.ts'

type Chmod = 'does nothing' | 'fails' | 'works'
/** The mode that it says of each file, whatever was asked for. */
const disk = vi.hoisted(() => ({
  mode: 0o755,
  chmod: 'does nothing' as Chmod,
  /** By inode, where `chmod` works. */
  changed: new Map<number, number>(),
}))
const said = vi.hoisted(() => (file: Stats) => {
  if (file.isFile()) file.mode = (file.mode & ~0o777) | (disk.changed.get(file.ino) ?? disk.mode)
  return file
})

const chmod = vi.hoisted(() => ({ ino }: Stats, mode: number) => {
  if (disk.chmod === 'fails') throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
  if (disk.chmod === 'works') disk.changed.set(ino, mode)
})

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return {
    ...real,
    statSync: (path: string) => said(real.statSync(path)),
    fstatSync: (fd: number) => said(real.fstatSync(fd)),
    fchmodSync: (fd: number, mode: number) => chmod(real.fstatSync(fd), mode),
  }
})
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const open = async (...given: Parameters<typeof real.open>) => {
    const file = await real.open(...given)
    const stat = file.stat.bind(file)
    return Object.assign(file, {
      stat: async () => said(await stat()),
      chmod: async (mode: number) => chmod(await stat(), mode),
    })
  }
  return { ...real, open, stat: async (path: string) => said(await real.stat(path)) }
})

const { platform } = process
let dir: string
const at = (name: string): string => join(dir, name)
beforeEach(() => {
  Object.assign(disk, { mode: 0o755, chmod: 'does nothing', changed: new Map() })
  dir = mkdtempSync(join(tmpdir(), 'confmesh-no-modes-'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  Object.defineProperty(process, 'platform', { value: platform })
  rmSync(dir, { recursive: true, force: true })
})

/** None has a byte of a key in it, and no name is taken. */
const files = (): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)

const refused = (path: string, mode = '0755') => ({
  code: 'CONFIG_KEY_MODE',
  message: `cannot write ${at(path)} as a key: this file system keeps no modes, the file has ${mode} and others could use it; name a folder on one that keeps them`,
})

test.each(['does nothing', 'fails'])('keygen refuses and leaves nothing where chmod %s', async (chmod) => {
  Object.assign(disk, { mode: 0o770, chmod })
  await expect(run(keygen, 'keygen', '--out', at('ops.key'))).rejects.toMatchObject(
    refused('ops.key', '0770'),
  )
  expect(readdirSync(dir)).toEqual([])
})

test('init refuses and leaves no key', async () => {
  await expect(run(init, 'init', at('fleet'))).rejects.toMatchObject(refused('fleet/seed/identity.key'))
  expect(files()).toEqual([])
})

test('the first start refuses, not the second, and leaves no key', async () => {
  const root = encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys))
  writeFileSync(at('root.json'), root)
  writeFileSync(at('node.yaml'), 'root: root.json\ndata: data\nlisten: [/ip4/127.0.0.1/tcp/0]\n')
  const config = loadConfig(at('node.yaml'), {}, new Map())
  for (const how of ['does nothing', 'fails']) {
    Object.assign(disk, { chmod: how })
    await expect(startNode(config, '0.0.0'), how).rejects.toMatchObject(refused('data/identity.key'))
    expect(files().sort()).toEqual(['node.yaml', 'root.json'])
  }
})

test('a mount where chmod fails and each file has 0600 gets a key at the first start', async () => {
  Object.assign(disk, { mode: 0o600, chmod: 'fails' })
  const made = await loadOrCreateIdentity(at('data'))
  expect(readFileSync(at('data/identity.key'), 'utf8')).toBe(made.pem)
  expect(await loadOrCreateIdentity(at('data'))).toEqual(made)
})

test('a right that is inherited from the folder and can be taken is no reason to refuse', async () => {
  disk.chmod = 'works'
  await run(keygen, 'keygen', '--out', at('ops.key'))
  expect(disk.changed.get(statSync(at('ops.key')).ino)).toBe(0o600)
  expect(readPrivateKey(at('ops.key')).public.id).toMatch(/^[0-9a-f]{64}$/)
})

test('on Windows, where modes mean nothing, keys are made', async () => {
  Object.defineProperty(process, 'platform', { value: 'win32' })
  await run(keygen, 'keygen', '--out', at('ops.key'))
  await run(init, 'init', at('fleet'))
  expect(readFileSync(at('ops.key'), 'utf8')).toMatch(/PRIVATE KEY/)
  expect(files()).toContain('identity.key')
})
