/** A comparison whose other side answers late, out of turn, not at all or with less than it should. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import type { AnyReply, ShortDigest, SyncReply, SyncRequest } from '../../../src/model/messages.ts'
import { join, ToyNode, talk } from './dialogue.ts'
import { acts, asked, codes, peer, replies, requestOf } from './fakes.ts'

const B = peer('b')
const short = (digit: string) => digit.repeat(16) as ShortDigest
const differ = (more: Partial<Extract<SyncReply, { type: 'differ' }>> = {}) =>
  ({ type: 'differ', root: 1, beacons: [], subs: 1, buckets: [], digests: [], ...more }) as const
const channel = (at: number) => `team/app-${at}` as Channel

let a: ToyNode
/** Id of the request that is out. */
let out: number
beforeEach(() => {
  a = new ToyNode('a')
  a.bench.link(B)
  out = idIn(a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, B)))
})

const idIn = (effects: readonly Effect[]): number => asked(effects)[0]?.id ?? 0
const reply = (of: AnyReply | SyncReply): Effect[] =>
  a.bench.run((step, journey) => {
    a.sync.onReply(step, journey, out, 'protocol' in of ? of : { protocol: 'sync', message: of })
  })
const fails = (id = out): Effect[] =>
  a.bench.run((step, journey) => a.sync.onRequestFailed(step, journey, id, 'NET_TIMEOUT', false))
const asks = (message: SyncRequest): Effect[] =>
  a.bench.run((step, journey) =>
    a.sync.onRequest(step, journey, requestOf(99, B, { protocol: 'sync', message })),
  )
const hungUp = (effects: readonly Effect[]) => acts(effects).filter(({ kind }) => kind === 'hangUp')

describe('an answer out of turn', () => {
  it.each<[string, AnyReply | SyncReply]>([
    ['of a push', { type: 'noted' }],
    ['of entries', { type: 'envelopes', envelopes: [], lacks: [], more: false }],
    ['of beacons', { type: 'beacons', beacons: [] }],
    ['of another protocol', { protocol: 'bridge', message: { type: 'noted' } } as AnyReply],
    ['with a root nobody asked for', { protocol: 'admit', message: { type: 'root' } }],
    ['with fewer digests than sub-buckets', differ({ subs: 2, buckets: [1], digests: [short('1')] })],
  ])('%s ends the connection', (_, answer) => {
    const effects = reply(answer)
    expect(codes(effects)).toEqual(['NET_PROTOCOL'])
    expect(hungUp(effects)).toEqual([{ kind: 'hangUp', peer: B, code: 'NET_PROTOCOL' }])
    expect(a.sync.comparedPeers()).toBe(0)
  })

  it('with more than one run may hold ends it before any of it is read', () => {
    a = new ToyNode('a', ['**'], { maxSyncRunBytes: 1_000 })
    a.bench.link(B)
    out = idIn(a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, B)))
    out = idIn(reply(differ({ buckets: [0], digests: [short('1')] })))
    let read = 0
    a.bench.journey.onIngest = () => {
      read += 1
      return { verdict: 'STALE', provable: false, relayable: false }
    }
    const envelopes = [new Uint8Array(600), new Uint8Array(401)]
    expect(hungUp(reply({ type: 'envelopes', envelopes, lacks: [], more: false }))).toHaveLength(1)
    expect(read).toBe(0)
  })
})

describe('a run that is as long as one may be', () => {
  const isComparedAnew = (verdict: 'NEW' | 'DUPLICATE'): boolean => {
    out = idIn(reply(differ({ buckets: [0], digests: [short('1')] })))
    a.bench.journey.onIngest = () => ({ verdict, provable: false, relayable: false })
    for (let bytes = 0; bytes < LIMITS.maxSyncRunBytes - 2 * 60_000; bytes += 60_000)
      reply({ type: 'envelopes', envelopes: [new Uint8Array(60_000)], lacks: [], more: true })
    const effects = reply({ type: 'envelopes', envelopes: [new Uint8Array(1_000)], lacks: [], more: false })
    expect([a.sync.comparedPeers(), a.sync.isCompared('app/web' as Channel)]).toEqual([0, false])
    return asked(effects).some(({ request }) => request.message.type === 'digests')
  }

  it('is followed by another where it brought something: nothing counts as compared yet', () => {
    expect(isComparedAnew('NEW')).toBe(true)
  })

  it('and not where all of it was known before: else it would come again and again, without a pause', () => {
    expect(isComparedAnew('DUPLICATE')).toBe(false)
  })
})

describe('a peer that cannot be compared with now', () => {
  it('and says so is compared with at the next turn, and stays', () => {
    const effects = reply({ type: 'refused', code: 'LIMIT_RATE', text: 'later', retryAfterMs: 1_000 })
    expect(acts(effects)).toEqual([])
    expect(a.sync.comparedPeers()).toBe(0)
    a.bench.pass(LIMITS.syncIntervalMs * 2)
    const next = a.bench.run((step, journey) => a.sync.onTick(step, journey))
    expect(asked(next).map(({ request }) => request.message.type)).toEqual(['digests'])
  })

  it('that names a newer root and then refuses it is compared with all the same, under the own one', () => {
    out = idIn(reply(differ({ root: 2 })))
    const refused = { type: 'refused', code: 'LIMIT_RATE', text: 'no' } as const
    const effects = reply({ protocol: 'admit', message: refused })
    expect([asked(effects), hungUp(effects), a.sync.comparedPeers()]).toEqual([[], [], 1])
  })

  it('that names a newer root and then does not answer is asked again to compare', () => {
    out = idIn(reply(differ({ root: 2 })))
    const effects = fails()
    expect(asked(effects).map(({ request }) => request.message)).toMatchObject([{ type: 'digests', root: 1 }])
    expect(hungUp(effects)).toEqual([])
    out = idIn(effects)
    reply(differ({ root: 2 }))
    expect(a.sync.comparedPeers()).toBe(1)
  })
})

describe('a newer root that a peer names', () => {
  const digests = (root: number) =>
    asks({
      type: 'digests',
      salt: new Uint8Array(16),
      root,
      beacons: [],
      digest: short('1'),
      buckets: Array.from({ length: 64 }, () => short('0')),
    })
  const roots = (effects: readonly Effect[]) =>
    asked(effects).filter(({ request }) => request.protocol === 'admit')

  it('in its own comparison is asked for, once, until that ends', () => {
    const [first] = roots(digests(5))
    expect(first?.request.message).toEqual({ type: 'root', since: 1 })
    expect(roots(digests(5))).toEqual([])
    fails(first?.id)
    expect(roots(digests(5))).toHaveLength(1)
  })

  it('is asked for at the journey’s rate, and not where the comparison is refused', () => {
    let named = 0
    a.bench.journey.askAhead = () => {
      named += 1
    }
    for (let times = 0; times < LIMITS.syncBurst + 5; times += 1) expect(roots(digests(2 ** 50))).toEqual([])
    expect(named).toBe(LIMITS.syncBurst)
  })

  it('is taken one by one, as far as it has them', () => {
    out = roots(digests(3))[0]?.id ?? 0
    const root = new TextEncoder().encode('root 2')
    const [second] = roots(reply({ protocol: 'admit', message: { type: 'root', root } }))
    expect(second?.request.message).toEqual({ type: 'root', since: 2 })
    out = second?.id ?? 0
    expect(roots(reply({ protocol: 'admit', message: { type: 'root' } }))).toEqual([])
  })

  it('and whose connection is closing is not asked', () => {
    a.bench.journey.links.delete(B)
    expect(roots(digests(5))).toEqual([])
  })
})

it('entries before any digests are refused: there is no salt to read them by', () => {
  const effects = asks({ type: 'entries', subBuckets: [], subs: 1, entries: [] })
  expect(replies(effects)).toMatchObject([{ type: 'refused', code: 'NET_PROTOCOL' }])
})

describe('what is offered live', () => {
  /** The comparison with b is over, and b has everything that was there. */
  const compared = (limits: ConstructorParameters<typeof ToyNode>[2] = {}) => {
    a = new ToyNode('a', ['**'], limits)
    a.bench.link(B)
    out = idIn(a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, B)))
    reply(differ())
  }
  const offer = (at: number): Effect[] => {
    a.order({ channel: channel(at), counter: 1 })
    return a.bench.run((step, journey) => a.sync.offer(step, journey, channel(at)))
  }
  const pushed = (effects: readonly Effect[]): number[] =>
    asked(effects).flatMap(({ request: { message } }) =>
      message.type === 'push' ? [message.envelopes.length] : [],
    )

  it('waits while one push is out, then goes in messages within their bounds', () => {
    compared({ maxSyncMessageBytes: 5_000 })
    const first = offer(0)
    expect(pushed(first)).toEqual([1])
    expect([1, 2, 3, 4, 5].flatMap((at) => pushed(offer(at)))).toEqual([])
    const sizes: number[] = []
    for (out = idIn(first); ; ) {
      const effects = reply({ type: 'noted' })
      if (asked(effects).length === 0) break
      sizes.push(...pushed(effects))
      out = idIn(effects)
    }
    // Three envelopes of 1,500 bytes fit into 15/16 of 5,000.
    expect(sizes).toEqual([3, 2])
  })

  it('fills a message and no more: what does not fit goes with the next, and is not taken for known', () => {
    const count = 60
    compared()
    // Twenty fit by their own length, nineteen with what surrounds each.
    const text = 'x'.repeat(3_070 - JSON.stringify({ channel: channel(10), counter: 1, text: '' }).length)
    const first = offer(0)
    for (let at = 1; at <= count; at += 1) {
      a.order({ channel: channel(at), counter: 1, text })
      a.bench.run((step, journey) => a.sync.offer(step, journey, channel(at)))
    }
    out = idIn(first)
    let sent = 0
    for (;;) {
      const effects = reply({ type: 'noted' })
      if (asked(effects).length === 0) break
      sent += pushed(effects).reduce((sum, each) => sum + each, 0)
      out = idIn(effects)
    }
    expect(sent).toBe(count)
  })

  it('is only what is on disk', () => {
    compared()
    a.order({ channel: channel(0), counter: 1 }, false)
    expect(a.bench.run((step, journey) => a.sync.offer(step, journey, channel(0)))).toEqual([])
    expect(a.bench.run((step, journey) => a.sync.offer(step, journey, channel(7)))).toEqual([])
  })

  it('and not answered, while a comparison is under way: that goes on, and no second one begins', () => {
    compared()
    const push = idIn(offer(0))
    a.bench.pass(LIMITS.syncIntervalMs * 2)
    const round = a.bench.run((step, journey) => a.sync.onTick(step, journey))
    expect(asked(round)).toHaveLength(1)
    expect(acts(fails(push))).toEqual([])
    // It was one silence: the comparison is asked for once more, and a second is one too many.
    const again = fails(idIn(round))
    expect(hungUp(again)).toEqual([])
    expect(hungUp(fails(idIn(again)))).toEqual([{ kind: 'hangUp', peer: B, code: 'NET_TIMEOUT' }])
  })
})

describe('peers that store a part each', () => {
  const parts = ['eu', 'us', 'ap'].map((region) => `${region}/**`)
  /** A node that stores all three parts, beside one peer for each. */
  function between() {
    const all = new ToyNode('all', parts)
    const others = parts.map((pattern) => new ToyNode(pattern.slice(0, 2), [pattern]))
    for (const [at, other] of others.entries())
      other.order({ channel: `${parts[at]?.slice(0, 2)}/web` as Channel, counter: 1 })
    for (const other of others) join(all, other)
    return { all, others }
  }

  it('are compared with in one turn, each for its part, and each part is due by its own time', () => {
    const { all, others } = between()
    expect(all.seen()).toHaveLength(3)
    all.bench.pass(LIMITS.syncIntervalMs * 2)
    const turn = all.bench.run((step, journey) => all.sync.onTick(step, journey))
    expect(
      asked(turn)
        .map(({ peer: to }) => to)
        .sort(),
    ).toEqual(['ap', 'eu', 'us'])
    // Two of them are done; the third is still to be compared with, also when the next turn comes early.
    for (const other of others.slice(0, 2)) {
      other.bench.pass(LIMITS.syncIntervalMs * 2)
      talk(
        all,
        other,
        turn.filter((effect) => effect.kind === 'request' && effect.peer === other.id),
      )
    }
    expect(all.sync.comparedPeers()).toBe(3)
  })
})

it('a fleet of more channels than one message names is compared in several, and ends equal', () => {
  const limits = { maxSyncMessageBytes: 4_096, syncPerSecond: 1_000, syncBurst: 1_000 }
  const [few, many] = [new ToyNode('few', ['**'], limits), new ToyNode('many', ['**'], limits)]
  for (let at = 0; at < 1_000; at += 1) {
    few.order({ channel: channel(at), counter: 1 })
    many.order({ channel: channel(at), counter: 2 })
  }
  const said = join(few, many)
  expect(said.requests.filter((type) => type === 'entries').length).toBeGreaterThan(2)
  expect(said.largest).toBeLessThanOrEqual(limits.maxSyncMessageBytes)
  expect(few.seen()).toEqual(many.seen())
})

describe('a comparison is counted by its result', () => {
  const results = (effects: readonly Effect[]) =>
    effects.flatMap((effect) =>
      effect.kind === 'count' && effect.metric === 'sync_rounds' ? [effect.label] : [],
    )

  it.each<[string, () => Effect[]]>([
    ['done', () => reply(differ())],
    ['broken', () => reply({ type: 'noted' })],
    ['refused', () => reply({ type: 'refused', code: 'LIMIT_RATE', text: 'later' })],
    ['unanswered', () => fails()],
    [
      'gone',
      () =>
        a.bench.run((step) =>
          a.sync.onDisconnected(step, a.bench.journey, { kind: 'disconnected', peer: B }),
        ),
    ],
  ])('%s', (result, end) => {
    expect(results(end())).toEqual([result])
  })
})
