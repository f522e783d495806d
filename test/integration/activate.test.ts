import {
  chmod,
  chown,
  cp,
  link,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { ChannelFolder } from '../../src/activate/channel-folder.ts'
import type { ContentStore } from '../../src/activate/read-manifest.ts'
import type { NodeConfig } from '../../src/daemon/config.ts'
import { makeFolders } from '../../src/daemon/folders.ts'
import { LIMITS } from '../../src/limits.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

const same = { path: 'etc/same.conf', content: 'the same in all\n' }
const releaseOf = (counter: number, more: Parameters<typeof makeRelease>[1] = []): TestRelease =>
  makeRelease(counter, [same, { path: 'app.yaml', content: `version: ${counter}\n` }, ...more])
const first = releaseOf(1, [{ path: 'bin/run', content: '#!/bin/sh\n', mode: 0o555 }])
const second = releaseOf(2, [{ path: 'big.txt', content: 'block after block '.repeat(500) }])
const third = releaseOf(3)
const fourth = releaseOf(4)
const all = [first, second, third, fourth]

const benches: ActivateBench[] = []
const started = async (releases: readonly TestRelease[] = all): Promise<ActivateBench> => {
  const bench = await ActivateBench.start(releases)
  benches.push(bench)
  return bench
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.cleanUp()
})
const contentOf = (release: TestRelease): Record<string, string> =>
  Object.fromEntries(release.files.map(({ path, content }) => [path, content]))

describe('trees', () => {
  test('a release appears whole, with its modes, and says what changed', async () => {
    const bench = await started()
    bench.restarted({ hooks: [{ channels: ['**'], command: ['/bin/true'], timeoutMs: 20_000 }] })
    expect(await bench.activate(first)).toEqual({ kind: 'healthy', changed: 3 })
    expect(await bench.visible()).toEqual(contentOf(first))
    expect((await lstat(bench.path('current', 'app.yaml'))).mode & 0o777).toBe(0o444)
    expect((await lstat(bench.path('current', 'bin/run'))).mode & 0o777).toBe(0o555)
    expect(await bench.activate(second, first)).toEqual({ kind: 'healthy', changed: 3 })
    expect(await bench.visible()).toEqual(contentOf(second))
    const told = await new ChannelFolder(bench.dir, second.channel).readChanged()
    expect(told).toEqual(['app.yaml', 'big.txt', 'bin/run'])
  })

  test('trees share no inode', async () => {
    const bench = await started()
    await bench.activate(first)
    await bench.activate(second, first)
    const inodes = await Promise.all(
      (await bench.trees()).map(async (tree) => (await lstat(bench.path('.releases', tree, same.path))).ino),
    )
    expect(new Set(inodes).size).toBe(2)
  })

  test('an unchanged file that was edited in the last tree does not come over', async () => {
    const bench = await started()
    await bench.activate(first)
    const edited = bench.path('current', same.path)
    await chmod(edited, 0o644)
    await writeFile(edited, 'the SAME in all\n')
    await bench.activate(second, first)
    expect(await bench.visible()).toEqual(contentOf(second))
  })

  test('the two trees before the active one stay, older ones go', async () => {
    const bench = await started()
    for (const [at, release] of all.entries()) await bench.activate(release, all[at - 1])
    expect(await bench.trees()).toEqual([second.id, third.id, fourth.id].toSorted())
  })

  test('configured mode: an x beside each r for what is to run', async () => {
    const bench = await started()
    bench.restarted({ mode: '0440', group: process.getegid?.() ?? 0 })
    await bench.activate(first)
    expect((await lstat(bench.path('current', 'app.yaml'))).mode & 0o777).toBe(0o440)
    expect((await lstat(bench.path('current', 'bin/run'))).mode & 0o777).toBe(0o550)
  })

  test('a group that does not exist is a configuration error', async () => {
    const bench = await started()
    await expect(bench.restarted({ group: 'no-such-group' }).start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})

describe('applications of other users', () => {
  const before = process.umask()
  afterEach(() => void process.umask(before))
  const modeOf = async (path: string): Promise<number> => (await lstat(path)).mode & 0o7777

  test('may read every folder that the node made, whatever its umask', async () => {
    const bench = await started()
    process.umask(0o027)
    const kept = join(bench.dir, 'kept')
    await mkdir(kept)
    const dir = join(kept, 'above', 'files')
    bench.restarted({ dir })
    expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
    const tree = join(dir, first.channel, '.releases', first.id)
    for (const path of [join(kept, 'above'), dir, join(dir, first.channel), tree, join(tree, 'etc')])
      expect([path, await modeOf(path)]).toEqual([path, 0o755])
    // What was there before is its owner's to open.
    expect(await modeOf(kept)).toBe(0o750)
  })

  test('may read the folder where the daemon makes it, and not the second copy of the floor', async () => {
    const bench = await started()
    process.umask(0o027)
    const dir = join(bench.dir, 'above', 'files')
    const [data, floorDir] = [join(bench.dir, 'data'), join(bench.dir, 'floor')]
    await makeFolders({ data, materialize: { dir }, floorDir } as NodeConfig)
    expect(await modeOf(dir)).toBe(0o755)
    expect(await modeOf(join(bench.dir, 'above'))).toBe(0o755)
    expect(await modeOf(floorDir)).toBe(0o750)
    await makeFolders({ data, materialize: { dir: join(data, 'files') } } as NodeConfig)
    expect(await modeOf(data)).toBe(0o750)
  })
})

describe('all or nothing', () => {
  test('a block that is gone changes nothing and leaves nothing behind', async () => {
    const bench = await started()
    await bench.activate(first)
    const block = [...second.blocks.keys()].find((digest) => !first.blocks.has(digest))
    if (block !== undefined) bench.store.disk.damageBlock(block)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'CONTENT_GONE' })
    expect(await bench.visible()).toEqual(contentOf(first))
    expect(await bench.trees()).toEqual([first.id])
    expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
  })

  test('a read that fails at any block: nothing half, and the next try succeeds', async () => {
    const bench = await started()
    await bench.activate(first)
    for (let failAt = 1; failAt <= 4; failAt++) {
      let reads = 0
      const full: ContentStore = {
        readEnvelope: (release) => bench.store.readEnvelope(release),
        async readBlock(digest) {
          if (second.blocks.has(digest) && ++reads === failAt + 1)
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
          return bench.store.readBlock(digest)
        },
      }
      bench.restarted({ store: full })
      expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'STORE_FULL' })
      expect(await bench.trees()).toEqual([first.id])
      expect(await bench.visible()).toEqual(contentOf(first))
    }
    bench.restarted()
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  })

  test('half a tree of a killed run is removed', async () => {
    const bench = await started()
    await bench.activate(first)
    await mkdir(bench.path('.releases', `.new-${second.id}`, 'etc'), { recursive: true })
    bench.restarted()
    await bench.activate(second, first)
    expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
    expect(await bench.visible()).toEqual(contentOf(second))
  })
})

test("a link and notes that a killed run left aside are in nobody's way", async () => {
  const bench = await started()
  await bench.activate(first)
  await symlink('.releases/elsewhere', bench.path('.current.new'))
  await writeFile(bench.path('.releases', 'trees.json.new'), 'half')
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  expect(await bench.visible()).toEqual(contentOf(second))
})

describe('what cannot be removed', () => {
  /** A path longer than the system takes, in two halves, stands for what belongs to another user. */
  const half = Array.from({ length: 10 }, () => 'd'.repeat(250))
  const nest = async (bench: ActivateBench, path: string): Promise<void> => {
    await mkdir(join(path, ...half), { recursive: true })
    await mkdir(join(bench.dir, ...half), { recursive: true })
    await rename(join(bench.dir, 'd'.repeat(250)), join(path, ...half, 'below'))
  }
  const unnest = async (bench: ActivateBench, path: string): Promise<void> =>
    rename(join(path, ...half, 'below'), join(bench.dir, 'below'))
  const leftovers = (bench: ActivateBench): readonly string[] =>
    bench.notes.filter(({ code }) => code === 'ACTIVATE_LEFTOVER').map(({ text }) => text)

  test('an old tree blocks nothing, is told, and goes with the next activation that can', async () => {
    const bench = await started()
    for (const [at, release] of [first, second, third].entries()) await bench.activate(release, all[at - 1])
    const cache = bench.path('.releases', first.id, 'bin', '__pycache__')
    await nest(bench, cache)
    const out = join(bench.dir, 'out')
    bench.restarted({ hooks: [{ channels: ['**'], command: ['/bin/touch', out], timeoutMs: 20_000 }] })
    expect(await bench.activate(fourth, third)).toMatchObject({ kind: 'healthy' })
    expect(await bench.visible()).toEqual(contentOf(fourth))
    expect((await lstat(out)).isFile()).toBe(true)
    const left = (await readdir(bench.path('.releases'))).find((name) => name.startsWith('.new-')) ?? ''
    expect(left).toContain(first.id)
    expect(leftovers(bench)).toEqual([expect.stringContaining(bench.path('.releases', left))])
    expect(await bench.trees()).toEqual([second.id, third.id, fourth.id].toSorted())
    await unnest(bench, bench.path('.releases', left, 'bin', '__pycache__'))
    expect(await bench.activate(third, fourth, true)).toMatchObject({ kind: 'healthy' })
    expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
  })

  test('half a tree of a killed run blocks nothing either', async () => {
    const bench = await started()
    await bench.activate(first)
    const unfinished = bench.path('.releases', `.new-${second.id}`)
    await nest(bench, unfinished)
    bench.restarted()
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
    expect(leftovers(bench)).toEqual([expect.stringContaining(unfinished)])
    await unnest(bench, unfinished)
    await bench.activate(third, second)
    expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
    expect(leftovers(bench)).toHaveLength(1)
  })
})

test.each([0, 0.5, -1])('with %d files at a time there is still one', async (maxParallelFiles) => {
  const bench = await started()
  bench.restarted({ limits: { ...LIMITS, maxParallelFiles } })
  expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
  expect(await bench.visible()).toEqual(contentOf(first))
})

describe('drift', () => {
  const drifts: Readonly<Record<string, (bench: ActivateBench) => Promise<void>>> = {
    'a flipped bit': async (bench) => {
      await chmod(bench.path('current', 'app.yaml'), 0o644)
      await writeFile(bench.path('current', 'app.yaml'), 'version: 9\n')
      await chmod(bench.path('current', 'app.yaml'), 0o444)
    },
    'a removed file': (bench) => rm(bench.path('current', 'app.yaml')),
    'an added file': (bench) => writeFile(bench.path('current', 'extra'), ''),
    'another mode': (bench) => chmod(bench.path('current', 'app.yaml'), 0o666),
    'another mode of a folder': (bench) => chmod(bench.path('current', 'etc'), 0o700),
    'another mode of the tree': (bench) => chmod(bench.path('.releases', first.id), 0o700),
    'a link in place of a file': async (bench) => {
      await rm(bench.path('current', 'app.yaml'))
      await symlink('/etc/passwd', bench.path('current', 'app.yaml'))
    },
    'a second name of the inode': (bench) =>
      link(bench.path('current', 'app.yaml'), join(bench.dir, 'second-name')),
  }
  test.each(Object.entries(drifts))('%s is found at start and built anew beside it', async (_, change) => {
    const bench = await started()
    await bench.activate(first)
    await change(bench)
    bench.restarted()
    expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
    expect(bench.codes()).toContain('ACTIVATE_DRIFT')
    expect(await bench.tree()).toBe(`${first.id}.1`)
    expect(await bench.visible()).toEqual(contentOf(first))
    expect((await lstat(bench.path('current', 'app.yaml'))).mode & 0o777).toBe(0o444)
  })

  test('nothing changed: nothing is touched', async () => {
    const bench = await started()
    await bench.activate(first)
    bench.restarted()
    expect(await bench.restore(first)).toEqual({ kind: 'healthy', changed: 0 })
    expect(bench.codes()).toEqual([])
    expect(await bench.tree()).toBe(first.id)
  })

  test('an older tree is checked before it is shown again', async () => {
    const bench = await started()
    await bench.activate(first)
    await bench.activate(second, first)
    const old = bench.path('.releases', first.id, 'app.yaml')
    await chmod(old, 0o644)
    await writeFile(old, 'version: 9\n')
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    expect(await bench.tree()).toBe(`${first.id}.1`)
    expect(await bench.visible()).toEqual(contentOf(first))
  })

  test('stopped between the swap and its record: the newer tree stays in sight', async () => {
    const bench = await started()
    await bench.activate(first)
    await bench.activate(second, first)
    bench.restarted()
    expect(await bench.restore(first, second)).toEqual({ kind: 'healthy', changed: 0 })
    expect(await bench.visible()).toEqual(contentOf(second))
    expect(bench.codes()).toEqual([])
  })

  test('a newer tree that stays in sight is checked as well', async () => {
    const bench = await started()
    await bench.activate(first)
    await bench.activate(second, first)
    await writeFile(bench.path('current', 'extra'), '')
    bench.restarted()
    expect(await bench.restore(first, second)).toEqual({ kind: 'healthy', changed: 0 })
    expect(bench.codes()).toEqual(['ACTIVATE_DRIFT'])
    expect(await bench.visible()).toEqual(contentOf(second))
  })

  test('a newer tree that the store lost stays in sight as it is', async () => {
    const bench = await started()
    await bench.activate(first)
    await bench.activate(second, first)
    for (const digest of second.blocks.keys())
      if (!first.blocks.has(digest)) bench.store.disk.damageBlock(digest)
    bench.restarted()
    expect(await bench.restore(first, second)).toEqual({ kind: 'healthy', changed: 0 })
    expect(bench.codes()).toEqual(['CONTENT_GONE'])
    expect(await bench.visible()).toEqual(contentOf(second))
  })

  const foreign = 'f'.repeat(64)
  const others: Readonly<Record<string, (bench: ActivateBench) => Promise<unknown>>> = {
    'the folder of a backup': async (bench) => {
      await rm(bench.path(), { recursive: true })
      await cp(join(bench.dir, 'backup'), bench.path(), { recursive: true, verbatimSymlinks: true })
    },
    'a tree of nobody': async (bench) => {
      await mkdir(bench.path('.releases', foreign))
      await writeFile(bench.path('.releases', foreign, 'app.yaml'), 'version: 9\n')
      await showTree(bench, foreign)
    },
    'no tree': (bench) => showTree(bench, foreign),
    'a tree of its own that is gone': (bench) => rm(bench.path('.releases', second.id), { recursive: true }),
  }
  const showTree = async (bench: ActivateBench, tree: string): Promise<void> => {
    await rm(bench.path('current'))
    await symlink(`.releases/${tree}`, bench.path('current'))
  }
  test.each(Object.entries(others))('%s in sight at start gives way to what is active', async (_, change) => {
    const bench = await started()
    await bench.activate(first)
    await cp(bench.path(), join(bench.dir, 'backup'), { recursive: true, verbatimSymlinks: true })
    await bench.activate(second, first)
    await change(bench)
    bench.restarted()
    expect(await bench.restore(second)).toMatchObject({ kind: 'healthy' })
    expect(await bench.visible()).toEqual(contentOf(second))
  })

  test('a link to no tree shows nothing', async () => {
    const bench = await started()
    await bench.activate(first)
    expect(await bench.activator.shown(first.channel)).toBe(first.id)
    await showTree(bench, foreign)
    expect(await bench.activator.shown(first.channel)).toBeUndefined()
  })
})

describe('a folder others may change', () => {
  const dangers: Readonly<Record<string, (bench: ActivateBench) => Promise<void>>> = {
    'writable by everyone': (bench) => chmod(bench.dir, 0o777),
    'a channel folder writable by everyone': (bench) => chmod(bench.path(), 0o777),
    'a channel folder of another user': (bench) => chown(bench.path(), 12345, 12345),
    'a channel folder swapped for a link': async (bench) => {
      await rename(bench.path(), `${bench.path()}-moved`)
      await symlink(`${bench.path()}-moved`, bench.path())
    },
    'the folder of trees swapped for a link': async (bench) => {
      await rename(bench.path('.releases'), bench.path('moved'))
      await symlink('moved', bench.path('.releases'))
    },
    'current is no link': async (bench) => {
      await rm(bench.path('current'))
      await mkdir(bench.path('current'))
    },
  }
  const listing = async ({ dir }: ActivateBench) => (await readdir(dir, { recursive: true })).sort()
  test.each(Object.entries(dangers))('%s: refused before anything is written', async (_, change) => {
    const bench = await started()
    await bench.activate(first)
    await change(bench)
    const before = await listing(bench)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'ACTIVATE_UNSAFE_DIR' })
    bench.restarted()
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'ACTIVATE_UNSAFE_DIR' })
    expect(await listing(bench)).toEqual(before)
  })
})
