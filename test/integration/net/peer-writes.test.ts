/** libp2p on loopback with its peer store on a disk that takes nothing, or is slow. */

import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p, PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { afterEach, expect, test, vi } from 'vitest'
import { noteProtocolsOnce } from '../../../src/net/noted-protocols.ts'
import { guardPeerWrites } from '../../../src/net/peer-writes.ts'
import type { EffectOf } from '../../../src/runtime/ports.ts'
import { plainHost } from './plain-host.ts'

const ECHO = '/echo/1.0.0'
/** Handled once writes are guarded. */
const LATER = '/later/1.0.0'
const running: Libp2p[] = []
const strangerId = async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
afterEach(async () => {
  vi.unstubAllEnvs()
  await Promise.all(running.splice(0).map((node) => node.stop()))
})

const plain = async (): Promise<Libp2p> => {
  const node = await plainHost({ listen: true })
  running.push(node)
  await node.handle(ECHO, (stream) => {
    stream.addEventListener('message', ({ data }) => void stream.send(data))
  })
  return node
}

/** A host as ours, before each of its writes `before` is asked. */
async function guardedHost(before: (id: PeerId, data: PeerData) => Promise<void>) {
  const node = await plain()
  const notes: EffectOf<'note'>[] = []
  const store = node.peerStore
  for (const write of ['merge', 'patch', 'save'] as const) {
    const original = store[write].bind(store)
    store[write] = async (id, data, options) => {
      await before(id, data)
      return original(id, data, options)
    }
  }
  noteProtocolsOnce(node)
  guardPeerWrites(node, { note: (effect) => void notes.push(effect) })
  return { node, notes }
}

async function echoed(from: Libp2p, to: Libp2p): Promise<void> {
  const connection = await from.dial(to.getMultiaddrs())
  const stream = await connection.newStream(ECHO)
  const answered = new Promise<void>((resolve) => stream.addEventListener('message', () => resolve()))
  stream.send(Buffer.from('word'))
  await answered
  await stream.close()
}

test('a full disk costs no stream, gossip hears of who comes and goes, and it is told once', async () => {
  const { node, notes } = await guardedHost(() => Promise.reject(new Error('ENOSPC')))
  const topology: string[] = []
  await node.register(ECHO, {
    onConnect: (peer) => void topology.push(`here ${peer}`),
    onDisconnect: (peer) => void topology.push(`gone ${peer}`),
  })
  for (let round = 0; round < 2; round += 1) {
    const other = await plain()
    await echoed(other, node)
    await echoed(node, other)
    await expect.poll(() => topology.at(-1)).toBe(`here ${other.peerId}`)
    await other.stop()
    await expect.poll(() => topology.at(-1), { timeout: 5_000 }).toBe(`gone ${other.peerId}`)
    await expect(node.peerStore.get(other.peerId)).rejects.toMatchObject({ name: 'NotFoundError' })
  }
  expect(notes).toMatchObject([
    { level: 'warn', code: 'STORE_FAILED', text: expect.stringContaining('ENOSPC') },
  ])
})

test('what libp2p has read of a peer before our record of it was written does not take that back', async () => {
  const { node } = await guardedHost(async () => {})
  const { peerId } = await plain()
  await node.peerStore.merge(peerId, { metadata: { 'confmesh-record': new Uint8Array(3) } })
  // as identify does: all that was there when it looked
  await node.peerStore.patch(peerId, { protocols: [ECHO], metadata: new Map() })
  const { metadata, protocols } = await node.peerStore.get(peerId)
  expect([...metadata.keys()]).toEqual(['confmesh-record'])
  expect(protocols).toEqual([ECHO])
})

test('what is written of a stranger once it is gone is forgotten again, a record of ours is not', async () => {
  const { node } = await guardedHost(async () => {})
  const [stranger, known] = [await plain(), await plain()]
  const data = { multiaddrs: known.getMultiaddrs(), metadata: { 'confmesh-record': new Uint8Array(3) } }
  await node.peerStore.merge(known.peerId, data)
  for (const { peerId } of [stranger, known]) {
    await node.peerStore.patch(peerId, { protocols: [ECHO] })
    await node.peerStore.merge(peerId, { metadata: { AgentVersion: new Uint8Array(1) } })
  }
  expect((await node.peerStore.all()).map(({ id }) => String(id))).toEqual([String(known.peerId)])
  await echoed(node, stranger)
  expect(await node.peerStore.has(stranger.peerId)).toBe(true)
})

test('while a disk hangs few writes are begun, and nobody waits for one; what ends late is forgotten as well', {
  timeout: 10_000,
}, async () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '8')
  let begun = 0
  let gate = Promise.resolve()
  const { node, notes } = await guardedHost(() => {
    begun += 1
    return gate
  })
  begun = 0
  let answer = () => {}
  gate = new Promise((resolve) => {
    answer = resolve
  })
  const others = await Promise.all(Array.from({ length: 8 }, strangerId))
  await Promise.all(others.map((id) => node.peerStore.merge(id, { protocols: [ECHO] })))
  await node.peerStore.merge(node.peerId, { protocols: [LATER] })
  expect((await node.peerStore.get(node.peerId)).protocols).toContain(LATER)
  const [other] = others as [PeerId]
  const record = { metadata: { 'confmesh-record': new Uint8Array(3) } }
  await expect(node.peerStore.merge(other, record)).rejects.toThrow('has not answered')
  await expect(node.peerStore.delete(other)).rejects.toThrow('has not answered')
  expect([begun, notes.length]).toEqual([2, 1])
  answer()
  await expect.poll(() => node.peerStore.merge(other, record).then(() => 'kept', String)).toBe('kept')
  await expect
    .poll(() => node.peerStore.all().then((all) => all.map(({ id }) => `${id}`)))
    .toEqual([`${other}`])
})

test('who goes while what is written of it hangs is told to gossip all the same', {
  timeout: 15_000,
}, async () => {
  const { node } = await guardedHost(async () => {})
  const topology: string[] = []
  await node.register(LATER, {
    onConnect: (peer) => void topology.push(`here ${peer}`),
    onDisconnect: (peer) => void topology.push(`gone ${peer}`),
  })
  const { datastore } = (node as unknown as { components: { datastore: { put: () => Promise<void> } } })
    .components
  datastore.put = () => new Promise(() => {})
  // guarded, too: locks of the peer store are those of all hosts in a process
  const { node: other } = await guardedHost(async () => {})
  await other.handle(LATER, () => {})
  await echoed(other, node)
  await expect.poll(() => topology, { timeout: 5_000 }).toEqual([`here ${other.peerId}`])
  await other.stop()
  await expect.poll(() => topology.at(-1), { timeout: 3_000 }).toBe(`gone ${other.peerId}`)
})
