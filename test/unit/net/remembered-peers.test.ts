/** A start finds what earlier lives have left of peers. */
import { peerIdFromString } from '@libp2p/peer-id'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { MAX_TIME_MS } from '../../../src/codec/ids.ts'
import { LIMITS } from '../../../src/limits.ts'
import { type PeersOnDisk, rememberedPeers } from '../../../src/net/remembered-peers.ts'
import { peerOfKey } from '../../../src/sim/keys.ts'
import { signedRecord } from '../../../src/sim/own-records.ts'
import { issueNodeCertificate } from '../../../src/trust/certificates.ts'

const NOW = Date.UTC(2026, 5, 1)
const DAY_MS = 86_400_000
const limits = { ...LIMITS, maxKnownPeers: 2 }
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
afterEach(() => void vi.useRealTimers())

function record(at: number, notAfter = NOW + DAY_MS) {
  const { key } = generatePrivateKey('ed25519')
  const peer = peerOfKey(key)
  const certificate = issueNodeCertificate({ peer, labels: new Map(), notBefore: 0, notAfter }, key)
  return { peer, bytes: signedRecord(key, { at, chain: [encodeEnvelope(certificate)] }) }
}

/** What is remembered of these, and what else became of them. */
async function start(records: readonly ReturnType<typeof record>[], remove: () => Promise<void>) {
  const keyOf = (peer: string) => `/peers/${peerIdFromString(peer).toCID()}`
  const removed: string[] = []
  const note = vi.fn()
  const known = new Map(records.map(({ peer, bytes }) => [peer as string, bytes]))
  const peers = {
    node: {
      peerId: peerIdFromString(record(0).peer),
      getConnections: () => [],
      peerStore: {
        get: async (id: object) => ({ metadata: new Map([['confmesh-record', known.get(String(id))]]) }),
        delete: async (id: object) => {
          await remove()
          removed.push(String(id))
        },
      },
    },
    datastore: {
      async *queryKeys() {
        for (const peer of known.keys()) yield keyOf(peer)
        yield '/peers/nobody'
      },
      delete: async (key: string) => {
        await remove()
        removed.push(key)
      },
    },
  }
  const found = await rememberedPeers(peers as unknown as PeersOnDisk, limits, { note })
  const names = found.map((bytes) => records.find((one) => one.bytes === bytes)?.peer)
  return { names, removed, notes: note.mock.calls.flat() }
}
const done = async () => {}

test('records whose certificate has ended push out no others, however far ahead they are dated', async () => {
  const ended = Array.from({ length: 4 }, () => record(MAX_TIME_MS, NOW - 3 * DAY_MS))
  const [older, newer] = [record(NOW - 20), record(NOW - 10)]
  const { names, removed } = await start([...ended, older, newer], done)
  expect(names).toEqual([newer.peer, older.peer])
  expect(new Set(removed)).toEqual(new Set(['/peers/nobody', ...ended.map(({ peer }) => peer)]))
})

test('a record that has ended is kept where there is room, and one that a clock may have ended is like all others', async () => {
  const ended = record(NOW, NOW - 3 * DAY_MS)
  const lately = record(NOW - 1, NOW - DAY_MS)
  expect((await start([ended, lately], done)).names).toEqual([lately.peer, ended.peer])
})

test('a record that is dated ahead is no newer than one of now', async () => {
  const [honest, ahead] = [record(NOW), record(MAX_TIME_MS)]
  expect((await start([honest, ahead], done)).names).toEqual([honest.peer, ahead.peer])
})

test('a record that its peer has not signed is damaged, and dropped', async () => {
  const [good, other] = [record(NOW), record(NOW)]
  const bytes = Uint8Array.from(other.bytes)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  const { names, removed } = await start([{ ...other, bytes }, good], done)
  expect(names).toEqual([good.peer])
  expect(removed).toHaveLength(2)
})

test('what a newer build has left stays for it, and is no damage', async () => {
  const { key } = generatePrivateKey('ed25519')
  const newer = { peer: peerOfKey(key), bytes: signedRecord(key, { at: NOW, critical: ['waves'] }) }
  const good = record(NOW)
  const { names, removed } = await start([newer, good], done)
  expect(names).toEqual([good.peer])
  expect(removed).toEqual(['/peers/nobody'])
})

test('what cannot be removed costs no peer, and is no damage', async () => {
  const records = [record(NOW - 2), record(NOW - 1), record(NOW)]
  const { names, notes } = await start(records, () => Promise.reject(new Error('ENOSPC')))
  expect(names).toEqual([records[2]?.peer, records[1]?.peer])
  expect(notes).toMatchObject([
    { level: 'warn', text: expect.stringContaining('damaged') },
    { level: 'debug', text: expect.stringContaining('ENOSPC') },
  ])
  expect(notes[0].text).not.toContain('ENOSPC')
})
