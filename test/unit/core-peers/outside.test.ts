/** Links outside the region that cannot be had: nobody is hammered for want of them, and a region that is parted is quick. */
import { beforeEach, describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Pattern, PeerId } from '../../../src/model/ids.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  certified,
  dials,
  fail,
  giveUp,
  idAt,
  lose,
  pass,
  peers,
  SEED,
  type Someone,
  someone,
  start,
  tick,
} from './linking.ts'

const MINUTE_MS = 60_000

const elsewhere = (count: number, patterns = ['**' as Pattern]): Someone[] =>
  Array.from({ length: count }, () => {
    const one = someone({ region: 'us', patterns })
    certified.set(one.id, 'us')
    return one
  })
const addresses = (some: readonly Someone[]): Address[] => some.map(({ id }) => addressOf(id)).sort()

/** So many links in the own region, and these are known outside it. */
function begin(own: number, far: readonly Someone[], more: Parameters<typeof start>[0] = {}): void {
  start({ seeds: [], ...more })
  for (let at = 0; at < own; at += 1) admit(peer(`own ${at}`))
  asksPeers(
    peer('own 0'),
    far.map((one) => one.record()),
  )
}
const told = (id: PeerId, retryAfterMs: number) => {
  bench.run((step, journey) => peers.onRefused(step, journey, id, retryAfterMs))
  giveUp(id)
}
/** All dials of a while, each of which fails at once. */
const inVain = (ms: number): Address[] => {
  const all: Address[] = []
  for (let left = ms; left > 0; left -= 250) {
    const found = dials(pass(250))
    found.forEach(fail)
    all.push(...found)
  }
  return all
}

beforeEach(() => certified.clear())

describe('a region with links enough within itself', () => {
  it('is not kept from dialling outside by one that comes and goes', () => {
    const [one, other] = elsewhere(2) as [Someone, Someone]
    begin(LIMITS.minDegree, [one])
    const link = { peer: one.id, direction: 'inbound' as const, address: addressOf(one.id), ownHost: false }
    const dialled: Address[] = []
    const comesAndGoes = (ms: number) => {
      for (let left = ms; left > 0; left -= 50) {
        bench.run((step, journey) => peers.onConnected(step, journey, { kind: 'connected', ...link }))
        bench.run((step, journey) =>
          peers.onDisconnected(step, journey, { kind: 'disconnected', peer: one.id }),
        )
        dialled.push(...dials(pass(50)))
      }
    }
    comesAndGoes(20_000)
    asksPeers(peer('own 0'), [other.record()])
    comesAndGoes(2 * LIMITS.redialMinMs)
    expect(dialled).toContain(addressOf(other.id))
  })

  it('asks whoever refused it outside when it was told to, and looks no oftener than with nothing missing', () => {
    const far = elsewhere(3)
    begin(LIMITS.minDegree, far)
    expect(dials(pass(2_000)).sort()).toEqual(addresses(far))
    for (const { id } of far) told(id, MINUTE_MS)
    pass(15_000)
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    // A tick before the time of the next look tells that time.
    for (const waitMs of [0, 100, 200]) {
      bench.pass(waitMs)
      expect(dials(tick())).toEqual([])
    }
    const lookMonoMs = bench.wakeMonoMs
    bench.pass(lookMonoMs - bench.now.monoMs)
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    expect(dials(tick())).toEqual([])
    expect(bench.wakeMonoMs - lookMonoMs).toBeGreaterThanOrEqual(7_500)
    expect(dials(pass(20_000))).toEqual([])
    expect(new Set(dials(pass(MINUTE_MS)))).toEqual(new Set(addresses(far)))
  })

  it('dials ever fewer of hundreds that cannot be reached, and never gives up', () => {
    begin(LIMITS.minDegree, elsewhere(LIMITS.maxExchanged))
    const first = inVain(10 * MINUTE_MS)
    expect(first.length).toBeLessThan(3 * 24)
    const later = inVain(10 * MINUTE_MS).length
    expect(later).toBeGreaterThanOrEqual(3 * 7)
    expect(later).toBeLessThanOrEqual(3 * 20)
  })

  it('waits no longer once a link was made', () => {
    const far = elsewhere(60)
    begin(LIMITS.minDegree, far)
    inVain(MINUTE_MS)
    let some: Address[] = []
    while (some.length === 0) some = dials(pass(250))
    some.slice(1).forEach(fail)
    expect(dials(pass(15_000))).toEqual([])
    admit(idAt(far, some[0] as Address), {}, { region: 'us' })
    expect(dials(pass(2_500)).length).toBeGreaterThan(0)
  })

  it.each([
    ['before', 0],
    ['once it was', 2_000],
  ])('hurries for a link within it that is missing, not for those outside that refused %s', (_, laterMs) => {
    const [far, near] = [elsewhere(3), someone()]
    begin(LIMITS.minDegree, far)
    pass(2_000)
    asksPeers(peer('own 0'), [near.record()])
    lose(peer('own 1'))
    inVain(laterMs)
    for (const { id } of far) told(id, LIMITS.linkSwapMs)
    const found = inVain(MINUTE_MS)
    expect(found.length).toBeGreaterThan(4)
    expect(new Set(found)).toEqual(new Set([addressOf(near.id)]))
  })

  it('leaves a full seed to others for an hour, though it has no link outside', () => {
    begin(LIMITS.minDegree, elsewhere(3), { seeds: [addressOf(SEED.id)] })
    pass(2_000)
    told(SEED.id, LIMITS.linkSwapMs)
    expect(inVain(10 * MINUTE_MS)).not.toContain(addressOf(SEED.id))
  })

  it('hurries outside for who stores what too few of its neighbours do', () => {
    const shop = ['shop/**' as Pattern]
    const [useful, useless] = [elsewhere(1, shop), elsewhere(2, ['other/**' as Pattern])]
    const far = [...useful, ...useless]
    begin(LIMITS.minDegree, far, { patterns: shop })
    pass(2_000)
    for (const { id } of far) told(id, LIMITS.linkSwapMs)
    expect(dials(pass(MINUTE_MS))).toEqual([])
    for (let at = 1; at < LIMITS.minDegree; at += 1)
      admit(peer(`own ${at}`), {}, { patterns: ['other/**' as Pattern] })
    expect(dials(pass(LIMITS.redialMaxMs + 1_500))).toEqual(addresses(useful))
  })
})

describe('a small region without any link outside', () => {
  /** The longest time without a dial. */
  const longestMs = (ms: number): number => {
    let [longest, since] = [0, 0]
    for (let at = 0; at < ms; at += 250) {
      since = inVain(250).length > 0 ? 0 : since + 250
      longest = Math.max(longest, since)
    }
    return longest
  }

  it('is parted from all others, and dials them all the time', () => {
    begin(3, elsewhere(12))
    inVain(5 * MINUTE_MS)
    expect(longestMs(5 * MINUTE_MS)).toBeLessThanOrEqual(LIMITS.redialMaxMs + 1_500)
  })

  it('dials anew whoever it had given time once the last link outside is gone', () => {
    const far = elsewhere(3)
    const [first, ...others] = far as [Someone, ...Someone[]]
    begin(3, far)
    pass(2_000)
    admit(first.id, {}, { region: 'us' })
    for (const { id } of others) told(id, LIMITS.linkSwapMs)
    expect(dials(pass(MINUTE_MS))).toEqual([])
    lose(first.id)
    expect(new Set(inVain(2 * LIMITS.redialMaxMs + 5_000))).toEqual(new Set(addresses(far)))
  })

  it('is no region that wants none', () => {
    begin(3, elsewhere(4), { limits: limitsOf({ outsideDegree: 0 }) })
    expect(dials(pass(MINUTE_MS))).toEqual([])
  })

  it('waits for whoever tells it to', () => {
    const far = elsewhere(3)
    begin(3, far)
    pass(2_000)
    for (const { id } of far) told(id, MINUTE_MS)
    expect(dials(pass(MINUTE_MS - 3_000))).toEqual([])
    expect(new Set(dials(pass(MINUTE_MS / 2)))).toEqual(new Set(addresses(far)))
  })
})
