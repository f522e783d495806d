/** Commits that wait share a batch: how large it may be, who fails with it, and that nothing runs beside it. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { bytesOf, type Write } from '../../../src/runtime/ports.ts'
import { CommitQueue } from '../../../src/store/commit-queue.ts'
import { StoreIndex } from '../../../src/store/index-in-memory.ts'
import { operationsOf } from '../../../src/store/operations.ts'
import { CHANNEL, makeFloor } from '../../contract/store-fixtures.ts'

const block = (size: number): Write => {
  const bytes = new Uint8Array(size).fill(size)
  return { kind: 'block', digest: sha256(bytes), bytes }
}

/** Batches by the sizes of their blocks; the first is under way from `begun` until `go`, all later commits wait behind it. */
function queueOf(maxBatchBytes: number, fails: (sizes: readonly number[]) => boolean = () => false) {
  const batches: { sizes: readonly number[]; sync: boolean }[] = []
  const { promise: gone, resolve: go } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const queue = new CommitQueue(async (writes, sync) => {
    begin()
    await gone
    const sizes = writes.map((write) => (write.kind === 'block' ? write.bytes.length : 0))
    batches.push({ sizes, sync })
    if (fails(sizes)) throw new Error(`no room for ${sizes.join()}`)
  }, maxBatchBytes)
  return { queue, batches, begun, go }
}

test('what waits goes out in few batches, in order, none beyond its bytes but a commit that is larger by itself', async () => {
  const { queue, batches, begun, go } = queueOf(100)
  const first = queue.commit([block(10)], false)
  await begun
  const rest = [40, 50, 11, 250, 60, 40].map((size, at) => queue.commit([block(size)], at === 2))
  go()
  await Promise.all([first, ...rest])
  expect(batches).toEqual([
    { sizes: [10], sync: false },
    { sizes: [40, 50], sync: false },
    { sizes: [11], sync: true },
    { sizes: [250], sync: false },
    { sizes: [60, 40], sync: false },
  ])
})

test('who shares a batch that fails hears of it, the others do not', async () => {
  const { queue, begun, go } = queueOf(100, (sizes) => sizes.includes(70))
  const first = queue.commit([block(10)], true)
  await begun
  const rest = [70, 20, 90].map((size) => queue.commit([block(size)], true))
  go()
  const results = await Promise.allSettled([first, ...rest])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
})

test('work alone waits for the commits before it, fails alone, and those after it go on', async () => {
  const { queue, batches, go } = queueOf(100)
  const before = queue.commit([block(10)], false)
  const alone = queue.run(async () => {
    expect(batches).toHaveLength(1)
    throw new Error('nothing to collect')
  })
  go()
  await before
  await expect(alone).rejects.toThrow('nothing to collect')
  await queue.commit([block(20)], true)
  expect(batches).toHaveLength(2)
})

test('work has its turn between commits, however many come behind it', async () => {
  const log: string[] = []
  const queue = new CommitQueue(async (writes) => {
    await new Promise(setImmediate)
    log.push(...writes.map(({ kind }) => kind))
  }, 100)
  let commits = 0
  // Two writers out of step: while the one's commit is written, the other's waits.
  const writer = async (): Promise<void> => {
    while (!log.includes('work') && commits++ < 1_000) await queue.commit([block(10)], false)
  }
  const first = writer()
  await new Promise(setImmediate)
  const writers = [first, writer()]
  const before = queue.commit([block(20)], false)
  const alone = queue.run(async () => void log.push('work'))
  // Nor does what comes behind it go before it.
  const behind = queue.commit([{ kind: 'dropEnvelope', release: 'a'.repeat(64) as never }], true)
  await Promise.all([before, alone, behind, ...writers])
  expect(commits).toBeLessThan(20)
  expect(log.indexOf('work')).toBeLessThan(log.indexOf('dropEnvelope'))
})

test('what closes the store comes after the commits before it, and before those behind', async () => {
  const { queue, batches, begun, go } = queueOf(100)
  const first = queue.commit([block(10)], false)
  await begun
  const second = queue.commit([block(20)], true)
  const closed = queue.run(async () => batches.map(({ sizes }) => sizes))
  const third = queue.commit([block(30)], true)
  go()
  await Promise.all([first, second, third])
  expect(await closed).toEqual([[10], [20]])
  expect(batches.map(({ sizes }) => sizes)).toEqual([[10], [20], [30]])
})

test('a record counts at least what it is on disk, with all that a channel lists', () => {
  const releases = Array.from({ length: LIMITS.maxHistory }, (_, at) => sha256(Uint8Array.of(at)) as string)
  const ids = releases as ReleaseId[]
  const active = { release: ids[0] as ReleaseId, epoch: 1, activatedAt: Date.now(), soaked: true }
  const history = ids.map((release) => ({ release, activatedAt: Date.now() }))
  const lists = { heads: ids.slice(0, 4), failed: ids.slice(0, 10), history }
  const record = { channel: CHANNEL, active, lastGood: ids[0], lastGoodEpoch: 1, ...lists }
  const none = { ...record, heads: [], failed: [], history: [] }
  const writes: Write[] = [
    { kind: 'floor', floor: makeFloor(1, ids.slice(0, 2)) },
    { kind: 'channel', record: none },
    { kind: 'channel', record },
  ]
  for (const write of writes) {
    const stored = operationsOf(write, new StoreIndex()).map((one) =>
      one.type === 'put' ? one.key.length + one.value.length : 0,
    )
    const bytes = stored.reduce((sum, one) => sum + one, 0)
    expect(bytesOf([write])).toBeGreaterThanOrEqual(bytes)
    expect(bytesOf([write])).toBeLessThan(4 * bytes)
  }
})
