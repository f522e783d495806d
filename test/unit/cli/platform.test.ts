/** Windows runs no node, and says so before anything is made. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startFleet } from '../../../src/cli/demo/fleet.ts'
import { runProgram } from '../../../src/cli/program.ts'
import { runNode } from '../../../src/daemon/run.ts'

vi.mock('../../../src/cli/demo/fleet.ts', async (original) => {
  const real = await original<typeof import('../../../src/cli/demo/fleet.ts')>()
  return { ...real, startFleet: vi.fn().mockRejectedValue(new Error('started')) }
})
vi.mock('../../../src/daemon/run.ts', () => ({ runNode: vi.fn() }))

const { platform } = process
let dir: string
let said: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-platform-'))
  writeFileSync(join(dir, 'node.yaml'), 'root: root.json\ndata: data\n')
  vi.stubEnv('TMPDIR', dir)
  said = ''
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
  Object.defineProperty(process, 'platform', { value: 'win32' })
  vi.useFakeTimers({ toFake: ['setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
  Object.defineProperty(process, 'platform', { value: platform })
  process.exitCode = 0
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

test.each(['node', 'demo'])('confmesh %s refuses in one line, and makes no file', async (command) => {
  await runProgram(command === 'demo' ? ['demo'] : ['node', '--config', join(dir, 'node.yaml')])
  expect(said).toBe(
    'confmesh: RUNTIME_PLATFORM: nodes do not run on Windows; run this on Linux, such as in WSL or a container\n',
  )
  expect(process.exitCode).toBe(2)
  expect(readdirSync(dir)).toEqual(['node.yaml'])
  for (const start of [startFleet, runNode]) expect(start).not.toHaveBeenCalled()
  // It runs in whose process it is called, which it must not end later on.
  expect(vi.getTimerCount()).toBe(0)
})
