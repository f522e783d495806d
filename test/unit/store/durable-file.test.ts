/** Where a file is written aside, whatever is there already is somebody else's. */
import { constants } from 'node:fs'
import { link, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ASIDE, writeAside } from '../../../src/store/durable-file.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, rm: vi.fn(real.rm), open: vi.fn(real.open) }
})

let dir: string
let outside: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-aside-'))
  outside = join(dir, 'outside')
  await writeFile(outside, 'of somebody else', { mode: 0o600 })
})
afterEach(async () => {
  vi.mocked(rm).mockReset()
  vi.mocked(open).mockReset()
  await rm(dir, { recursive: true, force: true })
})

const bytes = new TextEncoder().encode('floor')

test.each([
  ['a link', symlink],
  ['a second name', link],
])('%s of a file outside that lies there from before goes', async (_, put) => {
  const path = join(dir, 'floor')
  await put(outside, `${path}${ASIDE}`)
  await (await writeAside(path, bytes)).show()
  expect(await readFile(path, 'utf8')).toBe('floor')
  expect(await readFile(outside, 'utf8')).toBe('of somebody else')
})

test.each([
  ['a link', symlink],
  ['a second name', link],
])('%s of a file outside put there in between: refused, and nothing of it written', async (_, put) => {
  const path = join(dir, 'floor')
  await put(outside, `${path}${ASIDE}`)
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  vi.mocked(rm).mockImplementationOnce(async (aside, options) => {
    await real.rm(aside, options)
    await put(outside, String(aside))
  })
  await expect(writeAside(path, bytes)).rejects.toMatchObject({ code: 'EEXIST' })
  expect(await readFile(outside, 'utf8')).toBe('of somebody else')
  expect((await stat(outside)).mode & 0o7777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['outside'])
})

test('its bytes are on disk before it is shown: synced, or written through', async () => {
  const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  const made: string[] = []
  vi.mocked(open).mockImplementationOnce(async (path, flags, mode) => {
    const handle = await real.open(path, flags, mode)
    const sync = handle.sync.bind(handle)
    const writesThrough = process.platform === 'linux' && (Number(flags) & constants.O_DSYNC) !== 0
    if (writesThrough) made.push('durable')
    handle.sync = () => {
      made.push('durable')
      return sync()
    }
    return handle
  })
  const aside = await writeAside(join(dir, 'floor'), bytes)
  expect(made).toEqual(['durable'])
  expect(await readdir(dir)).toEqual([`floor${ASIDE}`, 'outside'])
  await aside.show()
  expect(await readFile(join(dir, 'floor'), 'utf8')).toBe('floor')
})
