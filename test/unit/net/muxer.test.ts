import { multiaddrConnectionPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { boundedYamux, MAX_UNSENT_BYTES, MAX_WINDOW_BYTES } from '../../../src/net/muxer.ts'
import type { Decoding } from '../../../src/net/muxer-begun.ts'
import { boundFrames, type Framed, MAX_PONGS_UNSENT } from '../../../src/net/muxer-frames.ts'
import { Unread } from '../../../src/net/unread.ts'
import { many, opened, openedAndReset, pinged, sent, updated } from '../../integration/net/yamux-frames.ts'

/** A muxer at the answering end, what it hears given by hand, and the streams it has handed on. */
function answering({ capacity = Number.POSITIVE_INFINITY } = {}) {
  const turns: (() => void)[] = []
  const taken: string[] = []
  const [other, connection] = multiaddrConnectionPair({ capacity })
  const unread = new Unread({ maxUnreadBytes: 1_000_000 }, { note: () => {} })
  const turn = () => new Promise<void>((resolve) => turns.push(resolve))
  const muxer = boundedYamux(unread, LIMITS, turn)().createStreamMuxer(connection)
  muxer.addEventListener('stream', ({ detail }) => void taken.push(detail.id))
  const { decoder } = muxer as unknown as Decoding
  const hear = (bytes: Uint8Array) => (muxer as unknown as { onData(bytes: Uint8Array): void }).onData(bytes)
  return { turns, taken, hear, connection, other, unread, decoder, streams: muxer.streams }
}

test('streams wait in one line, each for its turn, and those that have ended are not in it', async () => {
  const { turns, taken, hear } = answering()
  hear(Buffer.concat([many(300, openedAndReset), opened(300), openedAndReset(301), opened(302)]))
  const ids: string[] = []
  for (const id of ['1601', '1605']) {
    await expect.poll(() => turns.length).toBe(1)
    expect(taken).toEqual(ids)
    turns.pop()?.()
    ids.push(id)
    await expect.poll(() => taken).toEqual(ids)
  }
  expect(turns).toEqual([])
})

test('who opens more streams than any peer would is refused, however short they live', () => {
  const { hear } = answering()
  hear(many(500, openedAndReset))
  expect(() => hear(many(2_000, openedAndReset))).toThrow(expect.objectContaining({ code: 'LIMIT_STREAMS' }))
})

test('frames with next to nothing in them are counted, long ones are not', () => {
  const { hear } = answering()
  hear(many(8_000, pinged))
  expect(() => hear(many(20_000, pinged))).toThrow(expect.objectContaining({ code: 'LIMIT_RATE' }))
  const other = answering()
  // of a stream that is not there: read and dropped
  other.hear(many(20_000, () => sent(0, Buffer.alloc(256))))
  expect(() => other.hear(many(20_000, () => sent(0, Buffer.alloc(255))))).toThrow(
    expect.objectContaining({ code: 'LIMIT_RATE' }),
  )
})

test('pings are answered while the answers are taken, and a few more; then the connection ends', async () => {
  const { hear, connection } = answering({ capacity: 1 })
  for (let round = 0; round < 3; round += 1) {
    // the first answers make the connection full
    hear(many(MAX_PONGS_UNSENT, pinged))
    await expect.poll(() => connection.writableNeedsDrain || connection.writeBufferLength > 0).toBe(false)
  }
  expect(() => hear(many(MAX_PONGS_UNSENT + 3, pinged))).toThrow(
    expect.objectContaining({ code: 'LIMIT_RATE' }),
  )
  expect(connection.writeBufferLength).toBeLessThan(12 * (MAX_PONGS_UNSENT + 3))
})

test('a busy link is full whenever it is looked at: what counts is that something left it since', () => {
  const carrier = Object.assign(new EventTarget(), { writableNeedsDrain: true })
  const muxer: Framed = { handleFrame: () => {}, incomingStream: () => {}, _newStream: () => expect.fail() }
  boundFrames(muxer, carrier)
  const ping = { header: { type: 2, flag: 1, length: 0 } }
  for (let round = 0; round < 3; round += 1) {
    for (let times = 0; times < MAX_PONGS_UNSENT; times += 1) muxer.handleFrame(ping)
    carrier.dispatchEvent(new Event('drain'))
  }
  for (let times = 0; times < MAX_PONGS_UNSENT; times += 1) muxer.handleFrame(ping)
  expect(() => muxer.handleFrame(ping)).toThrow(expect.objectContaining({ code: 'LIMIT_RATE' }))
})

test('what waits for one who takes nothing has an end, whatever it is', () => {
  const { connection } = answering({ capacity: 1 })
  const bytes = new Uint8Array(MAX_UNSENT_BYTES / 16)
  for (let round = 0; round < 20 && connection.status === 'open'; round += 1) connection.send(bytes)
  expect(connection.status).toBe('aborted')
})

test('of streams that always have more each has its turn on a full connection', async () => {
  const { hear, connection, other, streams } = answering({ capacity: 1 })
  const left: string[] = []
  other.addEventListener('message', ({ data }) => {
    const header = Buffer.from(data.subarray(0, 12))
    if (header.readUInt8(1) === 0) left.push(String(header.readUInt32BE(4)))
  })
  hear(many(3, opened))
  const all = [...streams]
  for (const stream of all) stream.addEventListener('idle', () => void stream.send(Buffer.alloc(9)))
  for (const stream of all) stream.send(Buffer.alloc(9))
  await expect.poll(() => left.length).toBeGreaterThan(8)
  connection.abort(new Error('the test is over'))
  expect(left.slice(0, 9)).toEqual(
    Array(3)
      .fill(all.map(({ id }) => id))
      .flat(),
  )
})

/** The header of a frame, and nothing of the data that is said to follow. */
const announced = (length: number): Buffer => {
  const header = sent(0, Buffer.of()).subarray(0, 12)
  header.writeUInt32BE(length, 8)
  return header
}

test.each([MAX_WINDOW_BYTES + 1, 0xffffffff])('of a frame of %i bytes nothing is waited for', (length) => {
  const { hear } = answering()
  hear(announced(length).subarray(0, 11))
  expect(() => hear(announced(length).subarray(11))).toThrow(expect.objectContaining({ code: 'LIMIT_BYTES' }))
})

test('a frame that has begun is counted until it is whole, or the connection ends', () => {
  const { hear, unread, connection } = answering()
  hear(Buffer.concat([updated(0), announced(MAX_WINDOW_BYTES)]))
  for (let part = 0; part < 3; part += 1) hear(Buffer.alloc(MAX_WINDOW_BYTES / 4))
  expect(unread.total).toBe(12 + (MAX_WINDOW_BYTES * 3) / 4)
  hear(Buffer.alloc(MAX_WINDOW_BYTES / 4))
  expect(unread.total).toBe(0)
  hear(sent(0, Buffer.alloc(1_000)).subarray(0, 900))
  expect(unread.total).toBe(900)
  connection.abort(new Error('gone'))
  expect(unread.total).toBe(0)
})

test('a frame that comes byte by byte is kept in few parts, and is whole at its end', () => {
  const { hear, unread, decoder } = answering()
  const bytes = sent(0, Buffer.alloc(2_000))
  for (const byte of bytes.subarray(0, -1)) {
    hear(Buffer.of(byte))
    expect([...decoder.buffer].length).toBeLessThan(300)
  }
  expect(unread.total).toBe(2_011)
  hear(bytes.subarray(-1))
  expect([unread.total, decoder.buffer.byteLength]).toEqual([0, 0])
})
