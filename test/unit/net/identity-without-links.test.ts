/** A data folder on a file system that has no hard links: the key is made all the same, once and whole. */
import { existsSync, readFileSync } from 'node:fs'
import { link, mkdtemp, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Identity, loadOrCreateIdentity, peerIdOf } from '../../../src/net/identity.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, link: vi.fn(), rename: vi.fn(real.rename), open: vi.fn(real.open) }
})

const failing = (code: string) => Object.assign(new Error(`${code}: from link`), { code })

let dir: string
let path: string
beforeEach(async () => {
  vi.mocked(link).mockReset().mockRejectedValue(failing('EPERM'))
  dir = await mkdtemp(join(tmpdir(), 'confmesh-identity-'))
  path = join(dir, 'identity.key')
})
afterEach(async () => {
  vi.mocked(rename).mockClear()
  vi.mocked(open).mockClear()
  await rm(dir, { recursive: true, force: true })
})

test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK', 'ENOSYS'])(
  '%s from link: made with mode 0600, the same for ever, and nothing else stays',
  async (code) => {
    vi.mocked(link).mockRejectedValue(failing(code))
    const first = await loadOrCreateIdentity(dir)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(dir)).toEqual(['identity.key'])
    expect(await loadOrCreateIdentity(dir)).toEqual(first)
  },
)

test('what is another trouble of link is told as it was', async () => {
  vi.mocked(link).mockRejectedValue(failing('EIO'))
  await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: expect.stringContaining(`cannot write ${path}: EIO`),
  })
  expect(await readdir(dir)).toEqual([])
})

test('a key that another start made since this one looked is the key of both', async () => {
  let other: Identity | undefined
  vi.mocked(link).mockImplementationOnce(async () => {
    other = await loadOrCreateIdentity(dir)
    throw failing('EPERM')
  })
  const own = await loadOrCreateIdentity(dir)
  expect(own).toEqual(other)
  expect(readFileSync(path, 'utf8')).toBe(own.pem)
})

test('of two that start at once one makes the key, the other has the same or is told to start again', async () => {
  const both = await Promise.allSettled([loadOrCreateIdentity(dir), loadOrCreateIdentity(dir)])
  const { pem } = await loadOrCreateIdentity(dir)
  expect(both.some(({ status }) => status === 'fulfilled')).toBe(true)
  for (const one of both)
    if (one.status === 'fulfilled') expect(one.value.pem).toBe(pem)
    else expect(one.reason).toMatchObject({ message: expect.stringContaining('start again') })
  expect(await readdir(dir)).toEqual(['identity.key'])
})

test('while another start makes it, or died over it, the line says what to do, and its lock stays', async () => {
  await writeFile(`${path}.lock`, '')
  await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({
    code: 'CONFIG_UNREADABLE',
    message: `${path}.lock is there: another start is making the key; start again once it has, or remove that file if none runs`,
  })
  expect(await readdir(dir)).toEqual(['identity.key.lock'])
  await rm(`${path}.lock`)
  await loadOrCreateIdentity(dir)
})

test('it bears its name only when it is whole, and no longer than that the lock', async () => {
  const { rename: real } = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')
  const seen: unknown[] = []
  vi.mocked(rename).mockImplementationOnce(async (from, to) => {
    seen.push([existsSync(path), existsSync(`${path}.lock`), peerIdOf(readFileSync(String(from), 'utf8'))])
    await real(from, to)
  })
  const { peerId } = await loadOrCreateIdentity(dir)
  expect(seen).toEqual([[false, true, peerId]])
  // By its name nobody writes it.
  expect(vi.mocked(open).mock.calls.map(([name]) => name)).not.toContain(path)
})

test('a rename that fails leaves neither key nor lock', async () => {
  vi.mocked(rename).mockRejectedValueOnce(failing('EIO'))
  await expect(loadOrCreateIdentity(dir)).rejects.toMatchObject({ code: 'CONFIG_UNREADABLE' })
  expect(await readdir(dir)).toEqual([])
})
