/** Once a request has ended no timer of it is left, however it ended. */
import type { Connection, Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { afterEach, expect, test, vi } from 'vitest'
import { encodeReply } from '../../../src/codec/messages.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { Deadline } from '../../../src/net/deadline.ts'
import { frame } from '../../../src/net/framing.ts'
import { Line } from '../../../src/net/line.ts'
import { protocolRules } from '../../../src/net/protocols.ts'
import { Unread } from '../../../src/net/unread.ts'

const want: AnyRequest = { protocol: 'blocks', message: { type: 'want', digest: 'd'.repeat(64) as Digest } }
const GONE = new MeshError('NET_UNREACHABLE', 'the connection is gone')
afterEach(() => void vi.restoreAllMocks())

/** Deadlines that run. */
function running() {
  const all = new Set<Deadline>()
  const { arm, clear } = Deadline.prototype
  vi.spyOn(Deadline.prototype, 'arm').mockImplementation(function (this: Deadline, ms) {
    arm.call(this, ms)
    all.add(this)
  })
  vi.spyOn(Deadline.prototype, 'clear').mockImplementation(function (this: Deadline) {
    clear.call(this)
    all.delete(this)
  })
  return all
}

function lineOn(newStream: () => Promise<Stream>): Line {
  const limits = { ...LIMITS, maxStreams: { ...LIMITS.maxStreams, blocks: 1 }, maxQueuedRequests: 1 }
  const unread = new Unread(limits, { note: () => {} })
  return new Line({ newStream } as unknown as Connection, protocolRules(limits).blocks, limits, unread)
}

test('answered', async () => {
  const all = running()
  const [ours, theirs] = await streamPair()
  theirs.addEventListener('message', () => {
    theirs.send(frame([encodeReply('blocks', { type: 'gone' })], 1_000))
  })
  const line = lineOn(async () => ours)
  await line.warm()
  expect(all.size).toBe(0)
  const asking = line.ask(want, 60_000, () => {})
  expect(all.size).toBe(1)
  await asking
  expect(all.size).toBe(0)
})

test('cut off, while it is answered and while it waits, refused, or without a stream', async () => {
  const all = running()
  const [ours, theirs] = await streamPair()
  const asked = new Promise((resolve) => theirs.addEventListener('message', resolve))
  const line = lineOn(async () => ours)
  const asking = [1, 2, 3].map(() => line.ask(want, 60_000, () => {}))
  await expect(asking[2]).rejects.toMatchObject({ code: 'LIMIT_STREAMS' })
  await asked
  expect(all.size).toBe(2)
  line.close(GONE)
  for (const ask of asking.slice(0, 2)) await expect(ask).rejects.toBe(GONE)
  await expect(line.ask(want, 60_000, () => {})).rejects.toBe(GONE)
  const without = lineOn(async () => {
    throw new Error('none')
  })
  await expect(without.ask(want, 60_000, () => {})).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(all.size).toBe(0)
})
