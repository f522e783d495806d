/** A disk that hangs without an error: what waits for it is bounded, and what is refused meanwhile is said once. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { bytesOf, type Write } from '../../../src/runtime/ports.ts'
import { CommitBytes, MAX_WAITING_BYTES } from '../../../src/store/commit-bytes.ts'
import { CommitQueue } from '../../../src/store/commit-queue.ts'
import { CommitTimes, SLOW_MS } from '../../../src/store/commit-times.ts'
import { block, CHANNEL, makeFloor, makeRelease } from '../../contract/store-fixtures.ts'

const { id } = makeRelease(1, [])
const envelope = new Uint8Array(14_000)
/** As gossip brings one. */
const order: readonly Write[] = [
  { kind: 'envelope', release: id, channel: CHANNEL, bytes: envelope },
  { kind: 'floor', floor: makeFloor(1, [id]) },
]
/** Of those that fill the bound. */
const ENOUGH = Math.ceil(MAX_WAITING_BYTES / bytesOf(order))
const SIZE = 256 * 1024
const full: Write = { ...block('of a fetch'), bytes: new Uint8Array(SIZE) }

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

/** @param disk answers each group that it is given */
function storeOn(disk: () => Promise<void>) {
  const said: string[] = []
  let written = 0
  const queue = new CommitQueue(async (writes) => {
    await disk()
    written += writes.length
  }, LIMITS.maxStoreBatchBytes)
  const times = new CommitTimes('/data/store', { note: () => {} })
  const bytes = new CommitBytes('/data/store', times, {
    note: ({ level, code, text }) => void said.push(`${level} ${code} ${text}`),
  })
  const refused: unknown[] = []
  const commit = (writes: readonly Write[]) =>
    times
      .of(bytes.of(writes, () => queue.commit(writes, true)))
      .catch((error: unknown) => void refused.push(error))
  const orders = (count: number) => Array.from({ length: count }, () => commit(order))
  return { said, refused, orders, commit, written: () => written }
}

/** A disk that answers nothing until it is told to. */
function hanging() {
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>()
  return { ...storeOn(() => answers), answer }
}

/** It has been given enough, and has not answered for long. */
async function filled() {
  const store = hanging()
  const all = store.orders(ENOUGH)
  await pass(SLOW_MS)
  expect(store.refused).toEqual([])
  return { ...store, all }
}

test('of what a hanging disk does not take, no more waits than the bound, and what is refused is said once', async () => {
  const { said, refused, orders, answer, written } = hanging()
  const all = orders(ENOUGH / 2)
  await pass(SLOW_MS)
  all.push(...orders(2 * ENOUGH))
  await pass(0)
  const taken = all.length - refused.length
  expect(taken * envelope.length).toBeGreaterThan(0.9 * MAX_WAITING_BYTES)
  expect(taken * envelope.length).toBeLessThan(MAX_WAITING_BYTES)
  expect(refused[0]).toMatchObject({ code: 'STORE_FAILED', details: { isSaid: true } })
  expect(said).toEqual([
    expect.stringMatching(
      /^error STORE_FAILED \/data\/store: the disk does not keep up: .* for 5 s, and 64 MiB/,
    ),
  ])
  answer()
  await Promise.all(all)
  expect(written()).toBe(taken * order.length)
})

test('and all that the core gives it of fetches and uploads is taken beside that', async () => {
  const { refused, commit, answer, all } = await filled()
  const most = 2 * LIMITS.maxWants + LIMITS.maxUploads * LIMITS.maxStreams.publish
  all.push(...Array.from({ length: most }, () => commit([full])), commit([full, ...order]))
  await pass(0)
  expect(refused).toHaveLength(1)
  answer()
  await Promise.all(all)
  expect(refused).toHaveLength(1)
})

test('so is what nobody would write again: lines of the audit log, and what is taken away', async () => {
  const { refused, commit, answer, all, written } = await filled()
  const peer = '12D3KooWpeer' as PeerId
  const line: Write = { kind: 'audit', at: 1, peer, release: id, channel: CHANNEL, answer: 'NEW' }
  const gone = (['dropLease', 'dropEnvelope', 'unwhole'] as const).map((kind) => ({ kind, release: id }))
  const once = [[line], ...gone.map((write) => [write]), gone.slice(1)]
  all.push(...once.map(commit), commit([line, ...order]))
  await pass(0)
  expect(refused).toHaveLength(1)
  answer()
  await Promise.all(all)
  expect(refused).toHaveLength(1)
  expect(written()).toBe(ENOUGH * order.length + once.flat().length)
})

test('once it answers all is taken again, also what is larger by itself', async () => {
  const { said, refused, orders, commit, answer, all } = await filled()
  await Promise.all(orders(1))
  answer()
  await Promise.all(all)
  await commit(Array.from({ length: 2 * ENOUGH }, () => order).flat())
  await Promise.all(orders(ENOUGH))
  expect(refused).toHaveLength(1)
  expect(said).toHaveLength(1)
})

test('a disk that hangs again is said again, though something has waited all the time', async () => {
  const answers: (() => void)[] = []
  const { said, refused, orders, written } = storeOn(() => new Promise((resolve) => answers.push(resolve)))
  let given = 0
  const waiting = () => given - refused.length - written() / order.length
  const until = async (left: number) => {
    for (; waiting() > left; await pass(0)) answers.shift()?.()
    expect(waiting()).toBeGreaterThan(0)
  }
  /** More than it takes. */
  const fill = async () => {
    const before = refused.length
    void orders(ENOUGH)
    await pass(SLOW_MS)
    await Promise.all(orders(1))
    given += ENOUGH + 1
    expect(refused.length).toBeGreaterThan(before)
    return said.length
  }
  expect(await fill()).toBe(1)
  await until(0.8 * ENOUGH)
  expect(await fill()).toBe(1)
  await until(0.4 * ENOUGH)
  expect(await fill()).toBe(2)
})

test('one that answers is given whatever comes at once', async () => {
  const { refused, orders, written } = storeOn(() => new Promise((resolve) => setTimeout(resolve, 100)))
  const all = orders(3 * ENOUGH)
  for (let isOver = false; !isOver; ) {
    const before = written()
    await pass(100)
    all.push(...orders(10))
    isOver = written() === before || written() >= 3 * ENOUGH * order.length
  }
  await pass(1_000)
  await Promise.all(all)
  expect(refused).toEqual([])
  expect(written()).toBe(all.length * order.length)
})

test('one commit alone keeps out nothing, however large it is and however long it takes', async () => {
  const { refused, orders, commit, answer } = hanging()
  const all = [commit(Array.from({ length: 2 * ENOUGH }, () => order).flat())]
  await pass(10 * SLOW_MS)
  all.push(...orders(1))
  await pass(0)
  expect(refused).toEqual([])
  answer()
  await Promise.all(all)
})
