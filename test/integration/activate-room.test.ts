/** A tree that does not fit on its disk: nothing of it is written. */
import type { StatsFs } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { failedOutcome } from '../../src/activate/errors.ts'
import { type Apart, Gate } from '../../src/activate/gate.ts'
import { buildTree } from '../../src/activate/tree.ts'
import { sha256 } from '../../src/codec/digest.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, statfs: vi.fn(real.statfs) }
})

const MIB = 1024 * 1024
const [EXT4, XFS, BTRFS] = [0xef53, 0x58465342, 0x9123683e]
const { signal } = new AbortController()
const ownership = { mode: undefined, gid: undefined }
const unread = () => Promise.reject(new Error('nothing is read of it'))
const store = { readBlock: unread, readEnvelope: unread }
/** As large as its list says; what is written of it here is nothing. */
const file = (path: string, mib: number) => {
  const [mode, size, digest] = [0o444 as const, mib * MIB, sha256(new Uint8Array())]
  return { path, mode, size, digest, blocks: [] }
}

let releases: string
beforeEach(async () => {
  releases = await mkdtemp(join(tmpdir(), 'confmesh-fits-'))
})
afterEach(async () => {
  vi.mocked(statfs).mockReset()
  await rm(releases, { recursive: true })
})

/** @param last there is a tree before, of which all but `changed` stays */
async function built(type: number, freeMib: number, last: boolean, blocks = 1_000_000): Promise<string> {
  vi.mocked(statfs).mockResolvedValue({ type, blocks, bavail: freeMib * 256 + 1, bsize: 4096 } as StatsFs)
  const files = [file('changed', 100), file('same', 200)]
  if (last) await mkdir(join(releases, 'last'), { recursive: true })
  const before = await readdir(releases)
  const plan = {
    releases,
    name: 'tree',
    last: last ? 'last' : undefined,
    changed: new Set(['changed']),
    ...{ files, ownership, stop: signal },
  }
  try {
    await new Gate(2).within((apart) => buildTree(store, plan, apart, signal))
    await rm(join(releases, 'tree'), { recursive: true })
    return 'built'
  } catch (error) {
    expect(await readdir(releases)).toEqual(before)
    const { code, text } = failedOutcome(error, releases)
    return `${code} ${text.replace(releases, 'DIR')}`
  }
}
const full = 'STORE_FULL DIR: no room for the release (ENOSPC); free space'

test.each([
  ['a first tree', XFS, false, 316],
  ['a tree of which most is as it was, where no file is cloned', EXT4, true, 316],
  ['and where what is as it was is cloned', XFS, true, 116],
])('%s is begun only where it fits, and 16 MiB beside it', async (_, type, last, mib) => {
  expect(await built(type, mib, last)).toBe('built')
  expect(await built(type, mib - 1, last)).toBe(full)
})

test('of a small disk an eighth is enough beside it', async () => {
  // 120 MiB
  expect(await built(XFS, 115, true, 30_720)).toBe('built')
  expect(await built(XFS, 114, true, 30_720)).toBe(full)
})

test.each([
  ['that may compress what is written', BTRFS, 1_000_000],
  ['that has no size', EXT4, 0],
])('on a file system %s it is tried', async (_, type, blocks) => {
  expect(await built(type, 0, false, blocks)).toBe('built')
})

test.each([
  // 8,192 files and their folders, of one byte each: 32 MiB of either
  ['bytes', { freeMib: 80, ffree: 1e6 }, { freeMib: 79, ffree: 1e6 }],
  ['inodes', { freeMib: 1_000, ffree: 17_409 }, { freeMib: 1_000, ffree: 17_408 }],
])('of many tiny files it is looked what they take on the disk: %s', async (_, fits, tooFew) => {
  const files = Array.from({ length: 8_192 }, (_, at) => ({ ...file(`d${at}/f`, 0), size: 1 }))
  const tried = async ({ freeMib, ffree }: typeof fits): Promise<string> => {
    const of = { type: EXT4, blocks: 1e6, bavail: freeMib * 256 + 1, bsize: 4096, files: 1e6, ffree }
    vi.mocked(statfs).mockResolvedValue(of as StatsFs)
    const plan = { releases, name: 'tree', last: undefined, changed: new Set<string>() }
    const stopped = AbortSignal.abort(new Error('it fits'))
    const build = (apart: Apart) =>
      buildTree(store, { ...plan, files, ownership, stop: signal }, apart, stopped)
    return new Gate(2).within(build).then(
      () => 'built',
      (error) => failedOutcome(error, 'DIR').text,
    )
  }
  expect([await tried(fits), await tried(tooFew), await readdir(releases)]).toEqual([
    'DIR: it fits',
    full.replace('STORE_FULL ', ''),
    [],
  ])
})

test('a small one is tried on any disk, and nothing is asked', async () => {
  vi.mocked(statfs).mockResolvedValue({ type: EXT4, blocks: 1_000, bavail: 0, bsize: 4096 } as StatsFs)
  const files = [file('a', 15)]
  const of = { last: undefined, changed: new Set<string>(), files, ownership }
  const plan = { releases, name: 'tree', ...of, stop: signal }
  await new Gate(2).within((apart) => buildTree(store, plan, apart, signal))
  expect(await readdir(releases)).toEqual(['tree'])
  expect(statfs).not.toHaveBeenCalled()
})
