import { describe, expect, test } from 'vitest'
import { Copies } from '../../../src/core/copies.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import { coreConfig } from '../core/fleet.ts'
import { FakeJourney, hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'

const A = peer('A')
const B = peer('B')
const C = peer('C')
const D = peer('D')
const block = hex('a')

function seed(limits: Partial<Limits> = {}) {
  const journey = new FakeJourney()
  journey.region = 'here'
  for (const one of ['A', 'B', 'C', 'D']) link(journey, one)
  return { journey, copies: new Copies(coreConfig({ submit: true, limits: { ...LIMITS, ...limits } })) }
}

describe('a seed gives each block about once', () => {
  test('to whoever asks first; the next are sent there', () => {
    const { journey, copies } = seed()
    expect(copies.judge(journey, block, A, false, 0)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, block, B, false, 0)).toEqual({ kind: 'redirect', to: A })
    expect(copies.judge(journey, block, C, false, 0)).toEqual({ kind: 'redirect', to: A })
    expect(copies.judge(journey, hex('b'), B, false, 0)).toEqual({ kind: 'give' })
  })

  test('once more to whom it was given before, whose disk may have failed', () => {
    const { journey, copies } = seed()
    copies.judge(journey, block, A, false, 0)
    expect(copies.judge(journey, block, A, false, 0)).toEqual({ kind: 'give' })
  })

  test('but no peer draws on the uplink by asking for the same again and again', () => {
    const { journey, copies } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
    const kinds = Array.from({ length: 5 }, () => copies.judge(journey, block, A, false, 0).kind)
    expect(kinds).toEqual(['give', 'give', 'give', 'later', 'later'])
  })

  test('to another where the first has gone', () => {
    const { journey, copies } = seed()
    copies.judge(journey, block, A, false, 0)
    journey.links.delete(A)
    expect(copies.judge(journey, block, B, false, 0)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, block, C, false, 0)).toEqual({ kind: 'redirect', to: B })
  })

  test('beyond two copies only as far as the ration goes, which time fills again', () => {
    const { journey, copies } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
    const { avoidPeerMs, doubtMs } = LIMITS
    expect(copies.judge(journey, block, A, true, 0)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, block, B, true, 0)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, block, C, true, doubtMs)).toEqual({ kind: 'give' })
    const later = { kind: 'later', retryAfterMs: avoidPeerMs }
    expect(copies.judge(journey, block, D, true, 2 * doubtMs)).toEqual(later)
    expect(copies.judge(journey, block, D, true, doubtMs + 1_000)).toEqual({ kind: 'give' })
  })

  test('and not while one that somebody has just been given may be on its way', () => {
    const { journey, copies } = seed()
    const { doubtMs } = LIMITS
    const later = (retryAfterMs: number) => ({ kind: 'later', retryAfterMs })
    copies.judge(journey, block, A, false, 0)
    expect(copies.judge(journey, block, B, true, 1_000)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, block, C, true, 1_000)).toEqual(later(doubtMs))
    expect(copies.judge(journey, block, C, true, 999 + doubtMs)).toEqual(later(1))
    expect(copies.judge(journey, block, C, true, 1_000 + doubtMs)).toEqual({ kind: 'give' })
    expect(copies.judge(journey, hex('b'), C, true, 1_000)).toEqual({ kind: 'give' })
  })

  test('which it is to nobody of a region that none of those who have it reaches', () => {
    const { journey, copies } = seed()
    const regions = ['far', 'farther', 'farthest']
    for (const region of regions) link(journey, region, { region })
    const kinds = regions.map((region) => copies.judge(journey, block, peer(region), false, 0).kind)
    expect(kinds).toEqual(['give', 'give', 'give'])
  })

  test('but peers that ask for it without end and pass it on to nobody keep no other from it', () => {
    const given = (copies: Copies, journey: FakeJourney) => (asker: typeof A, at: number) =>
      copies.judge(journey, block, asker, true, at).kind
    const one = seed()
    const first = given(one.copies, one.journey)
    expect([first(A, 0), first(B, 0), first(B, 90), first(B, 95)]).toEqual(['give', 'give', 'give', 'give'])
    expect(first(C, 99)).toBe('give')
    const other = seed()
    const second = given(other.copies, other.journey)
    expect([second(A, 0), second(B, 0), second(B, 90)]).toEqual(['give', 'give', 'give'])
    expect(second(C, LIMITS.doubtMs + 1)).toBe('give')
  })

  test('once more where whoever has it may have died: one block in ten, and only to somebody else', () => {
    const { journey, copies } = seed()
    for (let at = 0; at < 10; at += 1) copies.judge(journey, hex(`b${at}`), A, false, 0)
    copies.judge(journey, block, A, false, 0)
    const { doubtMs } = LIMITS
    expect(copies.judge(journey, block, B, false, doubtMs - 1)).toEqual({ kind: 'redirect', to: A })
    expect(copies.judge(journey, block, B, false, doubtMs)).toEqual({ kind: 'give' })
    // Two have it now, and what ten others earned is spent.
    expect(copies.judge(journey, block, C, false, 9 * doubtMs)).toEqual({ kind: 'redirect', to: A })
    expect(copies.judge(journey, hex('b1'), C, false, 9 * doubtMs)).toEqual({ kind: 'redirect', to: A })
  })

  test('no doubt about whom this seed has just sent something', () => {
    const { journey, copies } = seed()
    for (let at = 0; at < 40; at += 1) copies.judge(journey, hex(`b${at}`), A, false, 0)
    copies.heard(A, LIMITS.doubtMs)
    expect(copies.judge(journey, hex('b1'), B, false, 2 * LIMITS.doubtMs - 1)).toMatchObject({ to: A })
    expect(copies.judge(journey, hex('b1'), B, false, 2 * LIMITS.doubtMs)).toEqual({ kind: 'give' })
  })

  test('other seeds are never sent on', () => {
    const { journey, copies } = seed()
    link(journey, 'seed', { submit: true })
    copies.judge(journey, block, A, false, 0)
    for (let times = 0; times < 5; times += 1)
      expect(copies.judge(journey, block, peer('seed'), false, 0)).toEqual({ kind: 'give' })
  })

  test('a region far away is sent to one that has it at home, not to a third region', () => {
    const { journey, copies } = seed()
    link(journey, 'far', { region: 'far' })
    link(journey, 'farther', { region: 'farther' })
    copies.judge(journey, block, peer('far'), false, 0)
    expect(copies.judge(journey, block, peer('farther'), false, 0)).toEqual({ kind: 'give' })
    copies.judge(journey, hex('b'), A, false, 0)
    expect(copies.judge(journey, hex('b'), peer('far'), false, 0)).toEqual({ kind: 'redirect', to: A })
  })
})
