import type { Connection, Stream } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { expect, test } from 'vitest'
import { GossipStreams } from '../../../src/net/gossip-streams.ts'

const PROTOCOLS = ['/meshsub/1.2.0', '/meshsub/1.1.0']

/** One connection, whose other side answers when the test says so. */
function connected({ isAdmitted = true } = {}) {
  const asked: unknown[][] = []
  const openings: PromiseWithResolvers<Stream>[] = []
  let told = 0
  const connection = {
    direction: 'inbound',
    newStream: (...args: unknown[]) => {
      asked.push(args)
      const opening = Promise.withResolvers<Stream>()
      openings.push(opening)
      return opening.promise
    },
  } as unknown as Connection
  const streams = new GossipStreams((which) => {
    expect(which).toBe(connection)
    told += 1
    return isAdmitted
  })
  const standIn = streams.of(connection)
  return {
    standIn,
    asked,
    /** As gossipsub does. */
    ask: (as = standIn) => as.newStream(PROTOCOLS, { runOnLimitedConnection: false }),
    askAsAnother: () => streams.of(connection).newStream(PROTOCOLS),
    settle: async (how: (opening: PromiseWithResolvers<Stream>) => void) => {
      for (const opening of openings.splice(0)) how(opening)
      await expect.poll(() => told).toBeGreaterThan(0)
    },
  }
}

test('nobody waits for an answer: a stream is opened once, as asked, and handed over when it stands', async () => {
  const { standIn, asked, ask, askAsAnother, settle } = connected()
  expect(standIn.direction).toBe('inbound')
  await expect(ask()).rejects.toThrow('being opened')
  await expect(askAsAnother()).rejects.toThrow('being opened')
  expect(asked).toEqual([[PROTOCOLS, { runOnLimitedConnection: false }]])
  const [stream] = await streamPair()
  await settle(({ resolve }) => resolve(stream))
  expect(await askAsAnother()).toBe(stream)
  // asked once more it has ended since
  await expect(ask()).rejects.toThrow('being opened')
  expect(asked).toHaveLength(2)
})

test('why none could be opened is told to whoever asks next, and then one is opened anew', async () => {
  const { asked, ask, settle } = connected()
  await expect(ask()).rejects.toThrow('being opened')
  await settle(({ reject }) => reject(new Error('no answer')))
  await expect(ask()).rejects.toThrow('no answer')
  await expect(ask()).rejects.toThrow('being opened')
  expect(asked).toHaveLength(2)
})

test('a stream that stands when its peer is not admitted any more is reset', async () => {
  const { ask, settle } = connected({ isAdmitted: false })
  await expect(ask()).rejects.toThrow('being opened')
  const [stream] = await streamPair()
  await settle(({ resolve }) => resolve(stream))
  expect(stream.status).toBe('aborted')
  await expect(ask()).rejects.toThrow('being opened')
})

test('a stream that has ended before it is handed over is none', async () => {
  const { ask, settle } = connected()
  await expect(ask()).rejects.toThrow('being opened')
  const [stream] = await streamPair()
  await settle(({ resolve }) => resolve(stream))
  stream.abort(new Error('reset'))
  await expect(ask()).rejects.toThrow('ended before')
})
