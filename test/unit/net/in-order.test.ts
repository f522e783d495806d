import type { Connection } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { decodeRequest, encodeReply } from '../../../src/codec/messages.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../../src/model/messages.ts'
import { frame } from '../../../src/net/framing.ts'
import { MOST_UNANSWERED } from '../../../src/net/in-order.ts'
import { Line } from '../../../src/net/line.ts'
import { protocolRules } from '../../../src/net/protocols.ts'
import { MessageReader } from '../../../src/net/reader.ts'
import { Unread } from '../../../src/net/unread.ts'

const RELEASE = 'd'.repeat(64) as ReleaseId
const RULES = protocolRules(LIMITS).publish

const block = (bytes: number, fill = 0): AnyRequest => ({
  protocol: 'publish',
  message: { type: 'block', release: RELEASE, bytes: new Uint8Array(bytes).fill(fill) },
})

async function* many(count: number, bytes = 8): AsyncGenerator<AnyRequest> {
  for (let index = 0; index < count; index += 1) yield block(bytes, index)
}

/** The other side answers when the test says so. */
async function lineTo() {
  const [ours, theirs] = await streamPair()
  let opened = 0
  const newStream: Connection['newStream'] = async () => {
    opened += 1
    return ours
  }
  const unread = new Unread(LIMITS, { note: () => {} })
  const line = new Line({ newStream } as Connection, RULES, LIMITS, unread)
  const messages = new MessageReader(theirs, {
    what: 'test',
    maxBytes: RULES.maxRequestBytes,
    // as the side that answers bounds it
    maxWaitingBytes: 2 * RULES.maxRequestBytes,
  })
  const got: number[] = []
  const reading = (async () => {
    for (;;) {
      const request = decodeRequest('publish', await messages.read(AbortSignal.timeout(10_000)), LIMITS)
      if ('bytes' in request.message) got.push(request.message.bytes[0] ?? -1)
    }
  })().catch(() => {})
  const answer = (type: 'noted' | 'refused' = 'noted') =>
    theirs.send(
      frame(
        [
          encodeReply(
            'publish',
            type === 'noted' ? { type } : { type, code: 'LIMIT_RATE', text: 'no', retryAfterMs: 1 },
          ),
        ],
        1_000,
      ),
    )
  return { line, ours, got, answer, reading, opened: () => opened, unread }
}

const ignore = () => {}

test('many small ones are under way before the first is answered, and each answer lets one more go', async () => {
  const { line, got, answer, opened } = await lineTo()
  const replies: [string, number][] = []
  const asking = line.askInOrder(many(MOST_UNANSWERED + 5), 10_000, (reply, request) => {
    if ('bytes' in request.message) replies.push([reply.message.type, request.message.bytes[0] ?? -1])
  })
  await expect.poll(() => got.length).toBe(MOST_UNANSWERED)
  for (let more = 1; more <= 5; more += 1) {
    answer()
    await expect.poll(() => got.length).toBe(MOST_UNANSWERED + more)
  }
  for (let left = 0; left < MOST_UNANSWERED; left += 1) answer()
  await asking
  const inOrder = Array.from({ length: MOST_UNANSWERED + 5 }, (_, index) => ['noted', index])
  expect([replies, opened()]).toEqual([inOrder, 1])
})

test('of large ones two are: no more than the other side holds beside the one that it is at', async () => {
  const { line, ours, got, answer } = await lineTo()
  const asking = line.askInOrder(many(4, LIMITS.maxBlockBytes), 10_000, ignore)
  await expect.poll(() => got.length).toBe(2)
  expect(ours.writeBufferLength).toBe(0)
  answer()
  await expect.poll(() => got.length).toBe(3)
  for (let left = 0; left < 3; left += 1) answer()
  await asking
  expect(got).toEqual([0, 1, 2, 3])
})

test('the stream is used again, and nothing is held of it', async () => {
  const { line, got, answer, opened, unread } = await lineTo()
  for (const round of [1, 2]) {
    const asking = line.askInOrder(many(1), 10_000, ignore)
    await expect.poll(() => got.length).toBe(round)
    answer()
    await asking
  }
  expect([opened(), unread.total]).toEqual([1, 0])
})

test('a refusal ends it as what it is thrown as: no more is taken, and the stream is no longer used', async () => {
  const { line, ours, got, answer } = await lineTo()
  const refusal = new MeshError('ORDER_STALE', 'overtaken')
  let isEnded = false
  async function* requests() {
    try {
      yield* many(MOST_UNANSWERED + 50)
    } finally {
      isEnded = true
    }
  }
  const asking = line.askInOrder(requests(), 10_000, ({ message }: AnyReply) => {
    if (message.type === 'refused') throw refusal
  })
  await expect.poll(() => got.length).toBe(MOST_UNANSWERED)
  answer('refused')
  await expect(asking).rejects.toBe(refusal)
  expect([isEnded, ours.status]).toEqual([true, 'aborted'])
})

test('where the next cannot be had, what was sent before is answered, and the reason is what it was', async () => {
  const { line, got, answer } = await lineTo()
  const lost = new Error('EIO')
  let answered = 0
  async function* requests() {
    yield* many(3)
    throw lost
  }
  const asking = line.askInOrder(requests(), 10_000, () => {
    answered += 1
  })
  await expect.poll(() => got.length).toBe(3)
  for (let left = 0; left < 3; left += 1) answer()
  await expect(asking).rejects.toBe(lost)
  expect(answered).toBe(3)
})

test('each has its time from when it is the next: what is not asked yet has none, and silence ends it', async () => {
  const { line, ours, got, answer } = await lineTo()
  const limits = { timeoutMs: 400 }
  const { promise, resolve } = Promise.withResolvers<void>()
  async function* requests() {
    yield* many(2)
    await promise
    yield* many(2)
  }
  const begunMs = performance.now()
  const asking = line.askInOrder(requests(), limits.timeoutMs, ignore)
  const ended = expect(asking).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  await expect.poll(() => got.length).toBe(2)
  answer()
  answer()
  // nothing is unanswered for longer than an answer may take
  await expect.poll(() => performance.now() - begunMs, { interval: 50 }).toBeGreaterThan(2 * limits.timeoutMs)
  resolve()
  await expect.poll(() => got.length).toBe(4)
  answer()
  await ended
  expect(ours.status).toBe('aborted')
})

test('silence ends what waits for room, too', async () => {
  const { line, ours } = await lineTo()
  const asking = line.askInOrder(many(MOST_UNANSWERED + 1), 200, ignore)
  await expect(asking).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  expect(ours.status).toBe('aborted')
})

test('the end of the connection ends it, and what is asked after it', async () => {
  const { line, got } = await lineTo()
  const gone = new MeshError('NET_UNREACHABLE', 'the connection is gone')
  const asking = line.askInOrder(many(1), 10_000, ignore)
  await expect.poll(() => got.length).toBe(1)
  line.close(gone)
  await expect(asking).rejects.toBe(gone)
  await expect(line.askInOrder(many(1), 10_000, ignore)).rejects.toBe(gone)
})
