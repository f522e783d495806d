/** A file of the last tree that cannot be read is no reason to fail: the store has it. */
import { copyFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { makeRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, copyFile: vi.fn(real.copyFile) }
})

const same = { path: 'etc/same.conf', content: 'the same in all\n' }
const first = makeRelease(1, [same, { path: 'app.yaml', content: '1' }])
const second = makeRelease(2, [same, { path: 'app.yaml', content: '2, longer' }])
let bench: ActivateBench
afterEach(async () => {
  vi.mocked(copyFile).mockReset()
  await bench.cleanUp()
})
const shown = async (): Promise<void> => {
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  expect(await bench.visible()).toEqual({ 'etc/same.conf': same.content, 'app.yaml': '2, longer' })
}
const broken = (code: string) => async (_: unknown, to: unknown) => {
  await writeFile(String(to), 'half of it')
  throw Object.assign(new Error(`${code}: cannot copy`), { code })
}

test('a folder of the last tree that leads nowhere', async () => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  await rm(bench.path('current', 'etc'), { recursive: true })
  await symlink('etc', bench.path('current', 'etc'))
  await shown()
})

test.each(['EIO', 'EACCES'])('%s in the middle of a file: nothing of it stays', async (code) => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  vi.mocked(copyFile).mockImplementation(broken(code))
  await shown()
  expect(copyFile).toHaveBeenCalledOnce()
})

test('a disk that is full is said to be full', async () => {
  bench = await ActivateBench.start([first, second])
  await bench.activate(first)
  vi.mocked(copyFile).mockImplementation(broken('ENOSPC'))
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'failed', code: 'STORE_FULL' })
  expect((await readdir(bench.path('.releases'))).filter((name) => name.startsWith('.new-'))).toEqual([])
})
