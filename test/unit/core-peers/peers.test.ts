import { beforeEach, describe, expect, it } from 'vitest'
import { encode } from '../../../src/codec/cbor.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { PeerBook } from '../../../src/core/peers/book.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, KeyId } from '../../../src/model/ids.ts'
import { openPeerRecord, signPeerRecord } from '../../../src/trust/peer-record.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { addressOf, asked, codes, configOf, hex, limitsOf, peer, replies, rootOf } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  dials,
  fail,
  forgotten,
  giveUp,
  judge,
  lose,
  pass,
  peers,
  remembered,
  SEED,
  someone,
  start,
} from './linking.ts'

beforeEach(() => void start())

it('does not keep an account of strangers that come and go', () => {
  start()
  admit(SEED.id)
  const other = someone()
  for (let times = 0; times < 20; times += 1) lose(other.id)
  asksPeers(SEED.id, [other.record()])
  expect(dials(pass(1_500))).toContain(addressOf(other.id))
})

/** Between a failed dial and the next one to the same address, twelve in a row. */
function pausesOf(address: Address): number[] {
  const pauses: number[] = []
  for (let times = 0; times < 12; times += 1) {
    fail(address)
    const failedAt = bench.now.monoMs
    let found: Address[] = []
    while (found.length === 0 && bench.now.monoMs - failedAt < 60_000) found = dials(pass(250))
    expect(found).toEqual([address])
    pauses.push(bench.now.monoMs - failedAt)
  }
  return pauses
}

describe('seeds', () => {
  it('are dialled at once', () => {
    expect(dials(start())).toEqual([addressOf(SEED.id)])
  })

  it('are dialled for ever, the pause growing from 1 s to 10 s while links are missing', () => {
    const pauses = pausesOf(addressOf(SEED.id))
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

  it('are dialled by another seed every ten seconds, though it has links enough: a parted region has no other way across', () => {
    const other = someone({ submit: true })
    start({
      self: SEED.id,
      submit: true,
      seeds: [SEED, other].map(({ id }) => addressOf(id)),
      limits: limitsOf({ minDegree: 2, outsideDegree: 0 }),
    })
    for (const name of ['a', 'b', 'c']) admit(peer(name), { direction: 'inbound' })
    const pauses = pausesOf(addressOf(other.id))
    expect(Math.max(...pauses)).toBeGreaterThan(LIMITS.redialMaxMs / 2)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LIMITS.redialMaxMs + 500)
  })

  it('with several addresses are dialled at each in turn, as they are named, then where their own record says', () => {
    const [a1, a2, own] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((host) => addressOf(SEED.id, host))
    const seeds = [a1, a2] as Address[]
    const dialled = dials(start({ seeds }))
    const failing = (times: number) => {
      for (let left = times; left > 0; left -= 1) {
        fail(dialled.at(-1) as Address)
        dialled.push(...dials(pass(LIMITS.redialMaxMs + 1_500)))
      }
    }
    expect(dialled).toEqual([a1])
    failing(3)
    expect(dialled).toEqual([a1, a2, a1, a2])
    admit(SEED.id)
    asksPeers(SEED.id, [SEED.record({ addresses: [own, a2] as Address[] })])
    lose(SEED.id)
    dialled.splice(0, 4, ...dials(pass(3_000)))
    failing(3)
    expect(dialled).toEqual([a1, a2, own, a1])
  })

  it('that are dialled in vain several times, at each address, are told of once, and again after a link', () => {
    const hosts = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6']
    const noted = (more: readonly Address[], times: number) =>
      Array.from({ length: times }, () => codes(fail(more[0] as Address)).join())
    start()
    const unknown = ['', '', '', '', '']
    expect(noted([addressOf(someone().id)], 5)).toEqual(unknown)
    const said = ['', '', '', '', 'NET_UNREACHABLE', '', '', '']
    expect(noted([addressOf(SEED.id)], 8)).toEqual(said)
    admit(SEED.id)
    lose(SEED.id)
    expect(noted([addressOf(SEED.id)], 8)).toEqual(said)
    const seeds = hosts.map((host) => addressOf(SEED.id, host))
    start({ seeds })
    expect(noted(seeds, 7)).toEqual([...unknown, 'NET_UNREACHABLE', ''])
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

  it('are passed on still where their peer dialled and was turned away: that says nothing of its address', () => {
    const one = someone()
    admit(SEED.id)
    asksPeers(SEED.id, [one.record()])
    admit(one.id)
    lose(one.id)
    for (let times = 0; times < 3; times += 1) giveUp(one.id, 'inbound')
    bench.pass(10_000)
    expect(replies(asksPeers(SEED.id, []))).toEqual([{ type: 'peers', records: [one.record()] }])
    for (let times = 0; times < 3; times += 1) giveUp(one.id)
    bench.pass(10_000)
    expect(replies(asksPeers(SEED.id, []))).toEqual([{ type: 'peers', records: [] }])
  })

  it('of an admitted peer are remembered when they come, and again when they say something else', () => {
    const one = someone()
    admit(one.id, { direction: 'inbound' })
    expect(remembered(asksPeers(one.id, [one.record()]))).toEqual([one.id])
    expect(remembered(asksPeers(one.id, [one.record({ at: 2 })]))).toEqual([])
    expect(remembered(asksPeers(one.id, [one.record({ at: 3, region: 'us' })]))).toEqual([one.id])
    expect(remembered(asksPeers(one.id, [one.record({ at: 2, region: 'ap' })]))).toEqual([])
    const chain = [Uint8Array.of(7)]
    bench.pass(60_000)
    for (const [at, again] of [
      [4, [one.id]],
      [5, []],
    ] as const)
      expect(remembered(asksPeers(one.id, [one.record({ at, region: 'us', chain })]))).toEqual(again)
  })

  it('that somebody else signed are refused and noted', () => {
    const [one, other] = [someone(), someone()]
    admit(SEED.id, { direction: 'inbound' })
    const forged = signPeerRecord(openPeerRecord(one.record(), LIMITS), other.key)
    expect(codes(asksPeers(SEED.id, [forged]))).toEqual(['TRUST_UNAUTHORISED'])
    expect(codes(asksPeers(SEED.id, [new Uint8Array([1, 2])]))).toEqual(['CODEC_MALFORMED'])
    expect(dials(pass(2_000))).toEqual([])
  })

  it('of a newer build are left alone without a word, and each is looked at once', () => {
    const [one, two] = [someone(), someone()]
    admit(SEED.id, { direction: 'inbound' })
    const payload = encode({ v: 2 })
    const other = encodeEnvelope(signEnvelope('peer', payload, [two.key]))
    expect(asksPeers(SEED.id, [one.record({ critical: ['waves'] }), other]).map(({ kind }) => kind)).toEqual([
      'reply',
    ])
    expect(dials(pass(2_000))).toEqual([])
    const book = new PeerBook(configOf({ self: SEED.id }))
    const learn = () =>
      book.learn(
        one.record({ critical: ['waves'] }),
        () => true,
        () => ({ kind: 'refused', code: 'ADMIT_REFUSED', text: '' }),
        0,
      )
    expect([learn(), learn()]).toEqual([{ learnt: 'newer' }, { learnt: 'old' }])
  })

  it('of strangers are not asked for nor taken', () => {
    const one = someone()
    expect(replies(asksPeers(one.id, [one.record()]))).toMatchObject([{ code: 'ADMIT_REFUSED' }])
    expect(dials(pass(2_000))).toEqual([])
  })

  /** Nobody is dialled, whatever is heard of. */
  const linked = (...to: readonly string[]) => {
    start({ limits: limitsOf({ minDegree: 1, outsideDegree: 0, maxDialsAtOnce: 0 }) })
    admit(SEED.id, {}, { submit: true })
    for (const name of to) admit(peer(name))
  }
  /** Seconds after which the node asks somebody for records, where each answer names so many it has not heard of. */
  function asksAt(untilMs: number, news: number): number[] {
    const at: number[] = []
    for (let ms = 0; ms < untilMs; ms += 250)
      for (const { id } of asked(pass(250))) {
        at.push(Math.round(bench.now.monoMs / 1_000))
        const message = {
          type: 'peers',
          records: Array.from({ length: news }, () => someone().record()),
        } as const
        bench.run((step, journey) => peers.onReply(step, journey, id, { protocol: 'sync', message }))
      }
    return at
  }

  const quick = LIMITS.exchangeMinMs / 1_000
  const pausesIn = (ms: number) => asksAt(ms, 8).map((at, n, all) => at - (all[n - 1] ?? at))

  it('are asked for quickly while few are known, then more and more seldom, though there are new ones still', () => {
    linked('a')
    const pauses = pausesIn(400_000)
    for (const pause of pauses.slice(1, 4)) expect(pause).toBeLessThanOrEqual(3 * quick)
    expect(pauses.at(-1)).toBeGreaterThan(10 * quick)
  })

  it('are asked for quickly while somebody new is named and a second peer for a channel is missing', () => {
    linked()
    expect(Math.max(...pausesIn(200_000).slice(1))).toBeLessThanOrEqual(3 * quick)
  })

  it('are asked for at once where links are missing again', () => {
    linked('a')
    asksAt(400_000, 32)
    lose(peer('a'))
    lose(SEED.id)
    admit(peer('b'), { direction: 'inbound' })
    judge.admissions.set(peer('b'), { labels: new Map([['region', 'far']]) })
    expect(asksAt(2 * LIMITS.exchangeMinMs, 0)).not.toEqual([])
  })

  it('are not exchanged as often as a peer likes', () => {
    admit(SEED.id, { direction: 'inbound' })
    const said = Array.from({ length: LIMITS.exchangesBurst + 1 }, () => asksPeers(SEED.id, [])).flatMap(
      replies,
    )
    expect(said.at(-1)).toMatchObject({ type: 'refused', code: 'LIMIT_RATE' })
    expect(said.slice(0, -1).every(({ type }) => type === 'peers')).toBe(true)
    lose(SEED.id)
    admit(SEED.id, { direction: 'inbound' })
    expect(replies(asksPeers(SEED.id, []))).toMatchObject([{ type: 'peers' }])
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
    admit(late.id, { direction: 'inbound' })
    expect(remembered(asksPeers(late.id, [late.record()]))).toEqual([late.id])
    lose(late.id)
    // Of two that proved themselves the first stays.
    const third = someone()
    admit(third.id, { direction: 'inbound' })
    expect(remembered(asksPeers(third.id, [third.record()]))).toEqual([])
    const after = dials(pass(20_000))
    expect(after).toContain(addressOf(late.id))
    expect(after).not.toContain(addressOf(old.id))
  })

  it('of peers that nobody was linked to for a day are passed on to nobody, and make room for those that are there', () => {
    const [gone, here] = [someone(), someone()]
    start({ limits: limitsOf({ maxKnownPeers: 1 }) })
    admit(SEED.id, { direction: 'inbound' })
    const passedOn = () =>
      replies(asksPeers(SEED.id, [])).flatMap((said) => (said.type === 'peers' ? said.records : []))
    admit(gone.id, { direction: 'inbound' })
    asksPeers(gone.id, [gone.record()])
    pass(20_000)
    lose(gone.id)
    bench.pass(86_300_000)
    expect(passedOn()).toEqual([gone.record()])
    admit(here.id, { direction: 'inbound' })
    expect(remembered(asksPeers(here.id, [here.record()]))).toEqual([])
    bench.pass(200_000)
    expect(passedOn()).toEqual([])
    expect(remembered(asksPeers(here.id, [here.record()]))).toEqual([here.id])
    expect(passedOn()).toEqual([here.record()])
  })

  it('that are dropped are dropped from what is kept, too', () => {
    const [good, bad] = [someone(), someone()]
    start({}, [good.record(), bad.record()])
    judge.refused.set(bad.id, 'ADMIT_REFUSED')
    const root = rootOf(2, { admission: { keys: [hex('b') as string as KeyId] } })
    bench.run((step, journey) => peers.onRoot(step, journey, root))
    expect(forgotten(pass(20_000))).toEqual([bad.id])
  })

  it('that were kept are judged anew under a new root; what is no record is said at the start', () => {
    const [good, bad] = [someone(), someone()]
    expect(codes(start({}, [good.record(), bad.record(), new Uint8Array([1, 2])]))).toEqual([
      'CODEC_MALFORMED',
    ])
    judge.refused.set(bad.id, 'ADMIT_REFUSED')
    const root = rootOf(2, { admission: { keys: [hex('b') as string as KeyId] } })
    bench.run((step, journey) => peers.onRoot(step, journey, root))
    for (const { id } of [good, bad]) fail(addressOf(id))
    const found = dials(pass(30_000))
    expect(found).toContain(addressOf(good.id))
    expect(found).not.toContain(addressOf(bad.id))
  })

  it('of this very node that it has not given out are another process with its key', () => {
    const self = someone()
    start({ self: self.id, peerRecord: () => self.record() })
    admit(SEED.id)
    expect(codes(asksPeers(SEED.id, [self.record()]))).toEqual([])
    const at = bench.now.wallMs + 1
    expect(codes(asksPeers(SEED.id, [self.record({ at })]))).toEqual(['NET_DUPLICATE_ID'])
    expect(peers.twin(bench.now.monoMs)).toEqual([addressOf(self.id)])
  })

  it('of this very node from a time when its clock was ahead are outdone by the next that it gives', () => {
    const self = someone()
    start({
      self: self.id,
      peerRecord: (notBefore) => self.record({ at: Math.max(bench.now.wallMs, notBefore) }),
    })
    admit(SEED.id)
    const at = bench.now.wallMs + 3_600_000
    const ours = { type: 'peers', records: [self.record({ at: at + 1 })] } as const
    const effects = asksPeers(SEED.id, [self.record({ at })])
    expect([codes(effects), replies(effects)]).toEqual([[], [ours]])
  })
})
