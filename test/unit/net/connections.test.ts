import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { Connections } from '../../../src/net/connections.ts'
import { Gate } from '../../../src/net/gate.ts'
import { Misconduct } from '../../../src/net/misconduct.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const remotePeer = { toString: () => 'other' } as Connection['remotePeer']

/** One of libp2p's, as far as we look. */
class Fake extends EventTarget {
  readonly remotePeer = remotePeer
  readonly remoteAddr = multiaddr('/ip4/192.0.2.1/tcp/4001')
  readonly direction: 'inbound' | 'outbound'
  status = 'open'
  constructor(direction: 'inbound' | 'outbound' = 'outbound') {
    super()
    this.direction = direction
  }
  async close(): Promise<void> {
    this.status = 'closing'
  }
}

class FakeNode extends EventTarget {
  readonly all = new Set<Fake>()
  readonly onDisk = new Set<string>()
  readonly peerStore = {
    get: async () => ({ metadata: new Map() }),
    delete: async (peer: object) => void this.onDisk.delete(String(peer)),
  }
  getConnections = () => [...this.all]
  opens(connection: Fake): void {
    this.all.add(connection)
    this.dispatchEvent(new CustomEvent('connection:open', { detail: connection }))
  }
  ends(connection: Fake, error?: Error): void {
    connection.status = 'closed'
    connection.dispatchEvent(Object.assign(new Event('close'), { error }))
    this.all.delete(connection)
    this.dispatchEvent(new CustomEvent('connection:close', { detail: connection }))
  }
}

/** @param self the other side is `other` */
function connected(self: string) {
  const [log, sink, node] = [{ note: vi.fn() }, vi.fn(), new FakeNode()]
  const misconduct = new Misconduct(log, { count: vi.fn(), observe: vi.fn() }, sink)
  const connections = new Connections({
    ...{ self: self as PeerId, limits: LIMITS, gate: new Gate(), misconduct, log, sink },
  })
  const carriers = {
    asker: { drop: vi.fn() },
    answerer: { isRefused: () => false, flush: async () => {} },
  } as never
  connections.start(node as unknown as Libp2p, carriers)
  return { node, connections, sink }
}

test('what is written of a peer whose replaced connection ends last is forgotten', async () => {
  const { node } = connected('self')
  const [replaced, newer] = [new Fake(), new Fake()]
  node.opens(replaced)
  node.opens(newer)
  expect(replaced.status).toBe('closing')
  node.onDisk.add('other')
  node.ends(newer)
  await expect.poll(() => node.onDisk).toEqual(new Set())
  // what it said of itself on the one that is slow to end
  node.onDisk.add('other')
  node.ends(replaced)
  await expect.poll(() => node.onDisk).toEqual(new Set())
})

test('what ended a connection is laid at the door of a peer that is here, not of one that is gone', async () => {
  const { node, connections, sink } = connected('self')
  const [replaced, newer] = [new Fake(), new Fake()]
  const tooFast = () => new MeshError('LIMIT_RATE', 'too fast')
  node.opens(replaced)
  node.opens(newer)
  node.ends(newer, tooFast())
  await expect.poll(() => connections.current('other' as PeerId)).toBe(undefined)
  node.ends(replaced, tooFast())
  expect(sink.mock.calls.filter(([{ kind }]) => kind === 'misbehaved')).toHaveLength(1)
})

test('of two dials that crossed, the one of the lower id stays on both sides, whichever came first', () => {
  for (const [self, stays] of [
    ['self', 'inbound'],
    ['lower', 'outbound'],
  ] as const)
    for (const first of ['inbound', 'outbound'] as const) {
      const { node, connections } = connected(self)
      node.opens(new Fake(first))
      vi.advanceTimersByTime(2 * LIMITS.dialDeadlineMs)
      node.opens(new Fake(first === 'inbound' ? 'outbound' : 'inbound'))
      expect([...node.all].map(({ status }) => status).sort()).toEqual(['closing', 'open'])
      expect(connections.current('other' as PeerId)?.direction).toBe(stays)
    }
})

test('that a connection ended because another stays in its stead is told, and of no other end', async () => {
  const { node, sink } = connected('self')
  const [dialled, stays] = [new Fake('outbound'), new Fake('inbound')]
  node.opens(dialled)
  node.opens(stays)
  const ends = () => sink.mock.calls.map(([event]) => event).filter(({ kind }) => kind === 'disconnected')
  expect(ends()).toEqual([{ kind: 'disconnected', peer: 'other', replaced: true }])
  node.ends(stays)
  await expect.poll(ends).toHaveLength(2)
  expect(ends()[1]).toEqual({ kind: 'disconnected', peer: 'other' })
})

test('be it that its end comes first', async () => {
  const { node, sink } = connected('self')
  const [dialled, stays] = [new Fake('outbound'), new Fake('inbound')]
  node.opens(dialled)
  node.all.add(stays)
  node.ends(dialled)
  const events = () => sink.mock.calls.map(([event]) => event)
  await expect.poll(events).toMatchObject([
    { kind: 'connected', direction: 'outbound' },
    { kind: 'disconnected', replaced: true },
    { kind: 'connected', direction: 'inbound' },
  ])
})

test('nor one that this node was ending anyway', async () => {
  const { node, connections, sink } = connected('self')
  node.opens(new Fake('outbound'))
  void connections.hangUp('other' as PeerId, 'done')
  node.opens(new Fake('inbound'))
  expect(sink.mock.calls.map(([event]) => event)).toContainEqual({ kind: 'disconnected', peer: 'other' })
})

test('of a node that dials a peer which it has had all the time the lower id decides, however long that was', () => {
  const { node, connections } = connected('lower')
  const [old, fresh] = [new Fake('inbound'), new Fake('outbound')]
  node.opens(old)
  vi.advanceTimersByTime(3 * LIMITS.dialDeadlineMs)
  node.opens(fresh)
  expect(connections.current('other' as PeerId)).toBe(fresh)
  const higher = connected('self')
  const stays = new Fake('inbound')
  higher.node.opens(stays)
  vi.advanceTimersByTime(3 * LIMITS.dialDeadlineMs)
  higher.node.opens(new Fake('outbound'))
  expect(higher.connections.current('other' as PeerId)).toBe(stays)
})

test('who dials long after it was dialled has started anew: the connection from before is dead', () => {
  const { node, connections } = connected('lower')
  const [dead, fresh] = [new Fake('outbound'), new Fake('inbound')]
  node.opens(dead)
  vi.advanceTimersByTime(2 * LIMITS.dialDeadlineMs + 1)
  node.opens(fresh)
  expect([connections.current('other' as PeerId), dead.status, fresh.status]).toEqual([
    fresh,
    'closing',
    'open',
  ])
})
