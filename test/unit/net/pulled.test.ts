import type { Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { decode } from 'it-length-prefixed'
import { expect, test } from 'vitest'
import { frame } from '../../../src/net/framing.ts'
import { pulled, type Reading } from '../../../src/net/pulled.ts'
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
/** Alone on its connection, with a turn for each RPC. */
const alone = (parts: Partial<Reading> = {}): Reading => ({
  turn: async () => true,
  begin: async () => () => {},
  watch: () => () => {},
  working: () => {},
  ...parts,
})

test('every RPC comes, whole and in order, however its bytes are cut, and what came before the end is read', async () => {
  const [sender, receiver] = await streamPair()
  const all = numbered(500)
  const bytes = frame(all, 100)
  for (let from = 0; from < bytes.length; from += 13) sender.send(bytes.subarray(from, from + 13))
  const read = readAll(pulled(receiver, alone()))
  await sender.close()
  expect(await read).toEqual(texts(all))
})

test('the next RPC is read when its turn has come, an empty one, too', async () => {
  const [sender, receiver] = await streamPair()
  const turns: ((isHere: boolean) => void)[] = []
  const stream = pulled(receiver, alone({ turn: () => new Promise((resolve) => turns.push(resolve)) }))
  const read: string[] = []
  const reading = (async () => {
    for await (const rpc of decode(stream as unknown as AsyncIterable<Uint8Array>))
      read.push(new TextDecoder().decode(rpc.subarray()))
  })()
  sender.send(frame([...numbered(2), new Uint8Array(), ...numbered(1)], 100))
  await expect.poll(() => turns.length).toBe(1)
  expect(read).toEqual([])
  for (const [given, soFar] of [1, 2, 3].map((count) => [count - 1, count] as const)) {
    turns[given]?.(true)
    await expect.poll(() => [read.length, turns.length]).toEqual([soFar, soFar + 1])
  }
  await sender.close()
  turns[3]?.(true)
  await reading
  expect(read).toEqual(['000000', '000001', '', '000000'])
})

test('what is not read yet holds the sender up, and nothing piles up here', async () => {
  const [sender, receiver] = await streamPair()
  const { promise: first, resolve: given } = Promise.withResolvers<boolean>()
  const read = readAll(pulled(receiver, alone({ turn: () => first })))
  sender.send(frame(numbered(10), 100))
  await expect.poll(() => receiver.readStatus).toBe('paused')
  given(true)
  await sender.close()
  expect(await read).toHaveLength(10)
})

test('whoever is reset is not heard any more, and the reader hears of it', async () => {
  const [sender, receiver] = await streamPair()
  let given: (isHere: boolean) => void = () => {}
  const reading = readAll(
    pulled(
      receiver,
      alone({
        turn: () =>
          new Promise((resolve) => {
            given = resolve
          }),
      }),
    ),
  )
  reading.catch(() => {})
  sender.send(frame(numbered(1), 100))
  await expect.poll(() => receiver.readStatus).toBe('paused')
  receiver.abort(new Error('cut off'))
  given(true)
  await expect(reading).rejects.toThrow('cut off')
})

test('what waited for its turn until the connection closed is nobody’s word, and its stream ends', async () => {
  const [sender, receiver] = await streamPair()
  const { promise: isHere, resolve: ends } = Promise.withResolvers<boolean>()
  const read = readAll(pulled(receiver, alone({ turn: () => isHere })))
  sender.send(frame(numbered(3), 100))
  await expect.poll(() => receiver.readStatus).toBe('paused')
  await sender.close()
  ends(false)
  expect(await read).toEqual([])
})

test('a stream that gossipsub closes is read no further, though the sender goes on', async () => {
  const [sender, receiver] = await streamPair()
  const stream = pulled(receiver, alone())
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
  const { promise: first, resolve: given } = Promise.withResolvers<boolean>()
  const stream = pulled(
    receiver,
    alone({ turn: () => first, watch: () => unread.watch(receiver, { abort: () => {} }) }),
  )
  const read: string[] = []
  const reading = (async () => {
    for await (const rpc of decode(stream as unknown as AsyncIterable<Uint8Array>))
      read.push(new TextDecoder().decode(rpc.subarray()))
  })()
  await expect.poll(() => unread.total).toBe(7_000)
  given(true)
  await expect.poll(() => read.length).toBe(1_000)
  expect(read).toEqual(texts(all))
  expect(unread.total).toBe(0)
  await sender.close()
  await reading
})

test('an RPC in work is counted until it is through, though its stream has ended', async () => {
  const [sender, receiver] = await streamPair()
  const unread = new Unread({ maxUnreadBytes: 100_000 }, { note: () => {} })
  const connection = { abort: () => {} }
  const watch = () => unread.watch(receiver, connection)
  const working = (bytes: number) => unread.change(connection, bytes)
  const through: string[] = []
  const begin = async () => () => void through.push('through')
  const stream = pulled(receiver, alone({ watch, working, begin }))
  const rpcs = decode(stream as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const first = rpcs.next()
  sender.send(frame([new Uint8Array(6_000), new Uint8Array(500), new Uint8Array(500)], 6_000))
  await first
  await stream.close()
  sender.abort(new Error('gone'))
  await expect.poll(() => receiver.status).toBe('reset')
  expect([unread.total, through]).toEqual([6_000, []])
  // what came behind it is not handed on any more, and nobody hears of the end of a stream that was closed here
  expect(await rpcs.next()).toEqual({ done: true, value: undefined })
  expect([unread.total, through]).toEqual([0, ['through']])
})

test('a stream is read once it may begin; one that was closed or reset meanwhile makes room at once', async () => {
  const begun: (() => void)[] = []
  let through = 0
  const waiting = alone({
    begin: () =>
      new Promise((resolve) =>
        begun.push(() =>
          resolve(() => {
            through += 1
          }),
        ),
      ),
  })
  const [sender, receiver] = await streamPair()
  const [, closed] = await streamPair()
  const [other, reset] = await streamPair()
  const streams = [receiver, closed, reset].map((each) => pulled(each, waiting))
  const [read, ...ended] = streams.map((each) => readAll(each))
  for (const each of ended) each?.catch(() => {})
  sender.send(frame(numbered(10), 100))
  await expect.poll(() => receiver.readBufferLength).toBe(70)
  await streams[1]?.close()
  other.abort(new Error('gone'))
  await expect.poll(() => reset.status).toBe('reset')
  for (const begin of begun) begin()
  expect(await ended[0]).toEqual([])
  await expect(ended[1]).rejects.toThrow('reset')
  await expect.poll(() => through).toBe(2)
  await sender.close()
  expect(await read).toEqual(texts(numbered(10)))
  expect(through).toBe(3)
})
