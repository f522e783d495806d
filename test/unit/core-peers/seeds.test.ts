/** Seeds that store different channels: to which of them a node with links enough keeps. */
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId } from '../../../src/model/ids.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import { admit, asksPeers, bench, dials, fail, hungUp, lose, pass, SEED, someone, start } from './linking.ts'

const patterns = ['common/**', 'sparse/**'] as Pattern[]
/** A pause, and a look after it. */
const LOOKS_MS = 2 * LIMITS.redialMaxMs
const common = { submit: true, patterns: ['common/**' as Pattern] }

describe('a node with links enough, and a seed that does not store all its channels,', () => {
  const more = someone({ submit: true })
  /** Linked to two that store what it does, and to the seed. */
  const begin = (own: readonly Pattern[] = patterns) => {
    const seeds = [SEED, more].map(({ id }) => addressOf(id))
    start({ seeds, patterns: own, limits: limitsOf({ minDegree: 2, outsideDegree: 0 }) })
    fail(addressOf(more.id))
    for (const name of ['a', 'b']) admit(peer(name))
    admit(SEED.id, {}, common)
  }
  const hears = (stored: readonly string[]) =>
    asksPeers(peer('a'), [more.record({ patterns: stored as Pattern[] })])

  it('dials another, which may store the rest, and keeps to both', () => {
    begin()
    expect(dials(pass(LOOKS_MS))).toEqual([addressOf(more.id)])
    admit(more.id, {}, { submit: true })
    expect(dials(pass(60_000))).toEqual([])
    lose(more.id)
    expect(dials(pass(LOOKS_MS))).toEqual([addressOf(more.id)])
  })

  it('dials one that stores a part of the rest, and none that stores nothing of it', () => {
    begin()
    hears(['sparse/one'])
    expect(dials(pass(LOOKS_MS))).toEqual([addressOf(more.id)])
    begin()
    hears(['common/**', 'other/**'])
    expect(dials(pass(60_000))).toEqual([])
    begin(common.patterns)
    expect(dials(pass(60_000))).toEqual([])
  })

  it('dials any while none is linked, whatever it stores: it knows of others', () => {
    begin()
    hears(['other/**'])
    lose(SEED.id)
    expect(dials(pass(LOOKS_MS))).toEqual([addressOf(SEED.id)])
    begin(['elsewhere/**'] as Pattern[])
    hears(['other/**'])
    asksPeers(peer('a'), [SEED.record({ patterns: common.patterns })])
    lose(SEED.id)
    expect(dials(pass(LOOKS_MS))).toHaveLength(1)
  })
})

it('dials one where all that are linked of those named as seeds take no submissions any more', () => {
  const more = someone({ submit: true })
  const begin = (submit: boolean) => {
    const seeds = [SEED, more].map(({ id }) => addressOf(id))
    start({ seeds, limits: limitsOf({ minDegree: 2, outsideDegree: 0 }) })
    fail(addressOf(more.id))
    for (const name of ['a', 'b']) admit(peer(name))
    admit(SEED.id, {}, { submit })
  }
  begin(true)
  expect(dials(pass(60_000))).toEqual([])
  begin(false)
  expect(dials(pass(LOOKS_MS))).toEqual([addressOf(more.id)])
  admit(more.id, {}, { submit: true })
  expect(dials(pass(60_000))).toEqual([])
})

it('gives up none of too many links that is to the only seed which stores some channel, or takes submissions', () => {
  const more = someone({ submit: true })
  const goes = (other: readonly string[], submit = true): readonly PeerId[] => {
    start({
      ...{ seeds: [SEED, more].map(({ id }) => addressOf(id)), patterns },
      limits: limitsOf({ minDegree: 1, minOutbound: 0, maxDegree: 3, outsideDegree: 0 }),
    })
    for (const name of ['a', 'b', 'c']) admit(peer(name), { direction: 'inbound' })
    admit(SEED.id, {}, common)
    admit(more.id, { direction: submit ? 'outbound' : 'inbound' }, { submit, patterns: other as Pattern[] })
    expect(bench.journey.links.size).toBe(5)
    return hungUp(pass(80_000))
  }
  expect(goes(['sparse/**'])).toEqual([])
  expect(goes(['**'])).toEqual([SEED.id])
  expect(goes(['**'], false)).toEqual([])
})
