import { describe, expect, test } from 'vitest'
import { Copies } from '../../../src/core/serve/copies.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
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
  const copies = new Copies(coreConfig({ submit: true, limits: { ...LIMITS, ...limits } }))
  const judge = (digest: Digest, asker: PeerId, failed: boolean, monoMs: number, hasRoom = true) =>
    copies.judge(journey, { digest, asker, failed, hasRoom }, monoMs)
  return { journey, copies, judge }
}

describe('a seed gives each block about once', () => {
  test('to whoever asks first; the next are sent there', () => {
    const { judge } = seed()
    expect(judge(block, A, false, 0)).toEqual({ kind: 'give' })
    expect(judge(block, B, false, 0)).toEqual({ kind: 'redirect', to: A })
    expect(judge(block, C, false, 0)).toEqual({ kind: 'redirect', to: A })
    expect(judge(hex('b'), B, false, 0)).toEqual({ kind: 'give' })
  })

  test('what was not given after all counts neither as a copy, nor as one of the ration', () => {
    const { copies, judge } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
    const { doubtMs } = LIMITS
    for (const asker of [A, B]) expect(judge(block, asker, true, 0)).toEqual({ kind: 'give' })
    for (let times = 1; times <= 3; times += 1) {
      expect(judge(block, C, true, times * doubtMs)).toEqual({ kind: 'give' })
      copies.takeBack(block, C)
    }
    copies.takeBack(block, A)
    expect(judge(block, D, false, 4 * doubtMs)).toEqual({ kind: 'redirect', to: B })
    for (const peer of [B, B]) copies.takeBack(block, peer)
    for (const asker of [C, D]) expect(judge(block, asker, true, 4 * doubtMs)).toEqual({ kind: 'give' })
  })

  test('once more to whom it was given before, whose disk may have failed', () => {
    const { judge } = seed()
    judge(block, A, false, 0)
    expect(judge(block, A, false, 0)).toEqual({ kind: 'give' })
  })

  test('but no peer draws on the uplink by asking for the same again and again', () => {
    const { judge } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
    const kinds = Array.from({ length: 5 }, () => judge(block, A, false, 0).kind)
    expect(kinds).toEqual(['give', 'give', 'give', 'later', 'later'])
  })

  test('to another where the first has gone', () => {
    const { journey, judge } = seed()
    judge(block, A, false, 0)
    journey.links.delete(A)
    expect(judge(block, B, false, 0)).toEqual({ kind: 'give' })
    expect(judge(block, C, false, 0)).toEqual({ kind: 'redirect', to: B })
  })

  test('beyond two copies only as far as the ration goes, which time fills again', () => {
    const { judge } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes })
    const { avoidPeerMs, doubtMs } = LIMITS
    expect(judge(block, A, true, 0)).toEqual({ kind: 'give' })
    expect(judge(block, B, true, 0)).toEqual({ kind: 'give' })
    expect(judge(block, C, true, doubtMs)).toEqual({ kind: 'give' })
    const later = { kind: 'later', retryAfterMs: avoidPeerMs }
    expect(judge(block, D, true, 2 * doubtMs)).toEqual(later)
    expect(judge(block, D, true, doubtMs + 1_000)).toEqual({ kind: 'give' })
  })

  test('which holds a whole block at however low a rate: it is only longer until the next', () => {
    const { journey, judge } = seed({ seedExtraBytesPerSecond: LIMITS.maxBlockBytes / 4 })
    for (const asker of [A, B]) expect(judge(block, asker, true, 0)).toEqual({ kind: 'give' })
    for (const gone of [A, B]) journey.links.delete(gone)
    const later = { kind: 'later', retryAfterMs: LIMITS.avoidPeerMs }
    expect(judge(block, C, false, 5_000)).toEqual({ kind: 'give' })
    journey.links.delete(C)
    expect(judge(block, D, false, 8_999)).toEqual(later)
    expect(judge(block, D, false, 9_000)).toEqual({ kind: 'give' })
    // No more than that is saved up.
    const kinds = [0, 0].map(() => judge(block, D, true, 60_000).kind)
    expect(kinds).toEqual(['give', 'later'])
  })

  test('and nothing where the rate is none', () => {
    const { judge } = seed({ seedExtraBytesPerSecond: 0 })
    const kinds = [0, 0, 0].map((_, at) => judge(block, A, true, at * 60_000).kind)
    expect(kinds).toEqual(['give', 'give', 'later'])
  })

  test('and not while one that somebody has just been given may be on its way', () => {
    const { judge } = seed()
    const { doubtMs } = LIMITS
    const later = (retryAfterMs: number) => ({ kind: 'later', retryAfterMs })
    judge(block, A, false, 0)
    expect(judge(block, B, true, 1_000)).toEqual({ kind: 'give' })
    expect(judge(block, C, true, 1_000)).toEqual(later(doubtMs))
    expect(judge(block, C, true, 999 + doubtMs)).toEqual(later(1))
    expect(judge(block, C, true, 1_000 + doubtMs)).toEqual({ kind: 'give' })
    expect(judge(hex('b'), C, true, 1_000)).toEqual({ kind: 'give' })
  })

  test('which it is to nobody of a region that none of those who have it reaches', () => {
    const { journey, judge } = seed()
    const regions = ['far', 'farther', 'farthest']
    for (const region of regions) link(journey, region, { region })
    const kinds = regions.map((region) => judge(block, peer(region), false, 0).kind)
    expect(kinds).toEqual(['give', 'give', 'give'])
  })

  test('but peers that ask for it without end and pass it on to nobody keep no other from it', () => {
    const given = () => {
      const { judge } = seed()
      return (asker: PeerId, at: number) => judge(block, asker, true, at).kind
    }
    const first = given()
    expect([first(A, 0), first(B, 0), first(B, 90), first(B, 95)]).toEqual(['give', 'give', 'give', 'give'])
    expect(first(C, 99)).toBe('give')
    const second = given()
    expect([second(A, 0), second(B, 0), second(B, 90)]).toEqual(['give', 'give', 'give'])
    expect(second(C, LIMITS.doubtMs + 1)).toBe('give')
  })

  test('once more where whoever has it may have died: one block in ten, and only to somebody else', () => {
    const { judge } = seed()
    for (let at = 0; at < 10; at += 1) judge(hex(`b${at}`), A, false, 0)
    judge(block, A, false, 0)
    const { doubtMs } = LIMITS
    expect(judge(block, B, false, doubtMs - 1)).toEqual({ kind: 'redirect', to: A })
    expect(judge(block, B, false, doubtMs)).toEqual({ kind: 'give' })
    // Two have it now, and what ten others earned is spent.
    expect(judge(block, C, false, 9 * doubtMs)).toEqual({ kind: 'redirect', to: A })
    expect(judge(hex('b1'), C, false, 9 * doubtMs)).toEqual({ kind: 'redirect', to: A })
  })

  test('no doubt about whom this seed has just sent something', () => {
    const { copies, judge } = seed()
    for (let at = 0; at < 40; at += 1) judge(hex(`b${at}`), A, false, 0)
    copies.heard(A, LIMITS.doubtMs)
    expect(judge(hex('b1'), B, false, 2 * LIMITS.doubtMs - 1)).toMatchObject({ to: A })
    expect(judge(hex('b1'), B, false, 2 * LIMITS.doubtMs)).toEqual({ kind: 'give' })
  })

  test('what has no room to leave is no copy: whoever asks next, and has room, gets it', () => {
    const { judge } = seed()
    const later = { kind: 'later', retryAfterMs: LIMITS.busyRetryMs }
    for (let times = 0; times < 5; times += 1) expect(judge(block, A, false, 0, false)).toEqual(later)
    expect(judge(block, B, false, 0)).toEqual({ kind: 'give' })
    expect(judge(block, C, false, 0, false)).toEqual({ kind: 'redirect', to: B })
    expect(judge(block, C, true, 0, false)).toEqual(later)
    expect(judge(block, C, true, 0)).toEqual({ kind: 'give' })
    const toWait = { kind: 'later', retryAfterMs: LIMITS.avoidPeerMs }
    expect(judge(block, D, true, LIMITS.doubtMs, false)).toEqual(toWait)
  })

  test('and spends no doubt', () => {
    const { judge } = seed()
    for (let at = 0; at < 10; at += 1) judge(hex(`b${at}`), A, false, 0)
    expect(judge(hex('b1'), B, false, LIMITS.doubtMs, false)).toEqual({ kind: 'redirect', to: A })
    expect(judge(hex('b1'), B, false, LIMITS.doubtMs)).toEqual({ kind: 'give' })
  })

  test('other seeds are never sent on', () => {
    const { journey, judge } = seed()
    link(journey, 'seed', { submit: true })
    judge(block, A, false, 0)
    for (let times = 0; times < 5; times += 1)
      expect(judge(block, peer('seed'), false, 0)).toEqual({ kind: 'give' })
  })

  test('a region far away is sent to one that has it at home, not to a third region', () => {
    const { journey, judge } = seed()
    link(journey, 'far', { region: 'far' })
    link(journey, 'farther', { region: 'farther' })
    judge(block, peer('far'), false, 0)
    expect(judge(block, peer('farther'), false, 0)).toEqual({ kind: 'give' })
    judge(hex('b'), A, false, 0)
    expect(judge(hex('b'), peer('far'), false, 0)).toEqual({ kind: 'redirect', to: A })
  })
})
