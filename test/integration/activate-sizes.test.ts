/** A file is never longer than its manifest says: the bounds of a release are reckoned by what it says. */
import { rm } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { makeRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

test('a release whose blocks are longer than it says is not put in place, and what ran before still does', async () => {
  const honest = makeRelease(1, [{ path: 'app.yaml', content: 'version: 1\n' }])
  const lying = makeRelease(2, [{ path: 'app.yaml', content: 'version: 2\n' }], { sizeLie: -1 })
  const bench = await ActivateBench.start([honest, lying])
  try {
    expect(await bench.activate(honest)).toMatchObject({ kind: 'healthy' })
    expect(await bench.activate(lying, honest)).toMatchObject({ kind: 'failed', code: 'LIMIT_CONTENT' })
    expect(await bench.visible()).toEqual({ 'app.yaml': 'version: 1\n' })
  } finally {
    await rm(bench.dir, { recursive: true, force: true })
  }
})
