import type { Stream } from '@libp2p/interface'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import { writeMessages } from '../../../src/net/framing.ts'
import { boundedYamux, MAX_STREAM_UNSENT_BYTES } from '../../../src/net/muxer.ts'
import { Unread } from '../../../src/net/unread.ts'

const KIB = 1024

/** Streams of yamux on a connection that is full, and takes so many frames at each `drain`. */
async function streams(limits: Limits = LIMITS) {
  const [connection] = multiaddrConnectionPair()
  const link = { room: 0 }
  connection.send = () => {
    link.room -= 1
    return link.room > 0
  }
  const unread = new Unread(LIMITS, { note: () => {} })
  const muxer = boundedYamux(unread, limits)().createStreamMuxer(connection)
  const [small, large] = [await muxer.createStream(), await muxer.createStream()]
  expect([small, large].map((stream) => stream.writableNeedsDrain)).toEqual([true, true])
  const drain = async (room: number) => {
    link.room = room
    connection.dispatchEvent(new Event('drain'))
    await new Promise(setImmediate)
  }
  return { small, large, link, drain, connection }
}

function written(stream: Stream, bytes: number) {
  const state: { is: string; code?: string | undefined } = { is: 'under way' }
  writeMessages(stream, [new Uint8Array(bytes)], bytes, AbortSignal.timeout(10_000)).then(
    () => {
      state.is = 'written'
    },
    (error: Error) => {
      state.is = error.message
      state.code = error instanceof MeshError ? error.code : undefined
    },
  )
  return state
}

test('a message that has left counts as written, whatever streams behind it write in the same moment', async () => {
  const { small, large, drain } = await streams()
  const [answer, block] = [written(small, 100), written(large, 200 * KIB)]
  await drain(2)
  expect([small, large].map((stream) => stream.writeBufferLength)).toEqual([0, 0])
  expect([answer.is, block.is]).toEqual(['written', 'under way'])
  await drain(2)
  expect(block.is).toBe('written')
})

test('one that fills the connection itself, or stays behind another, is not written before the next drain', async () => {
  const { small, large, drain } = await streams()
  const [answer, block] = [written(small, 100), written(large, 200 * KIB)]
  await drain(1)
  expect([answer.is, block.is]).toEqual(['under way', 'under way'])
  await drain(1)
  expect([answer.is, block.is]).toEqual(['written', 'under way'])
})

test('what is too long for its stream is not written', async () => {
  const { large } = await streams()
  const answer = written(large, MAX_STREAM_UNSENT_BYTES + 300 * KIB)
  await expect.poll(() => answer.is).toBe('the stream is aborted')
})

test('streams take the longest run that the limits allow', async () => {
  const maxSyncRunBytes = 4 * 1024 * KIB
  const { large, drain } = await streams({ ...LIMITS, maxSyncRunBytes })
  await drain(100)
  const answer = written(large, maxSyncRunBytes)
  await new Promise(setImmediate)
  expect([large.status, answer.is]).toEqual(['open', 'under way'])
  large.abort(new Error('over'))
})

test('what ends a stream is what the message that waits on it is told', async () => {
  const { small, large, connection } = await streams()
  const [aborted, gone] = [written(small, 100), written(large, 100)]
  small.abort(new MeshError('LIMIT_BYTES', 'too much was said meanwhile'))
  connection.dispatchEvent(new Event('close'))
  await expect.poll(() => aborted).toEqual({ is: 'too much was said meanwhile', code: 'LIMIT_BYTES' })
  await expect.poll(() => gone).toEqual({ is: 'the stream has ended' })
})
