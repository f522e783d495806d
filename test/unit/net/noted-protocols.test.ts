import type { Libp2p, Peer, PeerData, PeerId } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { noteProtocolsOnce } from '../../../src/net/noted-protocols.ts'

const idOf = (name: string) => ({ toString: () => name }) as PeerId

/** A node whose peer store only says what is merged. */
function node() {
  const merged: string[] = []
  const connected = new Set(['a', 'b'])
  let disconnected: (event: { detail: PeerId }) => void = () => {}
  const peerStore = {
    merge: async (id: PeerId, { protocols = [], ...rest }: PeerData) => {
      merged.push([id, ...protocols, ...Object.keys(rest)].join(' '))
      return { id } as Peer
    },
  }
  noteProtocolsOnce({
    peerStore,
    addEventListener: (_type: string, listener: typeof disconnected) => {
      disconnected = listener
    },
    getConnections: (id: PeerId) => (connected.has(id.toString()) ? [{}] : []),
  } as unknown as Libp2p)
  const disconnect = (name: string) => {
    connected.delete(name)
    disconnected({ detail: idOf(name) })
  }
  return { merged, peerStore, connected, disconnect }
}

test('a protocol of a peer is noted once, whoever opens how many streams', async () => {
  const { merged, peerStore } = node()
  const first = await peerStore.merge(idOf('a'), { protocols: ['/x'] })
  expect(await peerStore.merge(idOf('a'), { protocols: ['/x'] })).toBe(first)
  await peerStore.merge(idOf('a'), { protocols: ['/y'] })
  await peerStore.merge(idOf('a'), { protocols: ['/x'] })
  await peerStore.merge(idOf('b'), { protocols: ['/x'] })
  expect(merged).toEqual(['a /x', 'a /y', 'b /x'])
})

test('of two that are noted at a time neither is lost', async () => {
  const { merged, peerStore } = node()
  const both = ['/x', '/y'].map((protocol) => peerStore.merge(idOf('a'), { protocols: [protocol] }))
  await Promise.all(both)
  await peerStore.merge(idOf('a'), { protocols: ['/x', '/y'] })
  expect(merged).toEqual(['a /x', 'a /y'])
})

test('and again on another connection', async () => {
  const { merged, peerStore, connected, disconnect } = node()
  await peerStore.merge(idOf('a'), { protocols: ['/x'] })
  disconnect('a')
  connected.add('a')
  await peerStore.merge(idOf('a'), { protocols: ['/x'] })
  expect(merged).toEqual(['a /x', 'a /x'])
})

test('of one that went while its protocol was written nothing stays', async () => {
  const { merged, peerStore, connected, disconnect } = node()
  const writing = peerStore.merge(idOf('a'), { protocols: ['/x'] })
  disconnect('a')
  await writing
  connected.add('a')
  await peerStore.merge(idOf('a'), { protocols: ['/x'] })
  expect(merged).toEqual(['a /x', 'a /x'])
})

test('whatever else is said of a peer is merged as ever', async () => {
  const { merged, peerStore } = node()
  for (let round = 0; round < 2; round += 1) {
    await peerStore.merge(idOf('a'), { protocols: ['/x'], metadata: {} })
    await peerStore.merge(idOf('a'), {})
  }
  expect(merged).toEqual(['a /x metadata', 'a', 'a /x metadata', 'a'])
})

test('what could not be noted is tried again', async () => {
  let fails = true
  const peerStore = {
    merge: async () => {
      if (fails) throw new Error('disk')
      return {} as Peer
    },
  }
  noteProtocolsOnce({
    peerStore,
    addEventListener: () => {},
    getConnections: () => [{}],
  } as unknown as Libp2p)
  const merge = peerStore.merge as (id: PeerId, data: PeerData) => Promise<Peer>
  await expect(merge(idOf('a'), { protocols: ['/x'] })).rejects.toThrow('disk')
  fails = false
  await expect(merge(idOf('a'), { protocols: ['/x'] })).resolves.toEqual({})
})
