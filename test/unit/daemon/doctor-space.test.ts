/** Which disks `doctor` looks at: the node's folders may lie on several. */
import { type Stats, type StatsFs, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkSpace } from '../../../src/daemon/doctor/store.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, stat: vi.fn(real.stat), statfs: vi.fn(real.statfs) }
})

const MIB = 1024 * 1024

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-space-'))
  for (const name of ['data', 'floors', 'files']) await mkdir(join(dir, name))
})
afterEach(async () => {
  vi.mocked(stat).mockReset()
  vi.mocked(statfs).mockReset()
  await rm(dir, { recursive: true })
})

const inDir = (name: string): string => join(dir, name)
const config = (floors: string, files: string): NodeConfig =>
  ({ data: inDir('data'), floorDir: inDir(floors), materialize: { dir: inDir(files) } }) as NodeConfig

/** Folders on disks of their own; those that are not named are on the first of all. */
function onDisks(disks: Readonly<Record<string, { mib: number; ffree?: number; blocks?: number }>>): void {
  vi.mocked(stat).mockImplementation(async (path) => {
    const disk = Object.keys(disks).findIndex((name) => String(path) === inDir(name))
    return { ...statSync(path), dev: disk + 1 } as Stats
  })
  vi.mocked(statfs).mockImplementation(async (path) => {
    const {
      mib,
      ffree = 1_000_000,
      blocks = 20_000,
    } = disks[String(path).slice(dir.length + 1)] ?? { mib: 10_000 }
    return { blocks, bavail: mib, bsize: MIB, files: 1_000_000, ffree } as StatsFs
  })
}

test('the disk of the files is full while that of the data has room: each is told by its folder', async () => {
  onDisks({ files: { mib: 3 } })
  expect(await checkSpace(config('floors', 'files'))).toMatchObject([
    { check: 'disk space', ok: true, text: `${inDir('data')}: 10000 MiB free` },
    { check: 'disk space', ok: false, text: `${inDir('files')}: 3 MiB free` },
  ])
})

test('so is that of the floors, and one on which no more files fit', async () => {
  onDisks({ floors: { mib: 700, ffree: 12 }, files: { mib: 512 } })
  expect(await checkSpace(config('floors', 'files'))).toMatchObject([
    { ok: true, text: `${inDir('data')}: 10000 MiB free` },
    { ok: false, text: `${inDir('floors')}: 12 more files fit` },
    { ok: true, text: `${inDir('files')}: 512 MiB free` },
  ])
})

test('a file system that has no size is not full; one on which no more files fit is', async () => {
  onDisks({ data: { mib: 0, blocks: 0 }, floors: { mib: 0, blocks: 0, ffree: 12 } })
  expect(await checkSpace(config('floors', 'data'))).toMatchObject([
    { ok: true, text: `${inDir('data')}: unknown how much is free` },
    { ok: false, text: `${inDir('floors')}: 12 more files fit` },
  ])
})

test('little is enough where no store lies: floors and files are often on a small disk of their own', async () => {
  onDisks({ floors: { mib: 40 }, files: { mib: 60 } })
  expect(await checkSpace(config('floors', 'files'))).toMatchObject([
    { ok: true },
    { ok: true },
    { ok: true },
  ])
  onDisks({ data: { mib: 500 }, floors: { mib: 40 } })
  expect(await checkSpace(config('floors', 'data'))).toMatchObject([{ ok: false }, { ok: true }])
})

test('folders on one disk, also those that are made at the first start, are told once', async () => {
  const data = inDir('data')
  const told = [{ ok: true, text: expect.stringContaining(`${data}: `) }]
  expect(await checkSpace(config('data/floor', 'data/files/yet/to/come'))).toMatchObject(told)
  expect(await checkSpace({ data } as NodeConfig)).toMatchObject(told)
})
