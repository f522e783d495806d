import type { Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { decode } from 'it-length-prefixed'
import { expect, test } from 'vitest'
import { frame } from '../../../src/net/framing.ts'
import { pulled } from '../../../src/net/pulled.ts'
import { Unread } from '../../../src/net/unread.ts'

const numbered = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => new TextEncoder().encode(`${at}`.padStart(6, '0')))

/** As gossipsub reads it: to its end, or until `enough`. */
async function readAll(stream: Stream, enough = Number.POSITIVE_INFINITY): Promise<string[]> {
  const read: string[] = []
  for await (const rpc of decode(stream as unknown as AsyncIterable<Uint8Array>)) {
    read.push(new TextDecoder().decode(rpc.subarray()))
    if (read.length >= enough) break
  }
  return read
}

const texts = (all: readonly Uint8Array[]): string[] => all.map((each) => new TextDecoder().decode(each))
const at = () => Promise.resolve()

test('every RPC comes, whole and in order, however its bytes are cut, and what came before the end is read', async () => {
  const [sender, receiver] = await streamPair()
  const all = numbered(500)
  const bytes = frame(all, 100)
  for (let from = 0; from < bytes.length; from += 13) sender.send(bytes.subarray(from, from + 13))
  const read = readAll(pulled(receiver, at))
  await sender.close()
  expect(await read).toEqual(texts(all))
})

test('the next RPC is read when its turn has come, an empty one, too', async () => {
  const [sender, receiver] = await streamPair()
  const turns: (() => void)[] = []
  const stream = pulled(receiver, () => new Promise((resolve) => turns.push(resolve)))
  const read: string[] = []
  const reading = (async () => {
    for await (const rpc of decode(stream as unknown as AsyncIterable<Uint8Array>))
      read.push(new TextDecoder().decode(rpc.subarray()))
  })()
  sender.send(frame([...numbered(2), new Uint8Array(), ...numbered(1)], 100))
  await expect.poll(() => turns.length).toBe(1)
  expect(read).toEqual([])
  for (const [given, soFar] of [1, 2, 3].map((count) => [count - 1, count] as const)) {
    turns[given]?.()
    await expect.poll(() => [read.length, turns.length]).toEqual([soFar, soFar + 1])
  }
  await sender.close()
  turns[3]?.()
  await reading
  expect(read).toEqual(['000000', '000001', '', '000000'])
})

test('what is not read yet holds the sender up, and nothing piles up here', async () => {
  const [sender, receiver] = await streamPair()
  let given: () => void = () => {}
  const first = new Promise<void>((resolve) => {
    given = resolve
  })
  const read = readAll(pulled(receiver, () => first))
  sender.send(frame(numbered(10), 100))
  await expect.poll(() => receiver.readStatus).toBe('paused')
  given()
  await sender.close()
  expect(await read).toHaveLength(10)
})

test('whoever is reset is not heard any more, and the reader hears of it', async () => {
  const [sender, receiver] = await streamPair()
  let given: () => void = () => {}
  const reading = readAll(
    pulled(
      receiver,
      () =>
        new Promise((resolve) => {
          given = resolve
        }),
    ),
  )
  reading.catch(() => {})
  sender.send(frame(numbered(1), 100))
  await expect.poll(() => receiver.readStatus).toBe('paused')
  receiver.abort(new Error('cut off'))
  given()
  await expect(reading).rejects.toThrow('cut off')
})

test('a stream that gossipsub closes is read no further, though the sender goes on', async () => {
  const [sender, receiver] = await streamPair()
  const stream = pulled(receiver, at)
  const reading = readAll(stream)
  sender.send(frame(numbered(1), 100))
  await expect.poll(() => receiver.readBufferLength).toBe(0)
  await stream.close()
  sender.send(frame(numbered(3), 100))
  expect((await reading).length).toBeLessThan(2)
})

test('what came before it is read is counted and not lost, and an RPC that is through counts no longer', async () => {
  const [sender, receiver] = await streamPair()
  const unread = new Unread({ maxUnreadBytes: 100_000 }, { note: () => {} })
  const all = numbered(1_000)
  sender.send(frame(all, 100))
  await expect.poll(() => receiver.readBufferLength).toBe(7_000)
  let given: () => void = () => {}
  const first = new Promise<void>((resolve) => {
    given = resolve
  })
  const stream = pulled(
    receiver,
    () => first,
    () => unread.watch(receiver, { abort: () => {} }),
  )
  const read: string[] = []
  const reading = (async () => {
    for await (const rpc of decode(stream as unknown as AsyncIterable<Uint8Array>))
      read.push(new TextDecoder().decode(rpc.subarray()))
  })()
  await expect.poll(() => unread.total).toBe(7_000)
  given()
  await expect.poll(() => read.length).toBe(1_000)
  expect(read).toEqual(texts(all))
  expect(unread.total).toBe(0)
  await sender.close()
  await reading
})
