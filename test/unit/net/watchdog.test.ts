import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { MAX_ALL_UNSENT_BYTES, MAX_UNSENT_BYTES, Watchdog } from '../../../src/net/watchdog.ts'

/** Looks twice at so many peers, of which the first leaves so much unread: those whose link is made anew, and why. */
function hungUp(peers: number, writeBufferLength: number): string[] {
  const gate = new Gate()
  const ids = Array.from({ length: peers }, (_, at) => `peer-${at}` as PeerId)
  for (const id of ids) gate.admit({ remotePeer: { toString: () => id } } as never)
  const gone: string[] = []
  const streamsOutbound = new Map(
    ids.map((id, at) => [
      id as string,
      { rawStream: { writeBufferLength: at === 0 ? writeBufferLength : 0 } },
    ]),
  )
  const watchdog = new Watchdog({
    gate,
    pubsub: { streamsOutbound, streamsInbound: streamsOutbound },
    limits: LIMITS,
    log: { note: ({ text }) => void gone.push(text) },
    hangUp: async (peer) => void gone.push(peer),
  })
  watchdog.look()
  expect(gone).toEqual([])
  watchdog.look()
  return gone
}

test('a peer that leaves more gossip unread than its part loses its link, and the part is smaller among many', () => {
  const anew = (bytes: number) => [
    `an admitted peer leaves ${bytes} bytes of gossip unread: the connection is made anew`,
    'peer-0',
  ]
  expect(hungUp(2, MAX_UNSENT_BYTES)).toEqual([])
  expect(hungUp(2, MAX_UNSENT_BYTES + 1)).toEqual(anew(MAX_UNSENT_BYTES + 1))
  expect(hungUp(512, MAX_ALL_UNSENT_BYTES / 512)).toEqual([])
  expect(hungUp(512, MAX_ALL_UNSENT_BYTES / 512 + 1)).toEqual(anew(MAX_ALL_UNSENT_BYTES / 512 + 1))
})

/** One admitted peer with a gossip stream each way, until a test takes one. */
function watched() {
  const gate = new Gate()
  const id = 'peer' as PeerId
  const remotePeer = { toString: () => id } as never
  const admit = () => gate.admit({ remotePeer } as never)
  admit()
  const streamsOutbound = new Map([[id as string, {}]])
  const streamsInbound = new Map([[id as string, {}]])
  const gone: PeerId[] = []
  const watchdog = new Watchdog({
    gate,
    pubsub: { streamsOutbound, streamsInbound },
    limits: LIMITS,
    log: { note: () => {} },
    hangUp: async (peer) => void gone.push(peer),
  })
  const looks = (count: number): number => {
    for (let look = 0; look < count; look += 1) watchdog.look()
    return gone.length
  }
  return { id, looks, admit, leave: () => gate.revoke(remotePeer), streamsInbound, streamsOutbound }
}

test.each(['streamsInbound', 'streamsOutbound'] as const)(
  'a peer without one of its %s loses its link at the second look, and again after two more',
  (which) => {
    const { id, looks, [which]: streams } = watched()
    expect(looks(9)).toBe(0)
    streams.delete(id)
    expect([looks(1), looks(1), looks(1), looks(1)]).toEqual([0, 1, 1, 2])
  },
)

test('a look that finds all well, or a link made anew, begins the count anew', () => {
  const { id, looks, admit, leave, streamsInbound } = watched()
  for (let time = 0; time < 3; time += 1) {
    streamsInbound.delete(id)
    expect(looks(1)).toBe(0)
    streamsInbound.set(id, {})
    expect(looks(1)).toBe(0)
  }
  streamsInbound.delete(id)
  expect(looks(1)).toBe(0)
  leave()
  expect(looks(1)).toBe(0)
  admit()
  expect([looks(1), looks(1)]).toEqual([0, 1])
})
