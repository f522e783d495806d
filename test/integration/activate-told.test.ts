/** What hooks are told of after hooks that did not end, and after what was never shown. */
import { chmod, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Activator } from '../../src/activate/activator.ts'
import { LIMITS } from '../../src/limits.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

const of = (counter: number, nginx: string, app: string): TestRelease =>
  makeRelease(counter, [
    { path: 'nginx.conf', content: nginx },
    { path: 'app.yaml', content: app },
  ])
const older = of(1, '0', '0')
const first = of(2, '1', '1')
const second = of(3, '2', '1')
const third = of(4, '2', '2')
const again = of(5, '2', '1')
/** As the first, but for one file. */
const same = of(6, '1', '2')

let bench: ActivateBench
beforeEach(async () => {
  bench = await ActivateBench.start([older, first, second, third, again, same])
})
afterEach(() => bench.cleanUp())

const out = (): string => join(bench.dir, 'out')
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
/** As after a restart: a line for each run, with the release before and the paths. */
const node = (end = '', limits = LIMITS, store = bench.store): Activator => {
  const tell = `echo "\${CONFMESH_PREVIOUS%"\${CONFMESH_PREVIOUS#??????}"}" $(tr '\\0' ' ' < "$CONFMESH_CHANGED") >> ${out()}`
  const command = ['/bin/sh', '-c', `${tell}; ${end}`]
  return bench.restarted({ hooks: [{ channels: ['**'], command, timeoutMs: 20_000 }], limits, store })
}
/** What the last run was told of. */
const told = async (): Promise<readonly string[]> => {
  const [previous = '', ...paths] = (await read(out())).trimEnd().split('\n').at(-1)?.split(' ') ?? []
  return [previous, ...paths]
}
/** Its tree, in which somebody else may write. */
const opened = async ({ id }: TestRelease): Promise<string> => {
  const path = bench.path('.releases', id)
  for (const folder of [path, join(path, 'conf.d')]) await chmod(folder, 0o755)
  return path
}
const short = ({ id }: TestRelease): string => id.slice(0, 6)

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come true within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The node stops while hooks run. */
async function cutShort(release: TestRelease, fallback = false): Promise<void> {
  const runs = (await read(out())).split('\n').length
  const stopped = node('sleep 100')
  const outcome = bench.activate(release, undefined, fallback)
  await until(async () => (await read(out())).split('\n').length > runs)
  await stopped.stop()
  expect(await outcome).toMatchObject({ kind: 'failed' })
}

async function failing(release: TestRelease): Promise<void> {
  node('exit 1')
  expect(await bench.activate(release)).toMatchObject({ kind: 'unhealthy' })
}

describe('hooks are told, too, of what earlier ones were not through with', () => {
  beforeEach(async () => {
    node()
    await bench.activate(first)
  })

  test('cut short by a stop, and straight on to the next release', async () => {
    await cutShort(second)
    node()
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test('cut short twice', async () => {
    await cutShort(second)
    await cutShort(third)
    node()
    await bench.restore(third)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test('failed, with nothing to go back to', async () => {
    await failing(second)
    node()
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test.each([
    ['cut short', () => cutShort(second)],
    ['failed', () => failing(second)],
  ])('%s, and the same files issued anew', async (_, end) => {
    await end()
    node()
    expect(await bench.activate(again, second)).toEqual({ kind: 'healthy', changed: 0 })
    expect(await told()).toEqual([short(second), 'nginx.conf'])
  })

  test('a step back that was cut short, and a newer target', async () => {
    await failing(second)
    await cutShort(first, true)
    node()
    await bench.activate(same, first)
    expect(await told()).toEqual([short(first), 'app.yaml', 'nginx.conf'])
  })

  test('a step back whose hook failed, and a newer target of the same nginx.conf', async () => {
    await failing(second)
    expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
    node()
    await bench.activate(same, first)
    expect(await told()).toEqual([short(first), 'app.yaml', 'nginx.conf'])
    await bench.activate(first, same)
    expect(await told()).toEqual([short(same), 'app.yaml'])
  })

  test('where the list is gone, of all', async () => {
    await cutShort(second)
    await rm(bench.path('.releases', 'changed'))
    node()
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test('once they are through with it, not again', async () => {
    await cutShort(second)
    node()
    await bench.restore(second)
    expect(await told()).toEqual([short(first), 'nginx.conf'])
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml'])
  })

  test('where more is owed than two releases hold, of all that these two hold', async () => {
    await cutShort(second)
    const many = Array.from({ length: 5 }, (_, at) => `gone-${at}\0`)
    await writeFile(bench.path('.releases', 'changed'), many.join(''))
    node('', { ...LIMITS, maxFiles: 2 } as unknown as typeof LIMITS)
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })
})

describe('hooks are told of what somebody else changed, as it is put right', () => {
  const edit = async (): Promise<void> => {
    await chmod(bench.path('current', 'nginx.conf'), 0o644)
    await writeFile(bench.path('current', 'nginx.conf'), 'x')
  }
  beforeEach(async () => {
    node()
    await bench.activate(first)
    await bench.activate(second, first)
    await edit()
  })

  test('by the same files issued anew', async () => {
    await bench.activate(again, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test('by another release in which that file is the same', async () => {
    await bench.activate(third, second)
    expect(await told()).toEqual([short(second), 'app.yaml', 'nginx.conf'])
  })

  test('by the same release', async () => {
    await bench.restore(second)
    expect(await told()).toEqual([short(first), 'app.yaml', 'nginx.conf'])
  })

  test('by the release the node is ahead with, at its next activation', async () => {
    node()
    expect(await bench.restore(first, second)).toMatchObject({ kind: 'healthy' })
    await bench.activate(second, first)
    expect(await told()).toEqual([short(first), 'app.yaml', 'nginx.conf'])
  })
})

test('of what is owed, too, where it is not known what somebody else changed: no release has it any longer', async () => {
  const of = (counter: number, files: Readonly<Record<string, string>>): TestRelease =>
    makeRelease(
      counter,
      Object.entries(files).map(([path, content]) => ({ path, content })),
    )
  const both = of(7, { 'x.conf': '1', 'y.conf': '1' })
  const one = of(8, { 'y.conf': '1' })
  const other = of(9, { 'y.conf': '2' })
  for (const { writes } of [both, one, other]) await bench.store.commit(writes)
  node()
  await bench.activate(both)
  await cutShort(one)
  await cutShort(other)
  await chmod(bench.path('current', 'y.conf'), 0o644)
  await writeFile(bench.path('current', 'y.conf'), 'x')
  node()
  expect(await bench.restore(other)).toMatchObject({ kind: 'healthy' })
  expect(await told()).toEqual([short(one), 'x.conf', 'y.conf'])
})

describe('where the store does not know the release before any longer', () => {
  const both = makeRelease(7, [
    { path: 'conf.d/x.conf', content: '1' },
    { path: 'y.conf', content: '1' },
  ])
  const one = makeRelease(8, [{ path: 'y.conf', content: '1' }])
  /** As after a lost store: the next release alone is there. */
  const lost = async (limits = LIMITS): Promise<void> => {
    await bench.store.commit(both.writes)
    node()
    await bench.activate(both)
    const store = new MemoryStore({ limits: LIMITS })
    await store.open()
    await store.commit(one.writes)
    node('', limits, store)
  }

  test('hooks are told, too, of what only its tree holds', async () => {
    await lost()
    expect(await bench.activate(one, both)).toMatchObject({ kind: 'healthy' })
    expect(await told()).toEqual([short(both), 'conf.d/x.conf', 'y.conf'])
  })

  test('of as many as a release may have', async () => {
    await lost({ ...LIMITS, maxFiles: 1 } as unknown as typeof LIMITS)
    const path = await opened(both)
    for (const name of ['z1', 'z2', 'z3']) await writeFile(join(path, name), '')
    await rm(join(path, 'y.conf'))
    expect(await bench.activate(one, both)).toMatchObject({ kind: 'healthy' })
    expect(await told()).toHaveLength(3)
  })

  test('of what the next one holds, where that tree is gone', async () => {
    await lost()
    await rm(await opened(both), { recursive: true })
    expect(await bench.activate(one, both)).toMatchObject({ kind: 'healthy' })
    expect(await told()).toEqual([short(both), 'y.conf'])
  })
})

describe('a tree that was built and never shown', () => {
  beforeEach(async () => {
    node()
    await bench.activate(older)
    await bench.activate(first, older)
    // in the way of the new link
    await mkdir(bench.path('.current.new'))
    expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed' })
    await rmdir(bench.path('.current.new'))
  })

  test('takes the place of none that was', async () => {
    await bench.activate(third, first)
    expect(await bench.trees()).toEqual([third.id, first.id, older.id].toSorted())
  })

  test('is not the one before', async () => {
    node()
    await bench.restore(first)
    expect((await told())[0]).toBe(short(older))
  })
})

test('where no tree but the active one is kept, hooks are told of the one before, again after a crash', async () => {
  const limits = { ...LIMITS, keepTrees: 0 } as unknown as typeof LIMITS
  node('', limits)
  await bench.activate(first)
  await bench.activate(second, first)
  expect([await told(), await bench.trees()]).toEqual([[short(first), 'nginx.conf'], [second.id]])
  await rm(bench.path('.releases', 'changed'))
  const notes = bench.path('.releases', 'trees.json')
  const { done: _, ...crashed } = JSON.parse(await readFile(notes, 'utf8'))
  await writeFile(notes, JSON.stringify(crashed))
  node('', limits)
  await bench.restore(second)
  expect((await told())[0]).toBe(short(first))
})
