/** A store on disk whose syncs take long: how long is told while they do, and who waits for them. */
import { expect, test } from 'vitest'
import type { ReleaseId } from '../../src/model/ids.ts'
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

test('what comes whole in one batch does not wait for logs that others filled, and what counts on blocks before it does', async () => {
  const seen: string[] = []
  const watched = (dir: string): Database => {
    const real = levelDatabase(dir)
    return {
      ...real,
      batch: (operations, sync, alone) => {
        if (sync) seen.push(alone === true ? 'alone' : 'behind all')
        return real.batch(operations, sync, alone)
      },
      settle: (alone) => {
        seen.push(alone === true ? 'settles removals' : 'settles all')
        return real.settle(alone)
      },
    }
  }
  const store = await lives.open(watched)
  await store.load()
  seen.length = 0
  const release = 'a'.repeat(64) as ReleaseId
  const whole = { kind: 'whole', release } as const
  await store.commit([block('small'), { ...whole, alone: true }], true)
  expect(seen.splice(0)).toEqual(['settles removals', 'alone'])
  await store.commit([whole], true)
  expect(seen.splice(0)).toEqual(['settles all', 'behind all'])
  // in one group both wait
  await Promise.all([
    store.commit([block('other'), { ...whole, alone: true }], true),
    store.commit([whole], true),
  ])
  expect(seen.splice(0)).toEqual(['settles all', 'behind all'])
})
