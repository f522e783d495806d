/** A store on disk whose syncs take long: how long is told while they do. */
import { expect, test } from 'vitest'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { block } from '../contract/store-fixtures.ts'
import { storeLives } from '../contract/store-lives.ts'

const lives = storeLives('confmesh-slow-')

test('a commit that waits for the disk has an age, and so has one behind it; none is left once they are through', async () => {
  const disk = Promise.withResolvers<void>()
  let isSlow = false
  const slow = (dir: string): Database => {
    const real = levelDatabase(dir)
    return Object.assign(Object.create(real) as Database, {
      batch: async (...batch: Parameters<Database['batch']>): Promise<void> => {
        if (isSlow) await disk.promise
        return real.batch(...batch)
      },
    })
  }
  const store = await lives.open(slow)
  await store.load()
  await store.commit([block('before')], true)
  expect(store.commitAgeMs()).toBe(0)
  isSlow = true
  const beganMonoMs = performance.now()
  const first = store.commit([block('first')], true)
  const second = store.commit([block('second')], true)
  await expect.poll(() => store.commitAgeMs(), { interval: 5 }).toBeGreaterThan(20)
  expect(store.commitAgeMs()).toBeLessThanOrEqual(performance.now() - beganMonoMs)
  disk.resolve()
  await Promise.all([first, second])
  expect(store.commitAgeMs()).toBe(0)
})
