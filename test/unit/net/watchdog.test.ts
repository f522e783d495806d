import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { MAX_ALL_UNSENT_BYTES, MAX_UNSENT_BYTES, Watchdog } from '../../../src/net/watchdog.ts'

/** Looks twice at so many peers, of which the first leaves so much unread: those whose link is made anew. */
function hungUp(peers: number, writeBufferLength: number): PeerId[] {
  const gate = new Gate()
  const ids = Array.from({ length: peers }, (_, at) => `peer-${at}` as PeerId)
  for (const id of ids) gate.admit({ remotePeer: { toString: () => id } } as never)
  const gone: PeerId[] = []
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
    log: { note: () => {} },
    hangUp: async (peer) => void gone.push(peer),
  })
  watchdog.look()
  expect(gone).toEqual([])
  watchdog.look()
  return gone
}

test('a peer that leaves more gossip unread than its part loses its link, and the part is smaller among many', () => {
  expect(hungUp(2, MAX_UNSENT_BYTES)).toEqual([])
  expect(hungUp(2, MAX_UNSENT_BYTES + 1)).toEqual(['peer-0'])
  expect(hungUp(512, MAX_ALL_UNSENT_BYTES / 512)).toEqual([])
  expect(hungUp(512, MAX_ALL_UNSENT_BYTES / 512 + 1)).toEqual(['peer-0'])
})
