/** `add-seed` that fails after its keys are made: what stays of the new folder. */
import {
  appendFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/add-seed.ts'
import { register as registerInit } from '../../../src/cli/commands/init.ts'
import { makeEmptyFolder } from '../../../src/cli/files.ts'
import { readRoot } from '../../../src/cli/root-files.ts'
import { applyChange } from '../../../src/cli/trust-change.ts'
import { loadConfig } from '../../../src/daemon/config.ts'
import { MeshError } from '../../../src/errors.ts'
import { run } from './run-command.ts'

vi.mock('../../../src/cli/trust-change.ts', async (original) => {
  const real = await original<typeof import('../../../src/cli/trust-change.ts')>()
  return { ...real, applyChange: vi.fn(real.applyChange) }
})

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, fsyncSync: vi.fn(real.fsyncSync), linkSync: vi.fn(real.linkSync) }
})

vi.mock('../../../src/cli/files.ts', async (original) => {
  const real = await original<typeof import('../../../src/cli/files.ts')>()
  return { ...real, makeEmptyFolder: vi.fn(real.makeEmptyFolder) }
})

let dir = ''
const at = (...names: string[]): string => join(dir, ...names)
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-add-seed-'))
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockReturnValue(true)
  await run(registerInit, 'init', at('fleet'), '--root-keys', '2', '--root-threshold', '2')
})
afterEach(() => {
  vi.mocked(fsyncSync).mockReset()
  vi.mocked(linkSync).mockReset()
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const addSeed = (...rootKeys: readonly string[]) =>
  run(
    register,
    ...['add-seed', at('new'), '--from', at('fleet/seed.yaml'), '--host', '10.0.0.2'],
    ...['--root', at('fleet/root.json'), ...rootKeys.flatMap((key) => ['--root-key', at('fleet', key)])],
  )

const FULL = new MeshError('STORE_FULL', 'the disk is full')

test.each([
  ['holds', ['root-1.key', 'root-2.key'], 2, 'root.json'],
  ['waits for signatures', ['root-1.key'], 1, 'root.2.draft.json'],
] as const)('the key stays that a root names which %s already', async (_, rootKeys, version, file) => {
  const real = vi.mocked(applyChange).getMockImplementation() as typeof applyChange
  vi.mocked(applyChange).mockImplementationOnce(async (...change) => {
    await real(...change)
    throw FULL
  })
  await expect(addSeed(...rootKeys)).rejects.toBe(FULL)
  expect(readRoot(at('fleet/root.json')).root.version).toBe(version)
  expect(readFileSync(at('fleet', file), 'utf8')).not.toBe('')
  expect(readdirSync(at('new/seed'))).toContain('freshness.key')
})

test('before that nothing of it stays, and nothing that somebody else put there goes', async () => {
  vi.mocked(applyChange).mockImplementationOnce(async () => {
    writeFileSync(at('new/notes.txt'), 'mine\n')
    throw FULL
  })
  await expect(addSeed('root-1.key', 'root-2.key')).rejects.toBe(FULL)
  expect(readdirSync(at('new'))).toEqual(['notes.txt'])
})

test('a copy of the key of the pool goes, too, where it was written and its folder could not be synced', async () => {
  const real = vi.mocked(fsyncSync).getMockImplementation() as typeof fsyncSync
  vi.mocked(fsyncSync).mockImplementation((fd) => {
    real(fd)
    const isNew = existsSync(at('new')) && fstatSync(fd).ino === statSync(at('new')).ino
    if (isNew && existsSync(at('new/pool.key'))) throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  await expect(addSeed('root-1.key', 'root-2.key')).rejects.toThrow(/pool\.key.*EIO/)
  expect(readdirSync(at('new'))).toEqual([])
})

test.each([
  ['holds', ['root-1.key', 'root-2.key'], 'root 2 names this seed, and'],
  ['waits for signatures', ['root-1.key'], 'root 2 names this seed once enough have signed it, and'],
] as const)(
  'on a disk that is full at the last file all else is there, of a root that names it and %s, and what to do is said',
  async (_, rootKeys, named) => {
    const real = vi.mocked(linkSync).getMockImplementation() as typeof linkSync
    vi.mocked(linkSync).mockImplementation((from, to) => {
      if (to === at('new/root.json')) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      return real(from, to)
    })
    const said = await addSeed(...rootKeys).catch((error: unknown) => error)
    expect(said).toMatchObject({ code: 'STORE_FULL', details: { version: 2 } })
    expect((said as MeshError).message).toContain(named)
    expect((said as MeshError).message).toContain(`copy ${at('fleet/root.json')} to ${at('new/root.json')}`)
    expect(readdirSync(at('new')).sort()).toEqual(['pool.json', 'pool.key', 'seed', 'seed.yaml'])
  },
)

/** What the first run does comes once the second has found the folder empty. */
function meanwhile(act: () => Promise<void>): void {
  const real = vi.mocked(makeEmptyFolder).getMockImplementation() as typeof makeEmptyFolder
  vi.mocked(makeEmptyFolder).mockImplementationOnce(async (path) => {
    await real(path)
    await act()
  })
}

const filesOf = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'utf8')]),
  )

test('of two that fill one folder at once the one that fails leaves what the other made', async () => {
  let first = {}
  meanwhile(async () => {
    await addSeed('root-1.key')
    first = filesOf(at('new'))
  })
  await expect(addSeed('root-1.key')).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  expect(Object.keys(first)).toEqual(
    expect.arrayContaining([at('new/seed/freshness.key'), at('new/pool.key')]),
  )
  expect(filesOf(at('new'))).toEqual(first)
})

test('what somebody else put there meanwhile stays', async () => {
  meanwhile(async () => writeFileSync(at('new/pool.key'), 'theirs\n'))
  await expect(addSeed('root-1.key')).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  expect(filesOf(at('new'))).toEqual({ [at('new/pool.key')]: 'theirs\n' })
})

test('a seed whose environment sets the limits that its file leaves apart is taken as it runs', async () => {
  appendFileSync(at('fleet/seed.yaml'), 'limits:\n  minDegree: 24\n')
  await addSeed('root-1.key', 'root-2.key')
  expect(readdirSync(at('new'))).toContain('seed.yaml')
  const environment = { CONFMESH_NODE_LIMITS_MAX_DEGREE: '30' }
  expect(loadConfig(at('fleet/seed.yaml'), environment, new Map()).limitsInForce.maxDegree).toBe(30)
})
