/** libp2p on loopback with its peer store on a disk that takes nothing, or is slow. */

import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p, PeerData, PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { LevelDatastore } from 'datastore-level'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { noteProtocolsOnce } from '../../../src/net/noted-protocols.ts'
import { guardPeerWrites } from '../../../src/net/peer-writes.ts'
import { forgetGone } from '../../../src/net/remembered-peers.ts'
import type { EffectOf } from '../../../src/runtime/ports.ts'
import { lockAlone } from './own-locks.ts'
import { plainHost } from './plain-host.ts'

const ECHO = '/echo/1.0.0'
/** Handled once writes are guarded. */
const LATER = '/later/1.0.0'
const RECORD = { metadata: { 'confmesh-record': new Uint8Array(3) } }
const running: Libp2p[] = []
const strangerId = async () => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
const idsIn = async (node: Libp2p) => (await node.peerStore.all()).map(({ id }) => `${id}`)
beforeAll(lockAlone)
afterEach(async () => {
  vi.restoreAllMocks()
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
async function guardedHost(before?: (id: PeerId, data: PeerData) => Promise<void>) {
  const node = await plain()
  const notes: EffectOf<'note'>[] = []
  const store = node.peerStore
  for (const write of before === undefined ? [] : (['merge', 'patch', 'save'] as const)) {
    const original = store[write].bind(store)
    store[write] = async (id, data, options) => {
      await before?.(id, data)
      return original(id, data, options)
    }
  }
  guardPeerWrites(node, { note: (effect) => void notes.push(effect) })
  noteProtocolsOnce(node)
  return { node, notes }
}

const diskOf = (node: Libp2p) =>
  (node as unknown as { components: { datastore: LevelDatastore } }).components.datastore

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

/** Two writes of what a peer speaks, begun one after the other: each ends at its own word. */
async function twoWrites() {
  const ends: ((fails: boolean) => void)[] = []
  const { node } = await guardedHost(async (_, { protocols }) => {
    const isOf = protocols?.includes(LATER) === true ? 1 : protocols?.join() === ECHO ? 0 : undefined
    if (isOf === undefined) return
    const fails = await new Promise<boolean>((resolve) => {
      ends[isOf] = resolve
    })
    if (fails) throw new Error('ENOSPC')
  })
  const other = await plain()
  await echoed(node, other)
  const writes = [[ECHO], [LATER]].map((protocols) => node.peerStore.patch(other.peerId, { protocols }))
  const ended = async (which: number, fails: boolean) => {
    ends[which]?.(fails)
    await writes[which]
  }
  return { ended, known: async () => (await node.peerStore.get(other.peerId)).protocols }
}

test.each([
  ['ends', false],
  ['cannot be written either', true],
])('what could not be written stays known though an older write %s behind it', async (_, fails) => {
  const { ended, known } = await twoWrites()
  await ended(1, true)
  await ended(0, fails)
  expect(await known()).toContain(LATER)
})

test('what could not be written is known no more once a newer write ends', async () => {
  const { ended, known } = await twoWrites()
  await ended(0, true)
  await ended(1, false)
  expect(await known()).toEqual([LATER])
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

test('while a disk hangs nobody waits for a write, and no more are begun; what ends late is forgotten as well', {
  timeout: 10_000,
}, async () => {
  vi.stubEnv('UV_THREADPOOL_SIZE', '8')
  const begun: PeerId[] = []
  let gate = Promise.resolve()
  const { node, notes } = await guardedHost((id) => {
    if (!id.equals(node.peerId)) begun.push(id)
    return gate
  })
  let answer = () => {}
  gate = new Promise((resolve) => {
    answer = resolve
  })
  const [known, ...others] = (await Promise.all(Array.from({ length: 8 }, strangerId))) as [PeerId]
  await Promise.all(others.map((id) => node.peerStore.merge(id, { protocols: [ECHO] })))
  await node.peerStore.merge(node.peerId, { protocols: [LATER] })
  expect((await node.peerStore.get(node.peerId)).protocols).toContain(LATER)
  await expect(node.peerStore.merge(known, RECORD)).rejects.toThrow('has not answered')
  await expect(node.peerStore.delete(known)).rejects.toThrow('has not answered')
  expect([begun.length, notes.length]).toEqual([others.length, 1])
  answer()
  await expect.poll(() => node.peerStore.merge(known, RECORD).then(() => 'kept', String)).toBe('kept')
  await expect.poll(() => idsIn(node)).toEqual([`${known}`])
})

test('on a disk that only is slow all writes are begun, and nothing is told', {
  timeout: 15_000,
}, async () => {
  const begun: PeerId[] = []
  const threads = Array.from({ length: 4 }, () => Promise.resolve())
  const { node, notes } = await guardedHost((id) => {
    if (id.equals(node.peerId)) return Promise.resolve()
    const at = begun.push(id) % threads.length
    const turn = (threads[at] ?? Promise.resolve()).then(() => setTimeoutAsync(30))
    threads[at] = turn
    return turn
  })
  const known = await strangerId()
  const others = await Promise.all(Array.from({ length: 200 }, strangerId))
  await Promise.all(others.map((id) => node.peerStore.merge(id, { protocols: [ECHO] })))
  await node.peerStore.merge(known, RECORD)
  expect([begun.length, notes]).toEqual([others.length + 1, []])
  await expect.poll(() => idsIn(node), { timeout: 5_000 }).toEqual([`${known}`])
})

test('a stream of a protocol that is noted opens at once while what is written of another peer hangs', async () => {
  let isHung = false
  const { node } = await guardedHost(() => (isHung ? new Promise(() => {}) : Promise.resolve()))
  const other = await plain()
  await echoed(node, other)
  isHung = true
  void node.peerStore.merge(await strangerId(), { protocols: [ECHO] })
  const sinceMs = performance.now()
  await node.getConnections(other.peerId)[0]?.newStream(ECHO)
  expect(performance.now() - sinceMs).toBeLessThan(500)
})

test('of what a peer says anew and anew of itself, and cannot be written, the last alone is known', async () => {
  const { node } = await guardedHost(() => Promise.reject(new Error('ENOSPC')))
  const other = await plain()
  const identified = new Promise((resolve) => node.addEventListener('peer:identify', resolve, { once: true }))
  await node.dial(other.getMultiaddrs())
  await identified
  for (let round = 0; round < 100; round += 1)
    await node.peerStore.patch(other.peerId, { protocols: [`/${round}`] })
  await node.peerStore.patch(other.peerId, { metadata: new Map() })
  await node.peerStore.merge(other.peerId, { protocols: ['/100'] })
  diskOf(node).get = () => Promise.reject(new Error('EIO'))
  const { protocols } = await node.peerStore.get(other.peerId)
  expect(protocols.filter((protocol) => /^\/[0-9]+$/.test(protocol))).toEqual(['/99', '/100'])
})

test('what a peer says anew once the disk takes it is all that it speaks', async () => {
  let isFull = true
  const { node } = await guardedHost(async () => {
    if (isFull) throw new Error('ENOSPC')
  })
  const other = await plain()
  await node.dial(other.getMultiaddrs())
  const speaks = async (protocols: string[]) => {
    await node.peerStore.patch(other.peerId, { protocols })
    return (await node.peerStore.get(other.peerId)).protocols.filter((protocol) => protocol.length === 2)
  }
  expect(await speaks(['/a', '/b'])).toEqual(['/a', '/b'])
  isFull = false
  expect(await speaks(['/a'])).toEqual(['/a'])
})

test('a record on its way to a slow disk outlasts the end of its peer', async () => {
  const { node } = await guardedHost()
  const disk = diskOf(node)
  const put = disk.put.bind(disk)
  disk.put = async (...of) => {
    await setTimeoutAsync(30)
    return put(...of)
  }
  const known = await strangerId()
  const others = await Promise.all(Array.from({ length: 8 }, strangerId))
  vi.spyOn(node, 'getConnections').mockReturnValue([{}] as never)
  await node.peerStore.merge(known, { protocols: [ECHO] })
  const writes = others.map((id) => node.peerStore.merge(id, { protocols: [ECHO] }))
  const kept = node.peerStore.merge(known, RECORD)
  await forgetGone(node, known, { note: () => {} })
  await Promise.all([...writes, kept])
  expect(await idsIn(node)).toContain(`${known}`)
})

test('a record is not taken for none where what its peer speaks is known from memory', async () => {
  let isFull = false
  const { node } = await guardedHost(() => (isFull ? Promise.reject(new Error('ENOSPC')) : Promise.resolve()))
  const { peerId } = await plain()
  await node.peerStore.merge(peerId, RECORD)
  vi.spyOn(node, 'getConnections').mockReturnValue([{}] as never)
  isFull = true
  await node.peerStore.patch(peerId, { protocols: [ECHO] })
  const disk = diskOf(node)
  const get = disk.get.bind(disk)
  let answer = () => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  disk.get = (...of) => answered.then(() => get(...of))
  const forgotten = forgetGone(node, peerId, { note: () => {} })
  expect((await node.peerStore.get(peerId)).metadata.size).toBe(0)
  answer()
  await forgotten
  expect(await idsIn(node)).toEqual([`${peerId}`])
})

test('what is not kept is told once while it lasts, and again when it comes back', async () => {
  let isFull = true
  const { node, notes } = await guardedHost(() =>
    isFull ? Promise.reject(new Error('ENOSPC')) : Promise.resolve(),
  )
  const write = (): Promise<unknown> => node.peerStore.merge(node.peerId, { protocols: [LATER] })
  for (const wellAtFirst of [0, 0, 1, 0, 100, 0]) {
    isFull = false
    for (let at = 0; at < wellAtFirst; at += 1) await write()
    isFull = true
    await write()
  }
  expect(notes).toHaveLength(2)
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
  diskOf(node).put = () => new Promise(() => {})
  const other = await plain()
  await other.handle(LATER, () => {})
  await echoed(other, node)
  await expect.poll(() => topology, { timeout: 5_000 }).toEqual([`here ${other.peerId}`])
  await other.stop()
  await expect.poll(() => topology.at(-1), { timeout: 3_000 }).toBe(`gone ${other.peerId}`)
})
