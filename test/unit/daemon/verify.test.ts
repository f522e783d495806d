/** What cannot be looked at is not said to be absent, and what was not looked at is not said to be sound. */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/verify.ts'
import { verifyData } from '../../../src/daemon/verify.ts'
import { LIMITS } from '../../../src/limits.ts'
import { LevelStore } from '../../../src/store/level.ts'
import { FLEET } from '../../contract/store-fixtures.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, stat: vi.fn(real.stat), readdir: vi.fn(real.readdir) }
})

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'confmesh-verify-'))
})
afterEach(async () => {
  vi.mocked(stat).mockReset()
  vi.mocked(readdir).mockReset()
  vi.restoreAllMocks()
  await rm(data, { recursive: true })
})

async function lived(floorDir = join(data, 'floor', FLEET.slice(0, 8))): Promise<void> {
  const store = new LevelStore({
    dir: join(data, 'store'),
    floorDir,
    fleetId: FLEET,
    limits: LIMITS,
    log: { note: () => {} },
  })
  await store.open()
  await store.load()
  await store.close()
}
const failing = (code: string) => () => Promise.reject(Object.assign(new Error(`${code}: as told`), { code }))

test.each([
  ['EACCES', { code: 'USAGE', message: expect.stringContaining("run this as the node's user") }],
  ['EIO', { code: 'STORE_FAILED', message: expect.stringContaining('EIO') }],
  ['ENOENT', { code: 'STORE_MISSING' }],
  ['ENOTDIR', { code: 'STORE_MISSING' }],
])('a store that gives %s when it is looked at', async (code, said) => {
  if (code.startsWith('ENO')) {
    if (code === 'ENOTDIR') await writeFile(join(data, 'store'), '')
  } else {
    await lived()
    vi.mocked(stat).mockImplementationOnce(failing(code))
  }
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject(said)
})

test.each([
  ['EACCES', 'USAGE'],
  ['EIO', 'STORE_FAILED'],
])('a folder of floors that gives %s is not taken for none', async (code, said) => {
  await lived()
  vi.mocked(readdir).mockImplementationOnce(failing(code))
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject({ code: said })
})

test('the files of a store that cannot be listed are not taken for sound', async () => {
  await lived()
  // The first listing is that of the floors.
  vi.mocked(readdir)
    .mockImplementationOnce(async () => [])
    .mockImplementationOnce(failing('EIO'))
  await expect(verifyData(data, LIMITS)).rejects.toMatchObject({ code: 'STORE_FAILED' })
})

async function said(): Promise<string> {
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const program = new Command()
  register(program)
  await program.parseAsync(['verify', '--data', data], { from: 'user' })
  return written.mock.calls.map(([text]) => String(text)).join('')
}

test('where the floor lies elsewhere, that it was not looked at is said, and what finds it', async () => {
  await mkdir(join(data, 'elsewhere'))
  await lived(join(data, 'elsewhere'))
  expect(await verifyData(data, LIMITS)).toEqual({ problems: [], floorDir: undefined })
  expect(await said()).toBe(
    `the second copy of the floor was not looked at: none is in ${join(data, 'floor')}; --config finds it\n${data}: sound\n`,
  )
})

test('and nothing of that where it was', async () => {
  await lived()
  expect(await verifyData(data, LIMITS)).toEqual({
    problems: [],
    floorDir: join(data, 'floor', FLEET.slice(0, 8)),
  })
  expect(await said()).toBe(`${data}: sound\n`)
})
