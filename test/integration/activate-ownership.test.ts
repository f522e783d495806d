/** Whose files are, and who may read them: as the configuration says now, not as it said when they were written. */
import { chown, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
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
