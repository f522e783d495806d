import { streamPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { Unread } from '../../../src/net/unread.ts'

const connection = () => {
  const ended: Error[] = []
  return { ended, abort: (error: Error) => void ended.push(error) }
}
const bounded = (maxUnreadBytes: number) => new Unread({ maxUnreadBytes }, { note: () => {} })

test('what was read, or ended with its stream, is held no longer', async () => {
  const unread = bounded(1_000)
  const one = connection()
  const [sender, receiver] = await streamPair()
  const done = unread.watch(receiver, one)
  sender.send(new Uint8Array(300))
  await expect.poll(() => unread.total).toBe(300)
  done(200)
  expect(unread.total).toBe(96)
  // never less than nothing: with what says how long each message is more is taken off than came
  done(200)
  expect(unread.total).toBe(0)
  sender.send(new Uint8Array(300))
  await expect.poll(() => unread.total).toBe(300)
  sender.abort(new Error('gone'))
  await expect.poll(() => unread.total).toBe(0)
  expect(one.ended).toEqual([])
})

test('beyond the bound the connection that holds most ends, and only that one', async () => {
  const unread = bounded(1_000)
  const [small, large, other] = [connection(), connection(), connection()]
  unread.change(small, 300)
  unread.change(large, 600)
  unread.change(other, 100)
  expect(unread.total).toBe(1_000)
  unread.change(small, 1)
  await expect.poll(() => large.ended.length).toBe(1)
  expect([small.ended, other.ended]).toEqual([[], []])
  expect(unread.total).toBe(401)
  // its streams end later, and are no longer counted
  unread.change(large, -600)
  expect(unread.total).toBe(401)
})
