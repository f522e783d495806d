import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Pattern, PeerId } from '../../../src/model/ids.ts'
import { addressOf, codes, limitsOf, peer, rootOf } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  certified,
  cross,
  dials,
  fail,
  giveUp,
  hungUp,
  idAt,
  judge,
  lose,
  pass,
  peers,
  SEED,
  type Someone,
  someone,
  start,
} from './linking.ts'

beforeEach(() => void start())

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
    const all = [...dials(first), ...dials(pass(LIMITS.admitDeadlineMs + 2_000))]
    const of = (group: readonly Someone[]) => group.filter(({ id }) => all.includes(addressOf(id))).length
    expect([of(near), of(far)]).toEqual([4, 2])
  })

  it('is dialled for with fewer at a time while links come to nothing, with more once they are made', () => {
    const limits = limitsOf({ minDegree: 16, outsideDegree: 0, maxDialsAtOnce: 4 })
    const near = region('eu', 40)
    let under = dials(
      start(
        { limits, seeds: [] },
        near.map((one) => one.record()),
      ),
    )
    expect(under).toHaveLength(4)
    // taken up, and not admitted in time: neither side had the time
    for (const address of under) giveUp(idAt(near, address))
    under = dials(pass(3_000))
    expect(under).toHaveLength(1)
    const made: Address[] = []
    while (made.length < 12) {
      for (const address of under) admit(idAt(near, address))
      made.push(...under)
      under = dials(pass(1_000))
      expect(under.length).toBeLessThanOrEqual(4)
    }
    expect(under.length).toBeGreaterThan(1)
  })

  it('is dialled for with as many at a time as before where one of the two does not admit the other', () => {
    const limits = limitsOf({ minDegree: 16, outsideDegree: 0, maxDialsAtOnce: 4 })
    const near = region('eu', 40)
    const under = dials(
      start(
        { limits, seeds: [] },
        near.map((one) => one.record()),
      ),
    )
    for (const address of under) giveUp(idAt(near, address), 'refused')
    expect(dials(pass(500)).length).toBe(4)
  })

  it('is dialled for with as many at a time as before where both dialled at once', () => {
    const limits = limitsOf({ minDegree: 16, outsideDegree: 4, maxDialsAtOnce: 4 })
    const known = [...region('eu', 12), ...region('us', 8)]
    const records = known.map((one) => one.record())
    const under = dials(start({ limits, seeds: [] }, records))
    expect(under).toHaveLength(4)
    for (const address of under) cross(idAt(known, address))
    const next = dials(pass(500))
    expect(next).toHaveLength(4)
    expect(next.filter((address) => under.includes(address))).toEqual([])
  })

  it('does not leave those outside alone for a dial that crossed theirs', () => {
    const far = region('us', 4)
    start({ limits: limitsOf({ minDegree: 4, outsideDegree: 2, maxDialsAtOnce: 1 }), seeds: [] })
    for (let at = 0; at < 4; at += 1) admit(peer(`near ${at}`))
    const records = far.map((one) => one.record())
    asksPeers(peer('near 0'), records)
    const [first, ...others] = dials(pass(250))
    expect([typeof first, others]).toEqual(['string', []])
    if (first !== undefined) cross(idAt(far, first))
    expect(dials(pass(250))).toHaveLength(1)
  })

  it('is dialled for with fewer at a time where nobody admits this node', () => {
    const limits = limitsOf({ minDegree: 16, outsideDegree: 0, maxDialsAtOnce: 4 })
    const near = region('eu', 200)
    const records = near.map((one) => one.record())
    let under = dials(start({ limits, seeds: [] }, records))
    let minute = 0
    for (let seconds = 0; seconds < 120; seconds += 1) {
      for (const address of under) giveUp(idAt(near, address), 'refused')
      under = dials(pass(1_000))
      if (seconds >= 60) minute += under.length
    }
    expect(minute).toBeGreaterThan(0)
    expect(minute).toBeLessThanOrEqual(3)
  })

  it('does not wait for those that listen nowhere', () => {
    const limits = limitsOf({ minDegree: 4, minOutbound: 0, outsideDegree: 0 })
    const deaf = region('eu', 100).map((one) => one.record({ addresses: [] }))
    const near = region('eu', 4)
    const first = dials(start({ limits, seeds: [] }, [...deaf, ...near.map((one) => one.record())]))
    expect([...first].sort()).toEqual(near.map(({ id }) => addressOf(id)).sort())
  })

  it('is not dialled for at once by links that do not last', () => {
    const [one] = region('eu', 1)
    const { id } = one as Someone
    start({ limits: limitsOf({ minDegree: 1, outsideDegree: 0 }), seeds: [] }, [(one as Someone).record()])
    const pauses = [0, 1, 2, 3, 4, 5].map(() => {
      admit(id)
      pass(2_000)
      lose(id)
      const lostMs = bench.now.monoMs
      while (dials(pass(250)).length === 0);
      return bench.now.monoMs - lostMs
    })
    expect(Math.max(...pauses.slice(0, 2))).toBeLessThanOrEqual(4_500)
    expect(Math.max(...pauses)).toBeGreaterThan(4_500)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(LIMITS.redialMaxMs + 1_500)
    admit(id)
    pass(LIMITS.settledLinkMs)
    lose(id)
    expect(dials(pass(2_500))).toHaveLength(1)
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
    start({ limits: limitsOf({ minDegree: 1, minOutbound: 0, maxDegree: 3, outsideDegree: 0 }), seeds: [] })
    for (const name of ['a', 'b']) admit(peer(name), { direction: 'inbound' })
    for (const name of ['c', 'd']) admit(peer(name))
    expect(hungUp(pass(50_000))).toEqual([])
    const [gone] = hungUp(pass(30_000))
    expect(['c', 'd']).toContain(gone)
  })

  it('keeps those of its own choice however many others dial it: given up they would be dialled for again', () => {
    const near = region('eu', 40)
    const limits = limitsOf({ outsideDegree: 0 })
    start(
      { limits, seeds: [] },
      near.map((one) => one.record()),
    )
    const inbound = near.slice(0, limits.maxDegree - 1)
    for (const { id } of inbound) admit(id, { direction: 'inbound' })
    let made = 0
    for (let second = 0; second < 1_800; second += 1) {
      const effects = pass(1_000)
      expect(hungUp(effects)).toEqual([])
      for (const address of dials(effects)) {
        admit(idAt(near, address))
        made += 1
      }
    }
    expect(made).toBeLessThanOrEqual(2 * limits.minOutbound)
  })

  it('gives up none of too many links that is to a gateway, and a gateway has room for more', () => {
    const goes = (gateways: readonly PeerId[]) => {
      start({ limits: limitsOf({ minDegree: 1, minOutbound: 0, maxDegree: 3, outsideDegree: 0 }), seeds: [] })
      bench.journey.gatewaysOf.set('eu', gateways)
      for (const name of ['a', 'b', 'c', 'd']) admit(peer(name))
      return hungUp(pass(80_000))
    }
    expect(goes(['a', 'b', 'c'].map(peer))).toEqual([peer('d')])
    expect(goes(['a', 'b', 'c', 'd'].map(peer))).toEqual([])
    expect(goes([bench.config.self])).toEqual([])
    start({
      limits: limitsOf({ minDegree: 1, minOutbound: 0, maxDegree: 2, hardDegree: 3, outsideDegree: 0 }),
      seeds: [],
    })
    bench.journey.gatewaysOf.set('eu', [bench.config.self])
    for (const name of ['a', 'b', 'c', 'd']) admit(peer(name))
    expect(hungUp(pass(80_000))).toHaveLength(1)
  })

  it('keeps to its only seed, which it would dial again at once, and gives up one of two', () => {
    const more = someone({ submit: true })
    const goes = (seeds: readonly PeerId[]) => {
      start({
        seeds: seeds.map((id) => addressOf(id)),
        limits: limitsOf({ minDegree: 1, minOutbound: 0, maxDegree: 3, outsideDegree: 0 }),
      })
      for (const name of ['a', 'b', 'c']) admit(peer(name), { direction: 'inbound' })
      for (const id of seeds) admit(id, {}, { submit: true })
      return hungUp(pass(80_000))
    }
    expect(goes([SEED.id])).toEqual([])
    expect(goes([SEED.id, more.id])).toHaveLength(1)
  })

  it('is shuffled once an hour, gateways too, or they would gather all links', () => {
    const another = someone()
    start({ limits: limitsOf({ minDegree: 2, maxDegree: 4, outsideDegree: 0, minOutbound: 0 }), seeds: [] })
    for (const name of ['a', 'b', 'c']) admit(peer(name))
    bench.journey.gatewaysOf.set('eu', ['a', 'b', 'c'].map(peer))
    asksPeers(peer('a'), [another.record()])
    fail(addressOf(another.id))
    expect(hungUp(pass(LIMITS.linkSwapMs / 2 - 10_000))).toEqual([])
    expect(hungUp(pass(LIMITS.linkSwapMs + 30_000)).length).toBeGreaterThan(0)
  }, 30_000)
})
