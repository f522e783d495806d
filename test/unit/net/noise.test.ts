import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter, MessageStream, StreamMessageEvent } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'
import { afterEach, expect, test, vi } from 'vitest'
import { SHORT_BURST } from '../../../src/net/muxer-frames.ts'
import { nativeNoise } from '../../../src/net/noise.ts'

afterEach(() => void vi.useRealTimers())

/** Shorter and longer than one message of noise, and on both sides of what has another cipher, and is carried on in parts. */
const LENGTHS = [1, 100, 511, 512, 16_384, 16_385, 65_519, 65_520, 262_200]
const MOST_BYTES = 65_519

async function encrypter(
  factory: ReturnType<typeof noise>,
  { log }: MessageStream,
): Promise<ConnectionEncrypter> {
  const privateKey = await generateKeyPair('Ed25519')
  const upgrader = { getStreamMuxers: () => new Map() }
  const logger = { forComponent: () => log }
  return factory({ privateKey, peerId: peerIdFromPrivateKey(privateKey), logger, upgrader } as never)
}

/** Both ends, secured; `wire` is what carries the first one's bytes. */
async function secured(ours: ReturnType<typeof noise>, theirs: ReturnType<typeof noise>) {
  const [wire, other] = multiaddrConnectionPair()
  const [a, b] = [await encrypter(ours, wire), await encrypter(theirs, other)]
  const [{ connection: near }, { connection: far }] = await Promise.all([
    a.secureOutbound(wire),
    b.secureInbound(other),
  ])
  return { near, far, wire }
}

const bytesOf = (length: number): Uint8Array => new Uint8Array(length).map((_, at) => (at * 7) % 253)

/** In three parts, the first two of a few bytes, as a block's message has them. */
const inParts = (bytes: Uint8Array): Uint8ArrayList =>
  new Uint8ArrayList(bytes.subarray(0, 12), bytes.subarray(12, 40), bytes.subarray(40))

async function carried(from: MessageStream, to: MessageStream, bytes: Uint8Array): Promise<Uint8Array> {
  const come = new Uint8ArrayList()
  const all = new Promise<void>((resolve) => {
    to.addEventListener('message', ({ data }: StreamMessageEvent) => {
      come.append(data)
      if (come.byteLength >= bytes.byteLength) resolve()
    })
  })
  from.send(bytes.byteLength > 40 ? inParts(bytes) : bytes)
  await all
  return new Uint8Array(come.subarray())
}

test.each(LENGTHS)(
  '%i bytes come as they were sent, to and from a libp2p with its own cipher',
  async (length) => {
    const bytes = bytesOf(length)
    const there = await secured(nativeNoise(), noise())
    expect(await carried(there.near, there.far, bytes)).toEqual(bytes)
    const back = await secured(noise(), nativeNoise())
    expect(await carried(back.near, back.far, bytes)).toEqual(bytes)
    const own = await secured(nativeNoise(), nativeNoise())
    expect(await carried(own.near, own.far, bytes)).toEqual(bytes)
  },
)

test('long text is not copied on its way through the cipher', async () => {
  const { near, far } = await secured(nativeNoise(), nativeNoise())
  const parts: number[] = []
  far.addEventListener('message', ({ data }: StreamMessageEvent) => {
    for (const part of data as Uint8ArrayList) parts.push(part.byteLength)
  })
  near.send(inParts(bytesOf(MOST_BYTES)))
  await expect.poll(() => parts).toEqual([12, 28, MOST_BYTES - 40])
})

test.each([
  ['long', 50_000, 30_000],
  ['tiny', 100, 60],
])(
  'a single bit of a %s message that flipped ends the connection, and nothing of it is handed on',
  async (_, length, flipped) => {
    const { near, far, wire } = await secured(nativeNoise(), nativeNoise())
    const come: unknown[] = []
    far.addEventListener('message', ({ data }: StreamMessageEvent) => come.push(data))
    const send = wire.send.bind(wire)
    wire.send = (data) => {
      const bytes = new Uint8Array(data.subarray())
      bytes[flipped] = (bytes[flipped] ?? 0) ^ 1
      return send(bytes)
    }
    near.send(bytesOf(length))
    await expect.poll(() => far.status).toBe('aborted')
    expect(come).toEqual([])
  },
)

test('a message without its tag ends the connection', async () => {
  const { far, wire } = await secured(nativeNoise(), nativeNoise())
  wire.send(Uint8Array.of(0, 3, 1, 2, 3))
  await expect.poll(() => far.status).toBe('aborted')
})

/** What encrypts at one end and reads at the other, called by hand. */
interface Inner {
  readonly handshake: { encrypt(bytes: Uint8Array): Uint8Array | Uint8ArrayList }
  readonly decoder: { readonly buffer: Uint8ArrayList; decode(bytes: Uint8Array): Iterable<Uint8ArrayList> }
  decrypt(message: Uint8ArrayList): Uint8Array | Uint8ArrayList
}
async function inner(): Promise<[Inner, Inner]> {
  const { near, far } = await secured(nativeNoise(), nativeNoise())
  return [near as unknown as Inner, far as unknown as Inner]
}

test('a message with nothing in it ends the connection', async () => {
  const { near, far, wire } = await secured(nativeNoise(), nativeNoise())
  const ended = new Promise((resolve) => far.addEventListener('close', ({ error }) => resolve(error)))
  const { handshake } = near as unknown as Inner
  wire.send(new Uint8ArrayList(Uint8Array.of(0, 16), handshake.encrypt(new Uint8Array())))
  expect(await ended).toMatchObject({ code: 'CODEC_MALFORMED' })
})

test('messages with next to nothing in them have a rate; what is left of a long one does not count', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const [near, far] = await inner()
  const said = (length: number) => new Uint8ArrayList(near.handshake.encrypt(new Uint8Array(length)))
  const hear = (...lengths: readonly number[]) =>
    lengths.map((length) => far.decrypt(said(length)).byteLength)
  for (let count = 0; count < SHORT_BURST; count += 1) hear(255)
  expect(hear(256, MOST_BYTES, 1, 10_000)).toEqual([256, MOST_BYTES, 1, 10_000])
  const oneMore = said(1)
  expect(() => far.decrypt(oneMore)).toThrow(expect.objectContaining({ code: 'LIMIT_RATE' }))
  vi.advanceTimersByTime(2_000)
  far.decrypt(oneMore)
  expect(hear(...Array<number>(1_000).fill(12))).toHaveLength(1_000)
})

test('a message that comes byte by byte is kept in few parts, and is whole at its end', async () => {
  const [near, { decoder }] = await inner()
  const text = new Uint8Array(near.handshake.encrypt(bytesOf(1_000)).subarray())
  for (const byte of [text.length >> 8, text.length & 255, ...text.subarray(0, -1)]) {
    expect([...decoder.decode(Uint8Array.of(byte))]).toEqual([])
    expect([...decoder.buffer].length).toBeLessThan(70)
  }
  const [whole] = decoder.decode(text.subarray(-1))
  expect(new Uint8Array(whole?.subarray() ?? [])).toEqual(text)
})
