/** `npm run bench -- peers` on a machine that cannot run it: what an earlier run has kept is worth more than nothing. */
import { rmSync } from 'node:fs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Lab } from '../../../bench/peers/lab.ts'
import { peers } from '../../../bench/peers.ts'

let stderr: string

beforeEach(() => {
  stderr = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text)
    return true
  })
})

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const asked = { quick: true, systems: ['confmesh'], subscribers: [2], bytes: [1_024] }

test('where nothing can be run there is no result, and each system says why', async () => {
  vi.spyOn(Lab, 'missing').mockReturnValue('network namespaces need root')
  const keep = vi.fn()
  await expect(peers({ ...asked, keep })).rejects.toThrow('confmesh: not run, network namespaces need root')
  expect(keep).not.toHaveBeenCalled()
  expect(stderr).toMatch(/^ {2}confmesh: not run, network namespaces need root$/m)
})

test('where confmesh failed that is a result, and ends in exit 1', async () => {
  vi.spyOn(Lab, 'missing').mockReturnValue(undefined)
  vi.spyOn(Lab.prototype, 'start').mockImplementation(() => {
    throw new Error('no namespaces')
  })
  vi.spyOn(Lab.prototype, 'stop').mockImplementation(function (this: Lab) {
    rmSync(this.dir, { recursive: true })
  })
  const keep = vi.fn()
  await peers({ ...asked, keep })
  expect(keep).toHaveBeenCalledOnce()
  expect(process.exitCode).toBe(1)
})
