import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nearestFolder } from '../../../src/runtime/nearest-folder.ts'

test('itself where it is there, else the nearest above it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'confmesh-nearest-'))
  expect(await nearestFolder(dir)).toBe(dir)
  expect(await nearestFolder(join(dir, 'gone', 'below'))).toBe(dir)
  await rm(dir, { recursive: true })
  expect(await nearestFolder('/')).toBe('/')
})
