import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type ListenOptions, Server } from 'node:net'
import os, { type NetworkInterfaceInfo, tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { LevelDatastore } from 'datastore-level'
import { Level } from 'level'
import { afterEach, expect, test, vi } from 'vitest'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import { newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'
import { SILENT_LOOKS } from '../../../src/net/silence.ts'
import { signedRecord } from '../../../src/sim/own-records.ts'
import { privateKeyFromPem } from '../../../src/trust/private-key.ts'
import { kept } from './kept.ts'
import { connect, DIGEST, joined, open, Scripted, want } from './scripted.ts'

const { node } = kept()
afterEach(() => void vi.restoreAllMocks())

/** Listens and never says a word. */
async function silentServer(): Promise<{ port: number; met: Promise<unknown>; close(): void }> {
  const server = createServer(() => {})
  const met = once(server, 'connection')
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, met, close: () => server.close() }
}

test('dialling: nobody there, somebody else there, nobody who speaks', async () => {
  const [a, b] = [await node(), await node()]
  const stranger = peerIdOf(newIdentityPem())
  const elsewhere = b.address.replace(b.id, stranger) as Address
  a.dial({ address: elsewhere })
  const text = expect.stringContaining(`${elsewhere}: another peer answers there`)
  expect(await a.event('dialFailed')).toEqual({
    kind: 'dialFailed',
    ...{ address: elsewhere, code: 'NET_PEER_ID', text },
  })
  // Whose address it is the core knows, and says it.
  expect(a.refused).not.toContain('NET_PEER_ID')

  const closed = `/ip4/127.0.0.1/tcp/1/p2p/${stranger}` as Address
  a.dial({ address: closed })
  await a.event('dialFailed', ({ address, code }) => address === closed && code === 'NET_UNREACHABLE')

  const silent = await silentServer()
  const mute = `/ip4/127.0.0.1/tcp/${silent.port}/p2p/${peerIdOf(newIdentityPem())}` as Address
  const hasty = await node({ limits: { dialDeadlineMs: 1_000 } })
  hasty.dial({ address: mute })
  await hasty.event('dialFailed', ({ address, code }) => address === mute && code === 'NET_TIMEOUT')
  silent.close()

  a.dial(a)
  await a.event('dialFailed', ({ address, code }) => address === a.address && code === 'NET_DUPLICATE_ID')
  for (const each of [a, hasty]) expect(each.of('connected')).toEqual([])
})

test('a dial has its deadline whole: nothing in libp2p ends it sooner', async () => {
  const silent = await silentServer()
  const a = await node({ limits: { dialDeadlineMs: 20_000 } })
  const deadlines = vi.spyOn(AbortSignal, 'timeout')
  a.dial({ address: `/ip4/127.0.0.1/tcp/${silent.port}/p2p/${peerIdOf(newIdentityPem())}` as Address })
  await silent.met
  // one of ours, and one of libp2p's for the address
  expect(deadlines.mock.calls).toEqual([[20_000], [20_000]])
  silent.close()
})

test('a taken port is said with its address', async () => {
  const a = await node()
  const listen = a.address.slice(0, a.address.indexOf('/p2p/'))
  const port = listen.slice(listen.lastIndexOf('/') + 1)
  await expect(Scripted.start({ listen })).rejects.toMatchObject({
    code: 'NET_LISTEN',
    message: expect.stringContaining(`127.0.0.1:${port} is in use`),
  })
})

test('an IPv6 address that is none of this host is said, though the node could listen on IPv4', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const started = Scripted.start({ dataDir, listen: ['/ip4/127.0.0.1/tcp/0', '/ip6/2001:db8::5/tcp/0'] })
  const message = expect.stringMatching(/\/ip6\/2001:db8::5\/tcp\/0: E[A-Z]+: .*2001:db8::5/)
  await expect(started).rejects.toMatchObject({ code: 'NET_LISTEN', message })
  // nothing of it is left
  await node({ dataDir })
})

test.each([
  ['every address of both kinds', '::', 'EAFNOSUPPORT'],
  ['the loopback of both kinds', '::1', 'EADDRNOTAVAIL'],
])('on a host without IPv6 %s is that of IPv4, with a word on it', async (_, of, code) => {
  const { listen } = Server.prototype
  vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args: unknown[]) {
    if ((args[0] as ListenOptions).host !== of) return Reflect.apply(listen, this, args)
    const error = Object.assign(new Error(`listen ${code}: ${of}:0`), { code })
    process.nextTick(() => this.emit('error', error))
    return this
  })
  const a = await node({ listen: ['/ip4/127.0.0.1/tcp/0', `/ip6/${of}/tcp/0`] })
  expect(a.transport.listening()).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\//)])
  const text = `listen: /ip6/${of}/tcp/0 is left out, as this host has no IPv6 (${code})`
  expect(a.notes).toEqual([{ kind: 'note', level: 'warn', code: 'NET_LISTEN', text }])
})

test('addresses can be dialled: no unspecified ones, each with the peer id, no loopback among others', async () => {
  const a = await node({ listen: '/ip4/0.0.0.0/tcp/0' })
  const addresses = a.transport.addresses()
  expect(addresses.length).toBeGreaterThan(0)
  for (const address of addresses)
    expect(address).toMatch(new RegExp(`^/ip4/(?!0\\.0\\.0\\.0)[0-9.]+/tcp/\\d+/p2p/${a.id}$`))
  const loopback = addresses.filter((address) => address.startsWith('/ip4/127.'))
  expect(loopback).toHaveLength(loopback.length < addresses.length ? 0 : 1)
  const b = await node()
  await connect(b, a)
})

test('a host that is routed globally says so: its addresses of both kinds are announced', async () => {
  const infos = ['127.0.0.1', '5.9.1.1', '10.0.0.5', '::1', '2a01:4f8::1', 'fe80::1'].map((address) => {
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4' } as NetworkInterfaceInfo
  })
  const interfaces = vi.spyOn(os, 'networkInterfaces').mockReturnValue({ eth0: infos })
  try {
    const a = await node({ listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'] })
    expect(a.transport.addresses().map((address) => address.replace(/\/tcp\/\d+\/p2p\/.*/, ''))).toEqual([
      '/ip4/5.9.1.1',
      '/ip6/2a01:4f8::1',
      '/ip4/10.0.0.5',
    ])
  } finally {
    interfaces.mockRestore()
  }
})

test('stop ends at once, with requests open in both directions, and nothing is heard afterwards', async () => {
  const [a, b] = [await node(), await node({ limits: { stopTimeoutMs: 60_000 } })]
  await joined(a, b)
  a.ask(b.id, want, 60_000)
  b.ask(a.id, want, 60_000)
  await Promise.all([a.event('request'), b.event('request')])
  const heard = b.events.length
  const startMs = performance.now()
  await b.transport.stop()
  expect(performance.now() - startMs).toBeLessThan(20_000)
  await a.event('disconnected')
  expect(b.events.length).toBe(heard)
  b.transport.perform({ kind: 'publish', topic: 'releases', bytes: new Uint8Array() })
  await b.transport.stop()
})

test('a node that comes back under the same identity replaces its former connection', async () => {
  const pem = newIdentityPem()
  const [a, b] = [await node(), await node({ identityPem: pem })]
  await joined(b, a)
  await b.stop()
  const again = await node({ identityPem: pem })
  again.dial(a)
  await a.until('second session', () => a.of('connected').length === 2)
  expect(a.of('disconnected')).toHaveLength(1)
  a.admit(again)
  again.admit(a)
  await a.until('subscriptions', () => a.hears(again) && again.hears(a))
})

test('a link whose gossip streams are gone is made anew', async () => {
  const [a, b] = [await node({ limits: { watchdogMs: 50 } }), await node()]
  await connect(a, b)
  // b never admits a: a's stream is held, b opens none
  a.admit(b)
  await a.event('disconnected', ({ peer }) => peer === b.id)
  expect(a.notes).toMatchObject([{ level: 'warn', code: 'NET_UNREACHABLE', peer: b.id }])
})

test('a healthy link is left alone by the watchdog', async () => {
  // Longer than a link takes to be made on a busy machine.
  const watchdogMs = 2_000
  const [a, b] = [await node({ limits: { watchdogMs } }), await node()]
  await joined(a, b)
  // a link that misses something is ended at its second look
  const endMs = performance.now() + 4 * watchdogMs
  const ended = () => a.of('disconnected').length > 0
  for (let round = 0; performance.now() < endMs && !ended(); round += 1) {
    b.transport.perform({ kind: 'publish', topic: 'control', bytes: Buffer.from(`round ${round}`) })
    await a.until('round', () => a.of('gossip').length === round + 1 || ended())
  }
  expect(a.of('disconnected')).toEqual([])
})

test('every byte on the wire is counted, as much received there as was sent here', async () => {
  const [a, b] = [await node(), await node()]
  await joined(a, b)
  const bytes = new Uint8Array(100_000)
  b.onRequest = ({ id }) => b.transport.replyBlock(id, bytes)
  const before = a.bytes.received
  const id = a.ask(b.id, want)
  await a.event('reply', (event) => event.id === id)
  expect(a.bytes.received - before).toBeGreaterThan(bytes.byteLength)
  expect(a.bytes.received - before).toBeLessThan(1.1 * bytes.byteLength)
  await a.until('both counts', () => a.bytes.received === b.bytes.sent && b.bytes.received === a.bytes.sent)
})

test('the peer store lies in the data directory and has one owner', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const a = await node({ dataDir })
  expect((await stat(join(dataDir, 'peers'))).isDirectory()).toBe(true)
  expect(await readFile(join(dataDir, 'peers', 'CURRENT'), 'utf8')).toContain('MANIFEST')
  await expect(Scripted.start({ dataDir })).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  expect(a.events).toEqual([])
})

test('a peer store on a file system without locks is in use by nobody', async () => {
  const text = 'IO error: lock /peers/LOCK: No locks available'
  const cause = Object.assign(new Error(text), { code: 'LEVEL_LOCKED' })
  vi.spyOn(Level.prototype, 'open').mockRejectedValueOnce(new Error('not open', { cause }))
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  await expect(Scripted.start({ dataDir })).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringContaining(`cannot be opened: ${text}`),
  })
})

test.each([
  ['that is damaged', (peers: string) => writeFile(join(peers, 'CURRENT'), 'nonsense')],
  [
    'whose MANIFEST is gone',
    async (peers: string) => {
      for (const name of await readdir(peers)) if (name.startsWith('MANIFEST')) await rm(join(peers, name))
    },
  ],
])('a peer store %s is begun anew', async (_, spoil) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  await (await Scripted.start({ dataDir })).transport.stop()
  await spoil(join(dataDir, 'peers'))
  const again = await node({ dataDir })
  expect(again.notes).toMatchObject([{ code: 'STORE_FAILED', text: expect.stringContaining('begun anew') }])
  expect(await again.transport.rememberedPeers()).toEqual([])
})

test('a record of a peer is there again after a restart', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const identityPem = newIdentityPem()
  const peer = peerIdOf(identityPem)
  const record = signedRecord(privateKeyFromPem(identityPem))
  const first = await Scripted.start({ dataDir })
  expect(await first.transport.rememberedPeers()).toEqual([])
  first.transport.perform({ kind: 'rememberPeer', peer, record })
  await first.untilAsync('kept', async () => (await first.transport.rememberedPeers()).length === 1)
  await first.transport.stop()
  const second = await node({ dataDir })
  expect((await second.transport.rememberedPeers()).map((bytes) => Buffer.from(bytes))).toEqual([
    Buffer.from(record),
  ])
})

test('a record is there after a month in which nothing was written of its peer', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const identityPem = newIdentityPem()
  const record = signedRecord(privateKeyFromPem(identityPem))
  const first = await Scripted.start({ dataDir })
  first.transport.perform({ kind: 'rememberPeer', peer: peerIdOf(identityPem), record })
  await first.untilAsync('kept', async () => (await first.transport.rememberedPeers()).length === 1)
  await first.transport.stop()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 30 * 86_400_000 })
  try {
    expect(await (await node({ dataDir })).transport.rememberedPeers()).toHaveLength(1)
  } finally {
    vi.useRealTimers()
  }
})

test('records of peers that are damaged are dropped, and told; the others are there', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const first = await Scripted.start({ dataDir })
  const identities = Array.from({ length: 2 }, newIdentityPem)
  const records = identities.map((identityPem) => signedRecord(privateKeyFromPem(identityPem)))
  for (const [at, record] of records.entries())
    first.transport.perform({ kind: 'rememberPeer', peer: peerIdOf(identities[at] ?? ''), record })
  await first.untilAsync('kept', async () => (await first.transport.rememberedPeers()).length === 2)
  await first.transport.stop()
  const datastore = new LevelDatastore(join(dataDir, 'peers'))
  await datastore.open()
  const damaged = peerIdFromString(peerIdOf(identities[0] ?? '')).toCID()
  await datastore.db.put(`/peers/${damaged}`, Buffer.alloc(40, 0xff))
  await datastore.db.put('/peers/nobody', Buffer.of(1))
  await datastore.close()
  const second = await node({ dataDir })
  const left = async () => (await second.transport.rememberedPeers()).map((bytes) => Buffer.from(bytes))
  expect(await left()).toEqual([Buffer.from(records[1] ?? [])])
  expect(second.notes).toMatchObject([{ code: 'STORE_FAILED', text: expect.stringContaining('dropped') }])
  expect(await left()).toHaveLength(1)
  expect(second.notes).toHaveLength(1)
  // and what it says of itself is there still
  await connect(await node(), second)
})

test('of the peers that are gone those with a record stay in the peer store, whether they were admitted or not', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const b = await Scripted.start({ dataDir })
  b.onRequest = ({ id }) =>
    b.transport.perform({ kind: 'reply', id, reply: { protocol: 'admit', message: { type: 'noted' } } })
  const identityPem = newIdentityPem()
  const [stranger, guest, friend] = [await node(), await node(), await node({ identityPem })]
  for (const other of [stranger, guest, friend]) {
    await connect(other, b)
    other.ask(b.id, open)
    await other.event('reply')
  }
  for (const other of [guest, friend]) {
    other.admit(b)
    b.admit(other)
    await b.until('subscriptions', () => b.hears(other))
  }
  const record = signedRecord(privateKeyFromPem(identityPem))
  b.transport.perform({ kind: 'rememberPeer', peer: friend.id, record })
  await b.untilAsync('kept', async () => (await b.transport.rememberedPeers()).length === 1)
  const peersOnDisk = async () => {
    const datastore = new LevelDatastore(join(dataDir, 'peers'))
    await datastore.open()
    const keys: string[] = []
    for await (const key of datastore.queryKeys({ prefix: '/peers' })) keys.push(key.toString())
    await datastore.close()
    return keys.length
  }
  for (const other of [stranger, guest, friend]) {
    await other.transport.stop()
    await b.event('disconnected', ({ peer }) => peer === other.id)
  }
  await b.transport.stop()
  // itself and the friend
  expect(await peersOnDisk()).toBe(2)
})

test('the newest records alone are remembered, newest first; of the others, and of one that is to be forgotten, nothing stays', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-net-'))
  const limits = { maxKnownPeers: 2 }
  const identities = Array.from({ length: 7 }, newIdentityPem)
  const ids = identities.map((identityPem) => peerIdOf(identityPem))
  const records = identities.map((identityPem, at) =>
    signedRecord(privateKeyFromPem(identityPem), { at: 1_000 + ((3 * at) % 7) }),
  )
  const first = await Scripted.start({ dataDir })
  for (const [at, record] of records.entries())
    first.transport.perform({ kind: 'rememberPeer', peer: ids[at] as PeerId, record })
  await first.untilAsync('kept', async () => (await first.transport.rememberedPeers()).length === 7)
  await first.transport.stop()
  const datastore = new LevelDatastore(join(dataDir, 'peers'))
  await datastore.open()
  // Whom an earlier build kept without a record.
  const stranger = peerIdFromString(peerIdOf(newIdentityPem())).toCID()
  const own = await datastore.db.get(`/peers/${peerIdFromString(first.id).toCID()}`)
  await datastore.db.put(`/peers/${stranger}`, own)
  await datastore.close()
  const second = await Scripted.start({ dataDir, limits })
  const left = async () => (await second.transport.rememberedPeers()).map((bytes) => Buffer.from(bytes))
  const newest = [2, 4].map((at) => Buffer.from(records[at] ?? []))
  expect(await left()).toEqual(newest)
  second.transport.perform({ kind: 'forgetPeer', peer: ids[2] as PeerId })
  await second.untilAsync('forgotten', async () => (await left()).length === 1)
  await second.transport.stop()
  expect(second.notes).toEqual([])
  await datastore.open()
  const keys: string[] = []
  for await (const key of datastore.queryKeys({ prefix: '/peers/' })) keys.push(key.toString())
  await datastore.close()
  // itself and the other
  expect(keys).toHaveLength(2)
})

test('a link on which nothing comes any more ends, and one on which something comes stays', async () => {
  const watchdogMs = 60
  const [a, b] = [await node({ limits: { watchdogMs } }), await node()]
  // not admitted: gossip has no part in this
  await connect(a, b)
  const opened = { protocol: 'admit', message: { type: 'opened', version: 1, digest: DIGEST } } as const
  b.onRequest = ({ id }) => b.transport.perform({ kind: 'reply', id, reply: opened })
  const endMs = performance.now() + 2 * SILENT_LOOKS * watchdogMs
  while (performance.now() < endMs) {
    const id = a.ask(b.id, open)
    await a.event('reply', (event) => event.id === id)
  }
  expect(a.of('disconnected')).toEqual([])
  await a.event('disconnected', ({ peer }) => peer === b.id)
  expect(a.notes).toMatchObject([{ level: 'warn', code: 'NET_TIMEOUT', peer: b.id }])
})
