/** What is over a limit that was set lower on one host is refused there, and nobody loses a connection for it. */
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { SyncReply, SyncRequest } from '../../../src/model/messages.ts'
import { dialPublisher } from '../../../src/net/dial.ts'
import { Throttle } from '../../../src/net/pace.ts'
import { make, withLimits } from '../../unit/core/fleet.ts'
import { ofKind, SubmitNode } from '../../unit/core-submit/submit-node.ts'
import { joined, Scripted, want } from './scripted.ts'

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ending.splice(0).reverse()) await end()
})

const host = async (limits: Partial<Limits> = {}): Promise<Scripted> => {
  const started = await Scripted.start({ limits })
  ending.push(() => started.stop())
  return started
}

/** A seed that answers as its core does. */
async function seed(limits: Partial<Limits>): Promise<Scripted> {
  const scripted = await host(limits)
  const core = new SubmitNode({ limits: withLimits(limits) })
  const answer = (effects: readonly Effect[]) => {
    for (const reply of ofKind(effects, 'reply')) scripted.transport.perform(reply)
  }
  scripted.onRequest = (event) => {
    core.connect(event.peer)
    answer(core.settled(core.handle(event)))
  }
  return scripted
}

const made = make({ clock: { alice: 1 } })
const { id: release, page } = made

test.each([
  [
    'an envelope',
    { maxEnvelopeBytes: 50 },
    [{ type: 'submit', envelope: made.envelope }],
    'name another seed',
  ],
  ...[{}, { maxBlockMessageBytes: page.length }].map(
    (less) =>
      [
        'a page',
        { maxBlockBytes: page.length - 1, ...less },
        [
          { type: 'submit', envelope: made.envelope },
          { type: 'page', release, bytes: page },
        ],
        'limits.maxBlockBytes and limits.maxPageBytes.*name another seed',
      ] as const,
  ),
] as const)(
  'a publisher whose seed does not take %s hears which limit it is, and goes on there',
  async (_, less, messages, advice) => {
    const b = await seed(less)
    const publisher = await dialPublisher(b.address, { limits: LIMITS })
    ending.push(() => publisher.close())
    const replies = []
    for (const message of messages) replies.push(await publisher.ask(message, 5_000))
    expect(replies.at(-1)).toMatchObject({
      type: 'refused',
      code: 'LIMIT_BYTES',
      text: expect.stringMatching(`a limit of this seed .*${advice}`),
    })
    expect(await publisher.ask({ type: 'state', channel: made.release.header.channel }, 5_000)).toMatchObject(
      {
        type: 'state',
      },
    )
    expect(b.of('misbehaved')).toEqual([])
  },
)

test.each([{ maxBlockBytes: 128 * 1024 }, { maxBlockBytes: 64 * 1024, maxBlockMessageBytes: 65 * 1024 }])(
  'a page longer than is taken here comes as any other: it is no fault of who gives it (%j)',
  async (less) => {
    const [a, b] = [await host(less), await host()]
    await joined(a, b)
    const bytes = new Uint8Array(200 * 1024).fill(7)
    b.onRequest = ({ id }) => b.transport.replyBlock(id, bytes)
    const id = a.ask(b.id, want)
    const { reply } = await a.event('reply', (event) => event.id === id)
    expect(reply).toEqual({ protocol: 'blocks', message: { type: 'block', bytes } })
    expect([a.of('misbehaved'), a.of('disconnected')]).toEqual([[], []])
  },
)

test('what a neighbour says it has of a release comes as any other where it is longer than a block is here', async () => {
  const [a, b] = [await host({ maxBlockBytes: 1_024, maxBlockMessageBytes: 2_048 }), await host()]
  await joined(a, b)
  const { channel } = made.release.header
  const have = {
    type: 'have',
    release,
    channel,
    whole: false,
    bitmap: new Uint8Array(4_096).fill(1),
  } as const
  b.ask(a.id, { protocol: 'blocks', message: have })
  expect((await a.event('request')).request.message).toEqual(have)
  expect([a.of('misbehaved'), a.of('disconnected')]).toEqual([[], []])
})

describe('a release longer than a root may be here comes by sync as any other', () => {
  const envelopes = [new Uint8Array(12 * 1024).fill(7)]
  const pair = async () => {
    const [full, lower] = [await host(), await host({ maxRootBytes: 8 * 1024 })]
    await joined(full, lower)
    return { full, lower }
  }
  const answers = (one: Scripted, message: SyncReply) => {
    one.onRequest = ({ id }) =>
      one.transport.perform({ kind: 'reply', id, reply: { protocol: 'sync', message } })
  }
  const asks = async (one: Scripted, other: Scripted, message: SyncRequest) => {
    const id = one.ask(other.id, { protocol: 'sync', message })
    return (await one.event('reply', (event) => event.id === id)).reply.message
  }

  test('pushed', async () => {
    const { full, lower } = await pair()
    answers(lower, { type: 'noted' })
    const push = { type: 'push', envelopes } as const
    expect(await asks(full, lower, push)).toEqual({ type: 'noted' })
    expect(lower.of('request').at(-1)?.request.message).toEqual(push)
    expect(lower.of('misbehaved')).toEqual([])
  })

  test('as an answer', async () => {
    const { full, lower } = await pair()
    const run = { type: 'envelopes', envelopes, lacks: [], more: false } as const
    answers(full, run)
    expect(await asks(lower, full, { type: 'beacons', have: [] })).toEqual(run)
    expect(lower.of('misbehaved')).toEqual([])
  })
})

test.each<[string, Partial<Limits>]>([
  ['requests', { requestsPerSecond: 0, requestsBurst: 1 }],
  ['streams', { streamsPerSecond: 0, streamsBurst: 8 }],
  ['RPCs of gossip', { gossipRpcsPerSecond: 0, gossipRpcsBurst: 16 }],
  ['gossip', { gossipPerSecond: 0, gossipBurst: 2 }],
])('at a rate of 0 of %s nothing that waits is held once its sender has gone', async (_, limits) => {
  const take = vi.spyOn(Throttle.prototype, 'take')
  const [a, b] = [await host(), await host(limits)]
  await joined(a, b)
  const firstWaiting = () => take.mock.settledResults.findIndex(({ type }) => type === 'incomplete')
  for (let at = 0; at < 40; at += 1) {
    a.ask(b.id, want)
    a.transport.perform({ kind: 'publish', topic: 'releases', bytes: Uint8Array.of(at) })
  }
  await b.untilAsync('one that waits', async () => {
    const first = firstWaiting()
    await setImmediate()
    return first !== -1 && firstWaiting() === first
  })
  await a.stop()
  await b.until('none that waits', () => firstWaiting() === -1)
  expect(take.mock.settledResults.map(({ value }) => value)).toContain(false)
})
