import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { Gossip, type GossipParts, gossipOptions, topicNames } from '../../../src/net/gossip.ts'
import { Pace } from '../../../src/net/pace.ts'

const FLEET = 'f1ee7'.padEnd(64, '0') as FleetId

interface Receiver {
  readonly mesh: Map<string, Set<string>>
  readonly streamsOutbound: Map<string, object>
  validateReceivedMessage(from: object, message: object): Promise<object>
}

/** A real gossipsub with one neighbour in the mesh, which is told of what comes from others. */
function told() {
  const log = Object.assign(() => {}, { error() {}, trace() {} })
  const settings = { fleetId: FLEET, region: 'default', seed: false, gate: new Gate(), limits: LIMITS }
  const options = gossipOptions({ ...settings, pace: new Pace(LIMITS) })
  const real = gossipsub(options)({ logger: { forComponent: () => log } } as never)
  const listeners = new Map<string, () => void>()
  const addEventListener = (type: string, listener: () => void) => void listeners.set(type, listener)
  const pubsub = Object.assign(real, { subscribe: vi.fn(), addEventListener })
  new Gossip({ ...settings, pubsub } as unknown as GossipParts).start()
  const { releases: topic } = topicNames(FLEET, 'default')
  const receiver = pubsub as unknown as Receiver
  receiver.mesh.set(topic, new Set(['neighbour']))
  const pushPrefixed = vi.fn()
  receiver.streamsOutbound.set('neighbour', { protocol: '/meshsub/1.2.0', pushPrefixed })
  let number = 0
  /** @returns of how many of so many new messages the neighbour was told */
  const come = async (from: object, count: number): Promise<number> => {
    pushPrefixed.mockClear()
    for (let at = 0; at < count; at += 1) {
      number += 1
      await receiver.validateReceivedMessage(from, { topic, data: Buffer.alloc(512, `news ${number} `) })
    }
    return pushPrefixed.mock.calls.length
  }
  const peer = (name: string) => ({ toString: () => name })
  return { come, peer, beat: () => listeners.get('gossipsub:heartbeat')?.() }
}

test('neighbours are told of as many messages a heartbeat as they note, and of one peer’s of no more than are left', async () => {
  const { come, peer, beat } = told()
  const counts: number[] = []
  for (const name of ['a', 'b', 'c']) counts.push(await come(peer(name), 400))
  expect(counts).toEqual([256, 128, 64])
  // who says little is served whatever others say
  expect(await come(peer('d'), 10)).toBe(10)
  beat()
  expect([await come(peer('a'), 400), await come(peer('d'), 100)]).toEqual([256, 100])
})
