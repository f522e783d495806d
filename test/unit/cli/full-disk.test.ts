/** Commands that write several files on a disk that is full before the last: what stays must not stand in the way of the next try. */
import { linkSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register as init } from '../../../src/cli/commands/init.ts'
import { register as keygen } from '../../../src/cli/commands/keygen.ts'
import { run } from './run-command.ts'

vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>()
  return { ...real, linkSync: vi.fn(real.linkSync) }
})

let dir: string
const at = (...names: string[]): string => join(dir, ...names)
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-full-disk-'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.mocked(linkSync).mockReset()
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

/** Once, when this file is to get its name. */
function fullAt(name: string, first = () => undefined as unknown): void {
  const real = vi.mocked(linkSync).getMockImplementation() as typeof linkSync
  let isFull = true
  vi.mocked(linkSync).mockImplementation((from, to) => {
    if (!isFull || !String(to).endsWith(name)) return real(from, to)
    isFull = false
    first()
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  })
}

test('no half of a pair of keys stays, and the next try makes both', async () => {
  fullAt('ops.key.pub')
  const once = () => run(keygen, 'keygen', '--out', at('ops.key'))
  await expect(once()).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(readdirSync(dir)).toEqual([])
  await once()
  expect(readdirSync(dir).sort()).toEqual(['ops.key', 'ops.key.pub'])
})

test.each(['publisher.key.pub', 'seed/freshness.key', 'root.json', 'pool.json', 'node.yaml'])(
  'nor half of a fleet, which was whole but for %s',
  async (name) => {
    fullAt(name)
    const once = () => run(init, 'init', at('fleet'))
    await expect(once()).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(readdirSync(at('fleet'))).toEqual([])
    await once()
    expect(readdirSync(at('fleet'))).toContain('node.yaml')
  },
)

test('what somebody else put there meanwhile stays', async () => {
  fullAt('root.json', () => writeFileSync(at('fleet/notes.txt'), 'mine\n'))
  await expect(run(init, 'init', at('fleet'))).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(readdirSync(at('fleet'))).toEqual(['notes.txt'])
})
