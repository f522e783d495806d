/** What a driver may rely on, whether peers are reached by libp2p or in virtual time. */
import { afterEach, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Address, Digest, PeerId } from '../../src/model/ids.ts'
import type { AnyRequest, SyncReply } from '../../src/model/messages.ts'
import type { TransportEvent, TransportPort } from '../../src/runtime/ports.ts'
import { keyNamed, peerOfKey } from '../../src/sim/keys.ts'
import { addressOf, SimNetwork } from '../../src/sim/network.ts'
import { stream } from '../../src/sim/random.ts'
import { VirtualTime } from '../../src/sim/time.ts'
import { Scripted } from '../integration/net/scripted.ts'

interface End {
  readonly id: PeerId
  readonly address: Address
  readonly events: readonly TransportEvent[]
  readonly port: TransportPort
  until(what: string, holds: () => boolean): Promise<void>
  /** Gossip between the two flows from now on. */
  meshed(other: End): Promise<void>
  /** Answers within the step that brings a request, as a core does. */
  onRequest(answer: (id: number) => void): void
  stop(): Promise<void>
}

const VIRTUAL_DEADLINE_MS = 60_000

function simulated(): () => Promise<End> {
  const time = new VirtualTime()
  const network = new SimNetwork(time, stream(1, 'contract'), LIMITS)
  let made = 0
  return async () => {
    const id = peerOfKey(keyNamed(`contract ${++made}`))
    const events: TransportEvent[] = []
    const port = network.attach(id)
    let answer: ((id: number) => void) | undefined
    await port.start((event) => {
      events.push(event)
      if (event.kind === 'request') answer?.(event.id)
    })
    return {
      ...{ id, address: addressOf(id), events, port },
      async until(what, holds) {
        const endMs = time.nowMs + VIRTUAL_DEADLINE_MS
        while (!holds()) if (!time.step(endMs)) throw new Error(`${what}: nothing more happens`)
      },
      meshed: async () => {},
      onRequest: (given) => {
        answer = given
      },
      stop: async () => network.detach(id),
    }
  }
}

const real = () => async (): Promise<End> => {
  const node = await Scripted.start()
  return {
    ...{ id: node.id, address: node.address, events: node.events, port: node.transport },
    until: (what, holds) => node.until(what, holds),
    meshed: (other) => node.until('mesh', () => node.transport.meshPeers('releases').includes(other.id)),
    onRequest: (answer) => {
      node.onRequest = ({ id }) => answer(id)
    },
    stop: () => node.stop(),
  }
}

const want: AnyRequest = { protocol: 'blocks', message: { type: 'want', digest: 'd'.repeat(64) as Digest } }
const open: AnyRequest = {
  protocol: 'admit',
  message: { type: 'open', version: 1, digest: 'd'.repeat(64) as Digest },
}
const push: AnyRequest = { protocol: 'sync', message: { type: 'push', envelopes: [] } }
const envelopes = (marker: number, more: boolean): SyncReply => ({
  ...{ type: 'envelopes', lacks: [], more },
  envelopes: [new Uint8Array(100).fill(marker)],
})
const BYTES = new Uint8Array(64).fill(7)

const of = <K extends TransportEvent['kind']>({ events }: End, kind: K) =>
  events.filter((event): event is Extract<TransportEvent, { kind: K }> => event.kind === kind)

describe.each([
  ['simulated', simulated],
  ['libp2p', real],
] as const)('%s', (_, kind) => {
  const running: End[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map((end) => end.stop()))
  })

  async function ends(count: number): Promise<End[]> {
    const make = kind()
    const made: End[] = []
    for (let n = 0; n < count; n++) made.push(await make())
    running.push(...made)
    return made
  }

  async function connect(a: End, b: End): Promise<void> {
    a.port.perform({ kind: 'dial', address: b.address })
    await a.until('a connected', () => of(a, 'connected').some(({ peer }) => peer === b.id))
    await a.until('b connected', () => of(b, 'connected').some(({ peer }) => peer === a.id))
  }

  async function admitted(a: End, b: End): Promise<void> {
    await connect(a, b)
    a.port.perform({ kind: 'admit', peer: b.id, region: 'all' })
    b.port.perform({ kind: 'admit', peer: a.id, region: 'all' })
    await a.meshed(b)
    await b.meshed(a)
  }

  async function pair(): Promise<[End, End]> {
    const [a, b] = (await ends(2)) as [End, End]
    await admitted(a, b)
    return [a, b]
  }

  async function asked(a: End, b: End, request: AnyRequest, timeoutMs = 5_000): Promise<number> {
    a.port.perform({ kind: 'request', id: 1, peer: b.id, request, timeoutMs })
    await b.until('request', () => of(b, 'request').length > 0)
    return of(b, 'request')[0]?.id as number
  }

  test('a dial ends in connected on both sides: outbound here, inbound there', async () => {
    const [a, b] = (await ends(2)) as [End, End]
    await connect(a, b)
    expect(of(a, 'connected')).toMatchObject([{ peer: b.id, direction: 'outbound' }])
    expect(of(b, 'connected')).toMatchObject([{ peer: a.id, direction: 'inbound' }])
  })

  test('a dial to one who is gone fails with the address', async () => {
    const [a, b] = (await ends(2)) as [End, End]
    const { address } = b
    await b.stop()
    running.pop()
    a.port.perform({ kind: 'dial', address })
    await a.until('dialFailed', () => of(a, 'dialFailed').length > 0)
    expect(of(a, 'dialFailed')).toMatchObject([{ address, code: 'NET_UNREACHABLE' }])
  })

  test('a request arrives as it was, and a block served by the driver comes back', async () => {
    const [a, b] = await pair()
    const id = await asked(a, b, want)
    expect(of(b, 'request')).toMatchObject([{ peer: a.id, request: want }])
    b.port.replyBlock(id, BYTES)
    await a.until('reply', () => of(a, 'reply').length > 0)
    const reply = { protocol: 'blocks', message: { type: 'block', bytes: BYTES } }
    expect(of(a, 'reply')).toEqual([{ kind: 'reply', id: 1, reply }])
  })

  test('a block that is not there is gone, no failure', async () => {
    const [a, b] = await pair()
    b.port.replyBlock(await asked(a, b, want), undefined)
    await a.until('reply', () => of(a, 'reply').length > 0)
    expect(of(a, 'reply')[0]?.reply.message).toEqual({ type: 'gone' })
  })

  test('a run of replies comes in its order', async () => {
    const [a, b] = await pair()
    const id = await asked(a, b, push)
    for (const [marker, more] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const)
      b.port.perform({ kind: 'reply', id, reply: { protocol: 'sync', message: envelopes(marker, more) } })
    await a.until('three replies', () => of(a, 'reply').length === 3)
    expect(of(a, 'reply').map(({ reply }) => reply.message)).toEqual([
      envelopes(1, true),
      envelopes(2, true),
      envelopes(3, false),
    ])
  })

  test('no answer ends in a timeout, and only once', async () => {
    const [a, b] = await pair()
    const id = await asked(a, b, want, 3_000)
    await a.until('requestFailed', () => of(a, 'requestFailed').length > 0)
    expect(of(a, 'requestFailed')).toMatchObject([{ id: 1, code: 'NET_TIMEOUT' }])
    b.port.replyBlock(id, BYTES)
    const again = 2
    a.port.perform({ kind: 'request', id: again, peer: b.id, request: want, timeoutMs: 5_000 })
    await b.until('next request', () => of(b, 'request').length === 2)
    b.port.replyBlock(of(b, 'request')[1]?.id as number, BYTES)
    await a.until('next reply', () => of(a, 'reply').length > 0)
    expect(of(a, 'reply').map((event) => event.id)).toEqual([again])
  })

  test('who is refused hears why before the connection ends, and both hear of the end', async () => {
    const [a, b] = (await ends(2)) as [End, End]
    await connect(a, b)
    const message = { type: 'refused', code: 'ADMIT_REMOVED', text: 'removed' } as const
    b.onRequest((id) => {
      b.port.perform({ kind: 'reply', id, reply: { protocol: 'admit', message } })
      b.port.perform({ kind: 'hangUp', peer: a.id, code: 'ADMIT_REMOVED' })
    })
    await asked(a, b, open)
    await a.until('a disconnected', () => of(a, 'disconnected').length > 0)
    await b.until('b disconnected', () => of(b, 'disconnected').length > 0)
    expect(of(a, 'reply').map(({ reply }) => reply.message)).toMatchObject([message])
    expect(of(a, 'disconnected')).toMatchObject([{ peer: b.id }])
    expect(of(b, 'disconnected')).toMatchObject([{ peer: a.id }])
  })

  test('a request to one who is not connected fails, and so does one that is out when the other goes', async () => {
    const [a, b] = await pair()
    await asked(a, b, want)
    b.port.perform({ kind: 'hangUp', peer: a.id, code: 'done' })
    await a.until('first fails', () => of(a, 'requestFailed').length === 1)
    await a.until('gone', () => of(a, 'disconnected').length > 0)
    a.port.perform({ kind: 'request', id: 2, peer: b.id, request: want, timeoutMs: 5_000 })
    await a.until('second fails', () => of(a, 'requestFailed').length === 2)
    expect(of(a, 'requestFailed').map((event) => event.id)).toEqual([1, 2])
  })

  test('gossip goes on where it was accepted, and nowhere else', async () => {
    const [a, b, c] = (await ends(3)) as [End, End, End]
    await admitted(a, b)
    await admitted(b, c)
    const say = (marker: number) =>
      a.port.perform({ kind: 'publish', topic: 'releases', bytes: new Uint8Array(64).fill(marker) })
    say(1)
    await b.until('first', () => of(b, 'gossip').length === 1)
    const judge = (verdict: 'accept' | 'ignore') => {
      const heard = of(b, 'gossip').at(-1)
      if (heard === undefined) return
      const { id, from, topic } = heard
      b.port.perform({ kind: 'verdict', id, from, topic, verdict })
    }
    judge('ignore')
    say(2)
    await b.until('second', () => of(b, 'gossip').length === 2)
    judge('accept')
    await c.until('relayed', () => of(c, 'gossip').length > 0)
    expect(of(c, 'gossip').map(({ bytes, from }) => [bytes[0], from])).toEqual([[2, b.id]])
    expect(of(b, 'gossip').map(({ from, topic }) => [from, topic])).toEqual([
      [a.id, 'releases'],
      [a.id, 'releases'],
    ])
  })
})
