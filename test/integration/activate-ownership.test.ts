/** Whose files are, and who may read them: as the configuration says now, not as it said when they were written. */
import { chown, lstat, open as openFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Materialize } from '../../src/activate/ownership.ts'
import { makeRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

const first = makeRelease(1, [
  { path: 'etc/same.conf', content: 'a\n' },
  { path: 'app.yaml', content: 'b\n' },
])
const benches: ActivateBench[] = []
const started = async (): Promise<ActivateBench> => {
  const bench = await ActivateBench.start([first])
  benches.push(bench)
  return bench
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.cleanUp()
})

const kinds = { 'a file': 'app.yaml', 'a folder': 'etc', 'the tree': '' }
test.each(Object.entries(kinds))('another group of %s is found where one is configured', async (_, path) => {
  const bench = await started()
  const group = 12_345
  bench.restarted({ group })
  await bench.activate(first)
  bench.restarted({ group })
  expect(await bench.restore(first)).toEqual({ kind: 'healthy', changed: 0 })
  expect(await bench.tree()).toBe(first.id)
  await chown(join(bench.path('.releases', first.id), path), -1, 0)
  bench.restarted({ group })
  expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
  expect(await bench.tree()).toBe(`${first.id}.1`)
  for (const each of Object.values(kinds)) {
    const { gid } = await lstat(join(bench.path('.releases', `${first.id}.1`), each))
    expect([each, gid]).toEqual([each, group])
  }
})

test('mode or group set anew in the configuration hold from the next start', async () => {
  const bench = await started()
  await bench.activate(first)
  bench.restarted({ mode: '0440', group: 12_345 })
  await bench.restore(first)
  for (const [path, mode] of [
    ['app.yaml', 0o440],
    ['etc', 0o750],
    ['.', 0o750],
  ] as const) {
    const stat = await lstat(join(bench.path('.releases', await bench.tree()), path))
    expect([path, stat.mode & 0o7777, stat.gid]).toEqual([path, mode, 12_345])
  }
})

const builds = ['5', '4', '3', '2'].map((content, at) =>
  makeRelease(5 - at, [
    { path: 'etc/same.conf', content: 'a\n' },
    { path: 'app.yaml', content },
  ]),
) as [typeof first, ...(typeof first)[]]

const changes: readonly [string, Materialize, Materialize, boolean][] = [
  ['mode for fewer', {}, { mode: '0440', group: 12_345 }, true],
  ['group of those who may read', { mode: '0440', group: 12_345 }, { mode: '0440', group: 12_346 }, true],
  ['mode for more', { mode: '0440' }, { mode: '0444' }, false],
  ['group where all may read', {}, { group: 12_345 }, false],
]
test.each(changes)('with another %s no tree stays that others could read', async (_, was, is, goes) => {
  const bench = await ActivateBench.start(builds)
  benches.push(bench)
  const [newest, ...older] = builds
  bench.restarted(was)
  for (const release of older.toReversed()) await bench.activate(release)
  await bench.activate(newest)
  const [before = first] = older
  const open = await openFile(join(bench.path('.releases', before.id), 'app.yaml'))
  bench.restarted(is)
  await bench.restore(newest)
  const kept = goes ? [] : [before.id, newest.id]
  expect(await bench.trees()).toEqual([`${newest.id}.1`, ...kept].sort())
  // Whoever reads goes on, and there is a way back: it is built anew.
  expect(await open.readFile('utf8')).toBe('4')
  await open.close()
  await bench.activate(before, newest, true)
  expect(await bench.visible()).toMatchObject({ 'app.yaml': '4' })
})
