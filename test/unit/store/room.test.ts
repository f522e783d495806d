/** Whether a disk has room, as the file system says it, and as it takes bytes. */
import type { StatsFs } from 'node:fs'
import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { demandRoom, probeFolder } from '../../../src/store/database.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, statfs: vi.fn(real.statfs) }
})

const disk = (blocks: number, bavail: number): void =>
  void vi.mocked(statfs).mockResolvedValue({ blocks, bavail, bsize: 4096 } as StatsFs)

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-room-'))
})
afterEach(async () => {
  vi.mocked(statfs).mockReset()
  await rm(dir, { recursive: true })
})

test('a disk with too few bytes left has no room, and is not tried', async () => {
  disk(1_000, 2)
  await expect(demandRoom(dir, 2 * 4096)).resolves.toBeUndefined()
  await expect(demandRoom(dir, 2 * 4096 + 1)).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(probeFolder(dir, 10_000)).rejects.toMatchObject({ code: 'ENOSPC' })
})

test('of a small disk a share of it is enough', async () => {
  disk(1_000, 125)
  await expect(demandRoom(dir, 64 * 1024 * 1024, 1 / 8)).resolves.toBeUndefined()
  disk(1_000, 124)
  await expect(demandRoom(dir, 64 * 1024 * 1024, 1 / 8)).rejects.toMatchObject({ code: 'ENOSPC' })
  disk(1_000_000, 16_383)
  await expect(demandRoom(dir, 64 * 1024 * 1024, 1 / 8)).rejects.toMatchObject({ code: 'ENOSPC' })
})

test('one that says of all that it is 0, such as a tmpfs without a size, has what it takes', async () => {
  disk(0, 0)
  await expect(demandRoom(dir, 10_000)).resolves.toBeUndefined()
  await expect(probeFolder(dir, 10_000)).resolves.toBeUndefined()
  expect(await readdir(dir)).toEqual([])
})
