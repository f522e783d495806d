import type { Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, test } from 'vitest'
import { frame } from '../../../src/net/framing.ts'
import { MessageReader } from '../../../src/net/reader.ts'

const OPTIONS = { what: 'test', maxBytes: 200_000, maxWaitingBytes: 400_000 }
const inTime = () => AbortSignal.timeout(20_000)
const bytesOf = (messages: readonly Uint8Array[]): Uint8Array => frame(messages, 300_000).subarray()

/** What comes is given by hand, part by part, as a muxer does. */
async function reading(options = OPTIONS) {
  const [sender, stream] = await streamPair()
  const { onData } = stream as unknown as { onData(data: Uint8Array | Uint8ArrayList): void }
  const hear = (data: Uint8Array | Uint8ArrayList) => onData.call(stream, data)
  return { sender, stream, hear, reader: new MessageReader(stream, options) }
}

const some = (length: number, salt = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 31 + salt) & 0xff)

test('messages come in order, whole, and what is sent later is waited for', async () => {
  const { hear, reader } = await reading()
  const first = reader.read(inTime())
  hear(bytesOf([some(3), some(0), some(70_000)]))
  expect(await first).toEqual(some(3))
  expect(await reader.read(inTime())).toEqual(some(0))
  expect(Buffer.compare(await reader.read(inTime()), some(70_000))).toBe(0)
  const later = reader.read(inTime())
  for (const byte of bytesOf([some(200, 1)])) hear(Uint8Array.of(byte))
  expect(await later).toEqual(some(200, 1))
})

test('what is read in time may be many times what may wait', async () => {
  const { hear, reader } = await reading({ ...OPTIONS, maxWaitingBytes: 200 })
  for (let round = 0; round < 20; round += 1) {
    hear(bytesOf([some(90), some(90)]))
    expect((await reader.read(inTime())).length + (await reader.read(inTime())).length).toBe(180)
  }
})

/** CPU of this process, milliseconds: what others do meanwhile is not in it. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** Until every byte by itself has been heard. */
function costOf(bytes: Uint8Array, hear: (part: Uint8Array) => void): number {
  const since = cpuMs()
  for (let at = 0; at < bytes.length; at += 1) hear(bytes.subarray(at, at + 1))
  return cpuMs() - since
}

test('a message in parts of one byte costs what its parts cost, however many they are', async () => {
  const { hear, reader } = await reading()
  // one byte of the next, so that what was read cannot be dropped whole
  const bytes = Buffer.concat([bytesOf([some(100_000)]), Buffer.of(5)])
  const unread = await streamPair()
  unread[1].addEventListener('message', () => {})
  const { onData } = unread[1] as unknown as { onData(data: Uint8Array): void }
  const partsMs = costOf(bytes, (part) => onData.call(unread[1], part))
  const hearMs = costOf(bytes, hear)
  const since = cpuMs()
  expect(await lengthOf(reader)).toBe(100_000)
  expect(hearMs + cpuMs() - since).toBeLessThan(5 * partsMs)
})

/** Of the next message, so that no failure prints all of it. */
const lengthOf = async (reader: MessageReader): Promise<number> => (await reader.read(inTime())).byteLength

describe('is refused with LIMIT_BYTES', () => {
  test.each([
    ['a length of 4 GiB', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f)],
    ['a length without an end', new Uint8Array(9).fill(0x80)],
    ['a length of one byte more than allowed', Uint8Array.of(0xc1, 0x9a, 0x0c)],
  ])('%s, before its bytes come, and what was whole before is read', async (_what, length) => {
    const { hear, reader } = await reading()
    hear(Buffer.concat([bytesOf([some(5)]), length]))
    expect(await reader.read(inTime())).toEqual(some(5))
    await expect(lengthOf(reader)).rejects.toMatchObject({ code: 'LIMIT_BYTES' })
  })

  test.each([
    ['more bytes than may wait', () => bytesOf([some(200_000), some(200_000), some(9)])],
    [
      'a third message that is not whole',
      () => bytesOf([some(200_000), some(200_000), some(9)]).subarray(0, -1),
    ],
    ['more messages than may wait, with nothing in them', () => new Uint8Array(10_000)],
  ])('%s, and the stream is reset', async (_what, bytes) => {
    const { stream, hear, reader } = await reading()
    hear(bytes())
    await expect(lengthOf(reader)).rejects.toMatchObject({ code: 'LIMIT_BYTES' })
    await expect.poll(() => stream.status).toBe('aborted')
  })
})

describe('the end of a stream', () => {
  const ended = async (end: (sender: Stream) => unknown) => {
    const { sender, stream, reader } = await reading()
    sender.send(bytesOf([some(7)]))
    sender.send(Uint8Array.of(9, 1))
    await expect.poll(() => stream.readBufferLength).toBe(0)
    expect(await reader.read(inTime())).toEqual(some(7))
    const next = reader.read(inTime())
    next.catch(() => {})
    await end(sender)
    return next
  }

  test('in the middle of a message', async () => {
    await expect(ended((sender) => sender.close())).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  })

  test('by a reset', async () => {
    await expect(ended((sender) => sender.abort(new Error('no more')))).rejects.toThrow('reset')
  })

  test('comes after what was whole before it', async () => {
    const { sender, stream, reader } = await reading()
    sender.send(bytesOf([some(7), some(8)]))
    await sender.close()
    await expect.poll(() => stream.remoteWriteStatus).toBe('closed')
    expect([await reader.read(inTime()), await reader.read(inTime())]).toEqual([some(7), some(8)])
    await expect(reader.read(inTime())).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  })
})

test('a read that is given up leaves the message to the next', async () => {
  const { hear, reader } = await reading()
  const over = new AbortController()
  const first = reader.read(over.signal)
  const bytes = bytesOf([some(50)])
  hear(bytes.subarray(0, 20))
  over.abort()
  await expect(first).rejects.toMatchObject({ name: 'AbortError' })
  hear(new Uint8ArrayList(bytes.subarray(20, 30), bytes.subarray(30)))
  expect(await reader.read(inTime())).toEqual(some(50))
  await expect(reader.read(over.signal)).rejects.toMatchObject({ name: 'AbortError' })
})
