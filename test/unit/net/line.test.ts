import type { Connection, Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { encodeReply } from '../../../src/codec/messages.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../../src/model/messages.ts'
import { frame } from '../../../src/net/framing.ts'
import { Line } from '../../../src/net/line.ts'
import { protocolRules } from '../../../src/net/protocols.ts'
import { Unread } from '../../../src/net/unread.ts'

const want: AnyRequest = { protocol: 'blocks', message: { type: 'want', digest: 'd'.repeat(64) as Digest } }
const GONE = new MeshError('NET_UNREACHABLE', 'the connection is gone')

/** A line for blocks, its streams opened when the test says so; whatever is asked on them is answered. */
function lineOf({ blocks = 8, blockDeadlineMs = 10_000 } = {}) {
  const limits = { ...LIMITS, blockDeadlineMs, maxStreams: { ...LIMITS.maxStreams, blocks } }
  const opening: PromiseWithResolvers<Stream>[] = []
  const newStream: Connection['newStream'] = (_protocols, { signal } = {}) => {
    const stream = Promise.withResolvers<Stream>()
    signal?.addEventListener('abort', () => stream.reject(signal.reason))
    opening.push(stream)
    return stream.promise
  }
  const connection = { newStream } as Connection
  const line = new Line(
    connection,
    protocolRules(limits).blocks,
    limits,
    new Unread(limits, { note: () => {} }),
  )
  const open = async ({ answers = Number.POSITIVE_INFINITY } = {}) => {
    const [ours, theirs] = await streamPair()
    let answered = 0
    theirs.addEventListener('message', () => {
      answered += 1
      if (answered <= answers) theirs.send(frame([encodeReply('blocks', { type: 'gone' })], 1_000))
      else void theirs.close()
    })
    opening.at(-1)?.resolve(ours)
    return ours
  }
  const replies: AnyReply[] = []
  const ask = () => line.ask(want, 20_000, (reply) => replies.push(reply))
  return { line, opening, open, ask, replies }
}

test('one stream is opened, however often it is wanted, and requests go out on it', async () => {
  const { line, opening, open, ask, replies } = lineOf()
  const warming = [line.warm(), line.warm()]
  await open()
  await Promise.all(warming)
  await line.warm()
  await ask()
  await line.warm()
  expect(replies).toHaveLength(1)
  expect(opening).toHaveLength(1)
})

test('none is opened beside a request that opens its own, nor on a line that is closed', async () => {
  const { line, opening, open, ask } = lineOf()
  const asking = ask()
  await expect.poll(() => opening).toHaveLength(1)
  await line.warm()
  await open()
  await asking
  line.close(GONE)
  await line.warm()
  expect(opening).toHaveLength(1)
})

test('a stream that comes after the end of its line is reset', async () => {
  const { line, open } = lineOf()
  const warming = line.warm()
  line.close(GONE)
  const stream = await open()
  await warming
  expect(stream.status).toBe('aborted')
})

test('where none comes, that is no failure, and its place is given to the request that waits for it', async () => {
  const { line, opening, open, ask, replies } = lineOf({ blocks: 1 })
  const warming = line.warm()
  const asking = ask()
  opening[0]?.reject(new Error('the peer does not speak this'))
  await warming
  await expect.poll(() => opening).toHaveLength(2)
  await open()
  await asking
  expect(replies).toHaveLength(1)
})

test('what is closed while a request is on its way to it was idle: the request goes out once more, on a new one', async () => {
  const { line, opening, open, ask, replies } = lineOf()
  const warming = line.warm()
  const stood = await open({ answers: 1 })
  await warming
  await ask()
  const asking = ask()
  await expect.poll(() => opening).toHaveLength(2)
  await open()
  await asking
  expect(replies).toHaveLength(2)
  expect(stood.status).toBe('aborted')
})

test('a peer that closes a new stream without an answer is not asked again', async () => {
  const { line, opening, open, ask } = lineOf()
  const warming = line.warm()
  await open({ answers: 0 })
  await warming
  const asking = ask()
  const failed = expect(asking).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  await expect.poll(() => opening).toHaveLength(2)
  await open({ answers: 0 })
  await failed
  expect(opening).toHaveLength(2)
  const third = expect(ask()).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  await expect.poll(() => opening).toHaveLength(3)
  await open({ answers: 0 })
  await third
  expect(opening).toHaveLength(3)
})

test('a peer that never agrees on the protocol is given up', async () => {
  const { line, opening } = lineOf({ blockDeadlineMs: 20 })
  await line.warm()
  await expect(opening[0]?.promise).rejects.toThrow('timeout')
})
