/** A disk that hangs without an error: what waits for it is bounded, and what is refused meanwhile is said once. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Write } from '../../../src/runtime/ports.ts'
import { CommitBytes, MAX_WAITING_BYTES } from '../../../src/store/commit-bytes.ts'
import { CommitQueue } from '../../../src/store/commit-queue.ts'
import { block, CHANNEL, makeFloor, makeRelease } from '../../contract/store-fixtures.ts'

const { id } = makeRelease(1, [])
const envelope = new Uint8Array(14_000)
/** As gossip brings one. */
const order: readonly Write[] = [
  { kind: 'envelope', release: id, channel: CHANNEL, bytes: envelope },
  { kind: 'floor', floor: makeFloor(1, [id]) },
]
const MANY = 20_000
const SIZE = 256 * 1024
const full: Write = { ...block('of a fetch'), bytes: new Uint8Array(SIZE) }

/** A disk that answers nothing until it is told to. */
function hanging() {
  const said: string[] = []
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>()
  let written = 0
  const queue = new CommitQueue(async (writes) => {
    await answers
    written += writes.length
  }, LIMITS.maxStoreBatchBytes)
  const bytes = new CommitBytes('/data/store', {
    note: ({ level, code, text }) => void said.push(`${level} ${code} ${text}`),
  })
  const refused: unknown[] = []
  const commit = (writes: readonly Write[]) =>
    bytes.of(writes, () => queue.commit(writes, true)).catch((error: unknown) => void refused.push(error))
  const orders = (count: number) => Array.from({ length: count }, () => commit(order))
  return { said, refused, orders, commit, answer, written: () => written }
}

test('of what a hanging disk does not take, no more waits than the bound, and what is refused is said once', async () => {
  const { said, refused, orders, answer, written } = hanging()
  const all = orders(MANY)
  await expect.poll(() => refused.length).toBeGreaterThan(0)
  const taken = MANY - refused.length
  expect(taken * envelope.length).toBeGreaterThan(0.9 * MAX_WAITING_BYTES)
  expect(taken * envelope.length).toBeLessThan(MAX_WAITING_BYTES)
  expect(refused[0]).toMatchObject({ code: 'STORE_FAILED', details: { isSaid: true } })
  expect(said).toEqual([expect.stringMatching(/^error STORE_FAILED \/data\/store: the disk does not answer/)])
  answer()
  await Promise.all(all)
  expect(written()).toBe(taken * order.length)
})

test('and all that the core gives it of fetches and uploads is taken beside that', async () => {
  const { refused, orders, commit, answer } = hanging()
  const all = orders(MANY)
  await expect.poll(() => refused.length).toBeGreaterThan(0)
  const before = refused.length
  const most = 2 * LIMITS.maxWants + LIMITS.maxUploads * LIMITS.maxStreams.publish
  all.push(...Array.from({ length: most }, () => commit([full])), commit([full, ...order]))
  await expect.poll(() => refused.length).toBe(before + 1)
  answer()
  await Promise.all(all)
  expect(refused).toHaveLength(before + 1)
})

test('once it answers all is taken again, also what is larger by itself', async () => {
  const { said, refused, orders, commit, answer } = hanging()
  const all = orders(MANY)
  answer()
  await Promise.all(all)
  const before = refused.length
  expect(before).toBeGreaterThan(0)
  const large = Array.from({ length: (2 * MAX_WAITING_BYTES) / envelope.length }, () => order).flat()
  await commit(large)
  expect(refused).toHaveLength(before)
  await Promise.all(orders(MANY))
  expect(refused.length).toBeGreaterThan(before)
  expect(said).toHaveLength(2)
})
