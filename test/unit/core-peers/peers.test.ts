import { beforeEach, describe, expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { peerOfRawKey } from '../../../src/codec/peer-id.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { createPeers, type Peers } from '../../../src/core/peers.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Pattern, PeerId } from '../../../src/model/ids.ts'
import type { PeerRecord } from '../../../src/model/peer-record.ts'
import { openPeerRecord, signPeerRecord } from '../../../src/trust/peer-record.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import {
  addressOf,
  asked,
  Bench,
  codes,
  FakeJudge,
  limitsOf,
  peer,
  replies,
  requestOf,
  rootOf,
} from './fakes.ts'

interface Someone {
  readonly id: PeerId
  readonly key: PrivateKey
  record(more?: Partial<PeerRecord>): Uint8Array
}

/** Region in the certificate of a peer, where it is not the own one. */
const certified = new Map<PeerId, string>()

function someone(base: Partial<PeerRecord> = {}): Someone {
  const { key } = generatePrivateKey('ed25519')
  const id = peerOfRawKey(key.public.spki.subarray(-32))
  const plain: PeerRecord = {
    v: 1,
    critical: [],
    peer: id,
    at: 1,
    addresses: [addressOf(id)],
    patterns: ['**' as Pattern],
    region: 'eu',
    zone: 'a',
    submit: false,
    chain: [],
    ...base,
  }
  return { id, key, record: (more = {}) => signPeerRecord({ ...plain, ...more }, key) }
}

const SEED = someone({ submit: true })
let bench: Bench
let peers: Peers
let judge: FakeJudge

function start(
  more: ConstructorParameters<typeof Bench>[0] = {},
  remembered: readonly Uint8Array[] = [],
): Effect[] {
  bench = new Bench({ seeds: [addressOf(SEED.id)], ...more })
  judge = new FakeJudge()
  for (const [id, region] of certified) judge.admissions.set(id, { labels: new Map([['region', region]]) })
  peers = createPeers(bench.config, judge.judge)
  const snapshot = { ...EMPTY_SNAPSHOT, peers: remembered }
  return bench.run((step, journey) => peers.onStarted(step, journey, { kind: 'started', snapshot }))
}

const tick = () => bench.run((step, journey) => peers.onTick(step, journey))
const pass = (ms: number): Effect[] => {
  const all: Effect[] = []
  for (let left = ms; left > 0; left -= 250) {
    bench.pass(Math.min(left, 250))
    all.push(...tick())
  }
  return all
}
const dials = (effects: readonly Effect[]): Address[] =>
  effects.flatMap((effect) => (effect.kind === 'dial' ? [effect.address] : []))
const hungUp = (effects: readonly Effect[]): PeerId[] =>
  effects.flatMap((effect) => (effect.kind === 'hangUp' ? [effect.peer] : []))
const remembered = (effects: readonly Effect[]): PeerId[] =>
  effects.flatMap((effect) => (effect.kind === 'rememberPeer' ? [effect.peer] : []))

const admit = (
  id: PeerId,
  more: Parameters<Bench['link']>[1] = {},
  hello: Parameters<Bench['link']>[2] = {},
) => {
  bench.link(id, more, hello)
  return bench.run((step, journey) => peers.onAdmitted(step, journey, id))
}
const lose = (id: PeerId) => {
  bench.journey.links.delete(id)
  return bench.run((step, journey) => peers.onDisconnected(step, journey, { kind: 'disconnected', peer: id }))
}
const fail = (address: Address) =>
  bench.run((step, journey) => {
    peers.onDialFailed(step, journey, { kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
  })
const asksPeers = (from: PeerId, records: readonly Uint8Array[]) =>
  bench.run((step, journey) => {
    const message = { type: 'peers', records } as const
    peers.onRequest(step, journey, requestOf(9, from, { protocol: 'sync', message }))
  })

beforeEach(() => void start())

it('does not keep an account of strangers that come and go', () => {
  start()
  admit(SEED.id)
  const other = someone()
  for (let times = 0; times < 20; times += 1) lose(other.id)
  asksPeers(SEED.id, [other.record()])
  expect(dials(pass(1_500))).toContain(addressOf(other.id))
})

describe('seeds', () => {
  it('are dialled at once', () => {
    expect(dials(start())).toEqual([addressOf(SEED.id)])
  })

  it('are dialled for ever, the pause growing from 1 s to 10 s while links are missing', () => {
    const pauses: number[] = []
    for (let times = 0; times < 12; times += 1) {
      fail(addressOf(SEED.id))
      const failedAt = bench.now.monoMs
      let found: Address[] = []
      while (found.length === 0 && bench.now.monoMs - failedAt < 60_000) found = dials(pass(250))
      expect(found).toEqual([addressOf(SEED.id)])
      pauses.push(bench.now.monoMs - failedAt)
    }
    expect(pauses[0]).toBeLessThanOrEqual(2_500)
    expect(Math.max(...pauses)).toBeGreaterThan(5_000)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LIMITS.redialMaxMs + 1_500)
  })

  it('are not dialled twice at a time, but again when nothing came of it', () => {
    expect(dials(pass(9_000))).toEqual([])
    expect(dials(pass(8_000))).toEqual([addressOf(SEED.id)])
  })

  it('wait where enough peers are remembered: a restarting fleet spares them', () => {
    const known = Array.from({ length: 5 }, () => someone())
    const effects = start(
      {},
      known.map((one) => one.record()),
    )
    expect(dials(effects)).toHaveLength(LIMITS.maxDialsAtOnce)
    expect(dials(effects)).not.toContain(addressOf(SEED.id))
    expect(dials(pass(7_000))).toContain(addressOf(SEED.id))
  })

  it('but for one are left to others once the region has peers enough', () => {
    const more = someone({ submit: true })
    start({
      seeds: [SEED, more].map(({ id }) => addressOf(id)),
      limits: limitsOf({ minDegree: 2, outsideDegree: 0 }),
    })
    admit(SEED.id, {}, { submit: true })
    admit(peer('a'))
    admit(peer('b'))
    fail(addressOf(more.id))
    expect(dials(pass(60_000))).toEqual([])
    lose(SEED.id)
    expect(dials(pass(5_000))).toHaveLength(1)
  })

  it('that a node itself is are never dialled', () => {
    expect(dials(start({ self: SEED.id, submit: true }))).toEqual([])
  })
})

describe('records of peers', () => {
  it('are exchanged by the dialler on admission, own record first', () => {
    const self = someone()
    start({ self: self.id, peerRecord: () => self.record() })
    const [exchange] = asked(admit(SEED.id))
    expect(exchange?.request).toEqual({
      protocol: 'sync',
      message: { type: 'peers', records: [self.record()] },
    })
    expect(asked(admit(peer('in'), { direction: 'inbound' }))).toEqual([])
  })

  it('lead to dials, and are remembered and passed on only once admitted', () => {
    const one = someone()
    const [exchange] = asked(admit(SEED.id))
    const message = { type: 'peers', records: [one.record()] } as const
    const effects = bench.run((step, journey) => {
      expect(peers.onReply(step, journey, exchange?.id ?? 0, { protocol: 'sync', message })).toBe(true)
    })
    expect(remembered(effects)).toEqual([])
    expect(dials(pass(1_000))).toEqual([addressOf(one.id)])
    expect(replies(asksPeers(SEED.id, []))).toEqual([{ type: 'peers', records: [] }])
    expect(remembered(admit(one.id))).toEqual([one.id])
    expect(replies(asksPeers(SEED.id, []))).toEqual([{ type: 'peers', records: [one.record()] }])
    expect(replies(asksPeers(one.id, []))).toEqual([{ type: 'peers', records: [] }])
  })

  it('of an admitted peer are remembered when they come, and again when they say something else', () => {
    const one = someone()
    admit(one.id, { direction: 'inbound' })
    expect(remembered(asksPeers(one.id, [one.record()]))).toEqual([one.id])
    expect(remembered(asksPeers(one.id, [one.record({ at: 2 })]))).toEqual([])
    expect(remembered(asksPeers(one.id, [one.record({ at: 3, region: 'us' })]))).toEqual([one.id])
    expect(remembered(asksPeers(one.id, [one.record({ at: 2, region: 'ap' })]))).toEqual([])
  })

  it('that somebody else signed are refused and noted', () => {
    const [one, other] = [someone(), someone()]
    admit(SEED.id, { direction: 'inbound' })
    const forged = signPeerRecord(openPeerRecord(one.record(), LIMITS), other.key)
    expect(codes(asksPeers(SEED.id, [forged]))).toEqual(['TRUST_UNAUTHORISED'])
    expect(codes(asksPeers(SEED.id, [new Uint8Array([1, 2])]))).toEqual(['CODEC_MALFORMED'])
    expect(dials(pass(2_000))).toEqual([])
  })

  it('of strangers are not asked for nor taken', () => {
    const one = someone()
    expect(replies(asksPeers(one.id, [one.record()]))).toMatchObject([{ code: 'ADMIT_REFUSED' }])
    expect(dials(pass(2_000))).toEqual([])
  })

  it('are not exchanged as often as a peer likes', () => {
    admit(SEED.id, { direction: 'inbound' })
    const said = Array.from({ length: LIMITS.exchangesBurst + 1 }, () => asksPeers(SEED.id, [])).flatMap(
      replies,
    )
    expect(said.at(-1)).toMatchObject({ type: 'refused', code: 'LIMIT_RATE' })
    expect(said.slice(0, -1).every(({ type }) => type === 'peers')).toBe(true)
  })

  it('of a removed node are forgotten', () => {
    const one = someone()
    start({}, [one.record()])
    fail(addressOf(one.id))
    const root = rootOf(2, { removed: { peers: [{ id: one.id }], pools: [] } })
    bench.run((step, journey) => peers.onRoot(step, journey, root))
    expect(dials(pass(20_000))).not.toContain(addressOf(one.id))
  })

  it('in a full book give way only to peers that proved themselves', () => {
    const [old, late] = [someone(), someone()]
    start({ limits: limitsOf({ maxKnownPeers: 1 }) })
    admit(SEED.id, { direction: 'inbound' })
    asksPeers(SEED.id, [old.record()])
    asksPeers(SEED.id, [late.record()])
    const found = dials(pass(3_000))
    expect(found).toContain(addressOf(old.id))
    expect(found).not.toContain(addressOf(late.id))
  })
})

describe('the degree', () => {
  const region = (name: string, count: number) =>
    Array.from({ length: count }, () => {
      const one = someone({ region: name })
      certified.set(one.id, name)
      return one
    })

  it('is dialled up to in the own region, a few outside, no more at once than a bound', () => {
    const limits = limitsOf({ minDegree: 4, outsideDegree: 2, maxDialsAtOnce: 3 })
    const [near, far] = [region('eu', 8), region('us', 8)]
    const first = start(
      { limits, seeds: [] },
      [...near, ...far].map((one) => one.record()),
    )
    expect(dials(first)).toHaveLength(3)
    const all = [...dials(first), ...dials(pass(5_000))]
    const of = (group: readonly Someone[]) => group.filter(({ id }) => all.includes(addressOf(id))).length
    expect([of(near), of(far)]).toEqual([4, 2])
  })

  it('goes by the region of the certificate, whatever a record says', () => {
    const liars = Array.from({ length: 6 }, () => someone({ region: 'us' }))
    const limits = limitsOf({ minDegree: 6, outsideDegree: 0, maxDialsAtOnce: 6 })
    const found = dials(
      start(
        { limits, seeds: [] },
        liars.map((one) => one.record()),
      ),
    )
    expect(found.sort()).toEqual(liars.map(({ id }) => addressOf(id)).sort())
  })

  it('knows nobody whose certificate does not hold, until a new root says otherwise', () => {
    const one = someone()
    start()
    judge.refused.set(one.id, 'ADMIT_REFUSED')
    admit(SEED.id, { direction: 'inbound' })
    expect(codes(asksPeers(SEED.id, [one.record()]))).toEqual(['ADMIT_REFUSED'])
    expect(codes(asksPeers(SEED.id, [one.record()]))).toEqual([])
    expect(dials(pass(3_000))).not.toContain(addressOf(one.id))
    judge.refused.clear()
    bench.run((step, journey) => peers.onRoot(step, journey, rootOf(2)))
    asksPeers(SEED.id, [one.record()])
    expect(dials(pass(3_000))).toContain(addressOf(one.id))
  })

  it('counts only links of this moment: a lost one is replaced', () => {
    const near = region('eu', 3)
    start({ limits: limitsOf({ minDegree: 2, minOutbound: 0, outsideDegree: 0 }), seeds: [] })
    admit(SEED.id, { direction: 'inbound' })
    asksPeers(
      SEED.id,
      near.map((one) => one.record()),
    )
    const [first] = dials(pass(2_000))
    expect(first).toBeDefined()
    const id = near.find((one) => addressOf(one.id) === first)?.id ?? peer('')
    admit(id)
    expect(dials(pass(30_000))).toEqual([])
    lose(id)
    expect(dials(pass(5_000)).length).toBeGreaterThan(0)
  })

  it('keeps links of its own choice beside those of others', () => {
    const near = region('eu', 4)
    start({ limits: limitsOf({ minDegree: 2, minOutbound: 1, outsideDegree: 0 }), seeds: [] })
    for (const name of ['x', 'y', 'z']) admit(peer(name), { direction: 'inbound' })
    asksPeers(
      peer('x'),
      near.map((one) => one.record()),
    )
    expect(dials(pass(3_000))).toHaveLength(1)
  })

  it('covers each own pattern twice, wherever those peers are', () => {
    const useless = region('eu', 3).map((one) => one.record({ patterns: ['other/**' as Pattern] }))
    const useful = region('us', 3)
    const limits = limitsOf({ minDegree: 0, minOutbound: 0, outsideDegree: 0 })
    start({ patterns: ['shop/**' as Pattern], limits, seeds: [] })
    admit(peer('x'), { direction: 'inbound' }, { patterns: ['other/**' as Pattern] })
    asksPeers(peer('x'), [...useless, ...useful.map((one) => one.record())])
    const found = dials(pass(3_000))
    const dialled = useful.filter(({ id }) => found.includes(addressOf(id)))
    expect([found.length, dialled.length]).toEqual([2, 2])
    for (const { id } of dialled) admit(id, {}, { region: 'us' })
    expect(dials(pass(30_000))).toEqual([])
  })

  it('above its top gives up a link that it dialled itself and can spare, once settled', () => {
    start({ limits: limitsOf({ minDegree: 1, maxDegree: 3, outsideDegree: 0 }), seeds: [] })
    for (const name of ['a', 'b']) admit(peer(name), { direction: 'inbound' })
    for (const name of ['c', 'd']) admit(peer(name))
    expect(hungUp(pass(50_000))).toEqual([])
    const [gone] = hungUp(pass(30_000))
    expect(['c', 'd']).toContain(gone)
  })

  it('is shuffled once an hour', () => {
    const another = someone()
    start({ limits: limitsOf({ minDegree: 2, maxDegree: 4, outsideDegree: 0, minOutbound: 0 }), seeds: [] })
    for (const name of ['a', 'b', 'c']) admit(peer(name))
    asksPeers(peer('a'), [another.record()])
    fail(addressOf(another.id))
    expect(hungUp(pass(LIMITS.linkSwapMs / 2 - 10_000))).toEqual([])
    expect(hungUp(pass(LIMITS.linkSwapMs + 30_000)).length).toBeGreaterThan(0)
  }, 30_000)
})

describe('a peer that says when to come back', () => {
  const told = (retryAfterMs: number) => {
    bench.run((step, journey) => peers.onRefused(step, journey, SEED.id, retryAfterMs))
    return lose(SEED.id)
  }
  const dialledAfterMs = (): number => {
    for (let ms = 250; ms <= 120_000; ms += 250) if (dials(pass(250)).length > 0) return ms
    return Number.POSITIVE_INFINITY
  }

  it.each([
    [3_000, 3_000, 3_000 * 1.25],
    // Its own bound holds while links are missing, whatever is said.
    [600_000, LIMITS.redialMaxMs * 0.75, LIMITS.redialMaxMs],
  ])('%i ms is dialled then, with jitter', (retryAfterMs, least, most) => {
    start()
    told(retryAfterMs)
    const ms = dialledAfterMs()
    expect(ms).toBeGreaterThanOrEqual(least)
    // A look is up to 1.25 s after it is due.
    expect(ms).toBeLessThanOrEqual(most + 1_500)
  })

  it('has not failed: the pause does not grow', () => {
    start()
    for (let times = 0; times < 8; times += 1) {
      told(500)
      expect(dialledAfterMs()).toBeLessThan(2_500)
    }
  })
})
