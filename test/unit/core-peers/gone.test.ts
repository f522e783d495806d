import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import { addressOf, rootOf } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  dials,
  fail,
  giveUp,
  lose,
  pass,
  peers,
  type Someone,
  someone,
  start,
  tick,
} from './linking.ts'

const HOUR_MS = 3_600_000
const [near, other, gone] = [someone(), someone(), someone()]
const link = (one: Someone) => {
  admit(one.id, { direction: 'inbound' })
  asksPeers(one.id, [one.record()])
}

/** From one look to the next. */
function lookPauseMs(): number {
  const next = () => {
    bench.wakeMonoMs = Number.POSITIVE_INFINITY
    tick()
    return bench.wakeMonoMs - bench.now.monoMs
  }
  bench.pass(next())
  return next()
}

/** Milliseconds from each failed dial to the next, for so long. */
function pausesMs(one: Someone, forMs: number): number[] {
  const pauses: number[] = []
  let failedMs = bench.now.monoMs
  for (let ms = 0; ms < forMs; ms += 250)
    for (const address of dials(pass(250))) {
      expect(address).toBe(addressOf(one.id))
      pauses.push(bench.now.monoMs - failedMs)
      failedMs = bench.now.monoMs
      fail(address)
    }
  return pauses
}
/** All that is dialled in so long, each in vain. */
function dialledIn(forMs: number): Address[] {
  const all: Address[] = []
  for (let ms = 0; ms < forMs; ms += 250) {
    const found = dials(pass(250))
    all.push(...found)
    for (const address of found) fail(address)
  }
  return all
}
const IS_QUICK = LIMITS.redialMaxMs + 1_500
const IDLE_LOOK_MS = 7_500

describe('in a fleet of few a peer that is gone', () => {
  /** Three of four nodes are linked, until one goes. */
  const begin = () => {
    start({ seeds: [] })
    for (const one of [near, other, gone]) link(one)
    lookPauseMs()
    lose(gone.id)
  }

  it('is missed for a day', () => {
    begin()
    const pauses = pausesMs(gone, 600_000)
    expect(pauses.length).toBeGreaterThan(50)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(IS_QUICK)
    expect(lookPauseMs()).toBeLessThanOrEqual(1.25 * LIMITS.redialMinMs)
  })

  it('is no shortage after that: it is dialled, and looked after, at the idle pace', () => {
    begin()
    bench.pass(25 * HOUR_MS)
    pausesMs(gone, 300_000)
    const pauses = pausesMs(gone, 1_200_000).slice(1)
    expect(Math.min(...pauses)).toBeGreaterThan(LIMITS.redialIdleMaxMs / 2)
    expect(pauses.length).toBeGreaterThan(10)
    expect(lookPauseMs()).toBeGreaterThanOrEqual(IDLE_LOOK_MS)
    fail(addressOf(gone.id))
    expect(lookPauseMs()).toBeGreaterThanOrEqual(IDLE_LOOK_MS)
  })

  it('is so, too, where it answers and one of the two does not admit the other', () => {
    begin()
    bench.pass(25 * HOUR_MS)
    pass(IS_QUICK)
    giveUp(gone.id, 'refused')
    expect(lookPauseMs()).toBeGreaterThanOrEqual(IDLE_LOOK_MS)
  })

  it('is dialled at the idle pace also where something else is missing, such as a second peer for a channel', () => {
    begin()
    lose(other.id)
    bench.run((step, journey) => {
      const removed = { peers: [{ id: other.id }], pools: [] }
      peers.onRoot(step, journey, rootOf(2, { removed }))
    })
    bench.pass(25 * HOUR_MS)
    pausesMs(gone, 300_000)
    expect(Math.min(...pausesMs(gone, 600_000).slice(1))).toBeGreaterThan(LIMITS.redialIdleMaxMs / 2)
    expect(lookPauseMs()).toBeLessThanOrEqual(1.25 * LIMITS.redialMinMs)
  })

  it('is missed again where it signs another record', () => {
    begin()
    bench.pass(25 * HOUR_MS)
    pausesMs(gone, 300_000)
    expect(lookPauseMs()).toBeGreaterThanOrEqual(IDLE_LOOK_MS)
    asksPeers(near.id, [gone.record({ at: 2 })])
    lookPauseMs()
    expect(lookPauseMs()).toBeLessThanOrEqual(1.25 * LIMITS.redialMinMs)
  })

  it('is missed where nobody is linked: it may be this host that is cut off', () => {
    begin()
    bench.pass(25 * HOUR_MS)
    pausesMs(gone, 300_000)
    for (const one of [near, other]) lose(one.id)
    expect(dialledIn(300_000).filter((address) => address === addressOf(gone.id)).length).toBeGreaterThan(30)
  })
})

it('who is remembered and not there is missed for an hour after a start', () => {
  start({ seeds: [] }, [gone.record()])
  for (const one of [near, other]) link(one)
  fail(addressOf(gone.id))
  expect(Math.max(...pausesMs(gone, 600_000))).toBeLessThanOrEqual(IS_QUICK)
  bench.pass(HOUR_MS)
  pausesMs(gone, 300_000)
  expect(Math.min(...pausesMs(gone, 600_000).slice(1))).toBeGreaterThan(LIMITS.redialIdleMaxMs / 2)
  expect(lookPauseMs()).toBeGreaterThanOrEqual(IDLE_LOOK_MS)
})

it('hundreds that are gone are dialled a few at a look', () => {
  const many = Array.from({ length: 200 }, () => someone())
  const records = many.map((one) => one.record())
  start({ seeds: [] }, records)
  for (const one of [near, other]) link(one)
  const quick = dialledIn(60_000)
  expect(new Set(quick).size).toBe(many.length)
  bench.pass(HOUR_MS)
  dialledIn(60_000)
  const idle = dialledIn(60_000)
  expect(idle.length).toBeGreaterThan(LIMITS.maxDialsAtOnce)
  expect(idle.length).toBeLessThanOrEqual((60_000 / IDLE_LOOK_MS + 1) * LIMITS.maxDialsAtOnce)
  expect(quick.length).toBeGreaterThan(5 * idle.length)
})
