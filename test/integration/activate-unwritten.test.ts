/** The disk takes a tree and then no note of it: what is told is what files show. */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Activator } from '../../src/activate/activator.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

const first = makeRelease(1, [{ path: 'app.yaml', content: '1' }])
const second = makeRelease(2, [{ path: 'app.yaml', content: '2' }])
const third = makeRelease(3, [{ path: 'app.yaml', content: '3' }])
/** Holds what the first does. */
const again = makeRelease(4, [{ path: 'app.yaml', content: '1' }])
let bench: ActivateBench
beforeEach(async () => {
  bench = await ActivateBench.start([first, second, third, again])
})
afterEach(async () => {
  vi.mocked(open).mockReset().mockImplementation(real.open)
  await bench.cleanUp()
})

/** From the time on that this file is opened so often, it cannot be. */
const broken = (path: string, code: string, nth = 1): void => {
  let times = 0
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (at === path && ++times >= nth) throw Object.assign(new Error(`${code}: ${path}`), { code })
    return real.open(at, ...more)
  })
}
const mended = (): void => void vi.mocked(open).mockImplementation(real.open)
const notes = (): string => bench.path('.releases', 'trees.json.new')
const list = (): string => bench.path('.releases', 'changed.new')
const files = async (): Promise<string | undefined> => (await bench.visible())['app.yaml']

/** As after a restart; what hooks were told is read with `heard`. */
const node = (health = 'true'): Activator =>
  bench.restarted({
    hooks: [
      {
        channels: ['**'],
        command: ['/bin/sh', '-c', `cat "$CONFMESH_DIR/app.yaml" >> ${join(bench.dir, 'heard')}`],
        timeoutMs: 20_000,
      },
    ],
    health: { command: ['/bin/sh', '-c', health], timeoutMs: 20_000 },
  })
const heard = (): Promise<string> => readFile(join(bench.dir, 'heard'), 'utf8')
const failsOn = (release: TestRelease): string =>
  `! grep -q ${release.files[0]?.content} "$CONFMESH_DIR/app.yaml"`

describe('what cannot be noted before a tree is shown', () => {
  test.each([
    ['the name of the tree', 'EIO', 'ACTIVATE_FAILED', () => bench.path('.releases')],
    ['the note', 'ENOSPC', 'STORE_FULL', notes],
    ['the note', 'EIO', 'ACTIVATE_FAILED', notes],
    ['the list of changed paths', 'ENOSPC', 'STORE_FULL', list],
  ])('%s, %s: nothing is touched, and it is tried again', async (_, fault, code, path) => {
    node()
    await bench.activate(first)
    broken(path(), fault)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code })
    expect([await files(), await heard()]).toEqual(['1', '1'])
    expect(await node().shown(first.channel)).toBe(first.id)
    mended()
    expect(await bench.activate(second, first)).toEqual({ kind: 'healthy', changed: 1 })
    expect([await files(), await heard()]).toEqual(['2', '12'])
  })

  test.each([
    ['the note', notes],
    ['the list of changed paths', list],
  ])('%s keeps nothing in sight that failed its check', async (_, path) => {
    node(failsOn(second))
    await bench.activate(first)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'unhealthy' })
    broken(path(), 'ENOSPC')
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    expect([await files(), bench.codes()[0]]).toEqual(['1', 'STORE_FULL'])
  })

  test('a start does not keep it in sight either', async () => {
    node(failsOn(second))
    await bench.activate(first)
    await bench.activate(second, first)
    broken(notes(), 'ENOSPC')
    node(failsOn(second))
    expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
    expect(await files()).toBe('1')
  })

  test('hooks of a step back are told of no paths but its own', async () => {
    node(failsOn(second))
    await bench.activate(first)
    await bench.activate(second, first)
    broken(list(), 'ENOSPC')
    await bench.activate(first, second, true)
    await expect(readFile(bench.path('.releases', 'changed'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

test('commands run, too, where it cannot be noted that they do', async () => {
  node()
  broken(bench.path('.releases', 'running.new'), 'ENOSPC')
  expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
  expect([await files(), await heard(), ...bench.codes()]).toEqual(['1', '1', 'STORE_FULL', 'STORE_FULL'])
})

describe('what is durable before a tree is shown', () => {
  /** What lies there whenever the folder of trees is made durable: what is in sight, all names, what is noted. */
  const durable = (): readonly (readonly [string, readonly string[], string])[] => {
    const seen: [string, readonly string[], string][] = []
    vi.mocked(open).mockImplementation(async (at, ...more) => {
      const handle = await real.open(at, ...more)
      if (at !== bench.path('.releases')) return handle
      const sync = handle.sync.bind(handle)
      return Object.assign(handle, {
        sync: async () => {
          const noted = await real.readFile(bench.path('.releases', 'trees.json'), 'utf8').catch(() => '')
          seen.push([await bench.tree(), await bench.trees(), noted])
          return sync()
        },
      })
    })
    return seen
  }

  test('its name and the note of it', async () => {
    await bench.activate(first)
    const seen = durable()
    await bench.activate(second, first)
    expect(seen.map(([shown]) => shown)).toEqual([first.id, first.id])
    expect(seen[0]?.[1]).toEqual([first.id, second.id].toSorted())
    expect(JSON.parse(seen[1]?.[2] ?? '')).toMatchObject({ trees: [second.id, first.id] })
  })

  test('its name, where it is one that the node is ahead with, built anew', async () => {
    await bench.activate(second)
    await real.chmod(bench.path('current', 'app.yaml'), 0o600)
    bench.restarted()
    const seen = durable()
    expect(await bench.restore(first, second)).toMatchObject({ kind: 'healthy' })
    expect(await bench.tree()).toBe(`${second.id}.1`)
    expect(seen[0]?.slice(0, 2)).toEqual([second.id, [second.id, `${second.id}.1`]])
  })

  test('its name, where the tree in sight was removed and is built anew', async () => {
    await bench.activate(second)
    await real.rm(bench.path('.releases', second.id), { recursive: true })
    const seen = durable()
    expect(await bench.activate(second)).toMatchObject({ kind: 'healthy' })
    expect([await files(), seen[0]?.[1]]).toEqual(['2', [second.id]])
  })

  test('and told to hooks, where the tree in sight was removed: what they saw is gone', async () => {
    node()
    await bench.activate(first)
    await bench.activate(again, first)
    expect(await heard()).toBe('1')
    await real.rm(bench.path('.releases', again.id), { recursive: true })
    node()
    expect(await bench.activate(again)).toEqual({ kind: 'healthy', changed: 0 })
    expect([await heard(), bench.codes()]).toEqual(['11', ['ACTIVATE_DRIFT']])
  })

  test('and what was built before it and never shown is gone by then: it may be what fills the disk', async () => {
    node()
    await bench.activate(first)
    broken(notes(), 'ENOSPC')
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed' })
    const built: (readonly string[])[] = []
    vi.mocked(open).mockImplementation(async (at, ...more) => {
      if (String(at).endsWith('app.yaml')) built.push(await bench.trees())
      return real.open(at, ...more)
    })
    expect(await bench.activate(third, first)).toMatchObject({ kind: 'healthy' })
    expect(built.length).toBeGreaterThan(0)
    for (const trees of built) expect(trees).not.toContain(second.id)
    expect([await bench.trees(), bench.codes()]).toEqual([[first.id, third.id].sort(), []])
  })

  test('its name, where it is gone back to and the disk takes no note of it', async () => {
    node(failsOn(second))
    await bench.activate(first)
    await bench.activate(second, first)
    await real.rm(bench.path('.releases', first.id), { recursive: true })
    const synced: string[] = []
    vi.mocked(open).mockImplementation(async (at, ...more) => {
      if (at === notes()) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      const handle = await real.open(at, ...more)
      const sync = handle.sync.bind(handle)
      const kept = async () => {
        synced.push(at === bench.path('.releases') ? (await bench.trees()).join() : '')
        return sync()
      }
      return Object.assign(handle, { sync: kept })
    })
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    expect([await files(), synced]).toEqual([
      '1',
      expect.arrayContaining([[first.id, second.id].toSorted().join()]),
    ])
  })
})

describe('what cannot be written once a tree is shown', () => {
  test('that it is healthy: it is told, and hooks run again after the next start', async () => {
    node()
    await bench.activate(first)
    broken(notes(), 'ENOSPC', 2)
    expect(await bench.activate(second, first)).toEqual({ kind: 'healthy', changed: 1 })
    expect([await files(), bench.codes()]).toEqual(['2', ['STORE_FULL']])
    mended()
    expect(await node().shown(first.channel)).toBe(second.id)
    expect(await bench.restore(second)).toMatchObject({ kind: 'healthy' })
    expect([await files(), await heard()]).toEqual(['2', '122'])
  })

  test('that it is healthy, within the same life: hooks run again where it is asked for again', async () => {
    node()
    await bench.activate(first)
    broken(notes(), 'ENOSPC', 2)
    await bench.activate(second, first)
    mended()
    expect(await bench.restore(second)).toMatchObject({ kind: 'healthy' })
    expect(await heard()).toBe('122')
  })

  test('a note that cannot be read for once is read again', async () => {
    node(failsOn(second))
    await bench.activate(first)
    await bench.activate(second, first)
    const at = bench.path('.releases', 'trees.json')
    await real.rename(at, `${at}.away`)
    await real.mkdir(at)
    node(failsOn(second))
    expect(await bench.activator.shown(first.channel)).toBe(second.id)
    await real.rmdir(at)
    await real.rename(`${at}.away`, at)
    expect(await bench.restore(first, second)).toMatchObject({ kind: 'healthy' })
    expect(await files()).toBe('1')
  })

  test('a note that is gone counts no longer', async () => {
    node()
    await bench.activate(first)
    await real.rm(bench.path('.releases', 'trees.json'))
    expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
    expect(await heard()).toBe('11')
  })

  test('that it is not: it is told, and left for the one before', async () => {
    node(failsOn(second))
    await bench.activate(first)
    broken(notes(), 'EIO', 2)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'unhealthy' })
    expect(await files()).toBe('2')
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    expect([await files(), await heard()]).toEqual(['1', '121'])
    // nothing says that hooks are through with it
    mended()
    node()
    expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
    expect(await heard()).toBe('1211')
  })

  test('the folder that the link is in: what is in sight counts', async () => {
    node()
    await bench.activate(first)
    broken(bench.path(), 'EIO')
    expect(await bench.activate(second, first)).toEqual({ kind: 'healthy', changed: 1 })
    expect([await files(), bench.codes()]).toEqual(['2', ['ACTIVATE_FAILED']])
  })
})

describe('a tree that failed its check, of which there is no record after a restart', () => {
  const failed = async (): Promise<void> => {
    node(failsOn(second))
    await bench.activate(first)
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'unhealthy' })
    node(failsOn(second))
  }

  test('is not what the node is ahead with: it is judged again, and left', async () => {
    await failed()
    expect(await bench.activator.shown(first.channel)).toBeUndefined()
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'unhealthy' })
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    expect(await bench.activator.shown(first.channel)).toBe(first.id)
    expect(await files()).toBe('1')
  })

  test('stays so where the node dies while it is judged again', async () => {
    await failed()
    broken(notes(), 'EIO', 2)
    await bench.activate(second, first)
    mended()
    expect(await node().shown(first.channel)).toBeUndefined()
  })

  test('stays so where the node dies before it shows a newer one', async () => {
    await failed()
    // in the way of the new link
    const link = bench.path('.current.new')
    await real.mkdir(link)
    expect(await bench.activate(third, second)).toMatchObject({ kind: 'failed' })
    expect([await files(), await node().shown(first.channel)]).toEqual(['2', undefined])
    await real.rmdir(link)
    expect(await bench.activate(third, second)).toMatchObject({ kind: 'healthy' })
    expect(await node().shown(first.channel)).toBe(third.id)
  })
})
