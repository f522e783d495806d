import { describe, expect, it } from 'vitest'
import { addressOf, codes, limitsOf } from './fakes.ts'
import {
  admit,
  asksPeers,
  bench,
  dials,
  fail,
  forgotten,
  judge,
  pass,
  remembered,
  SEED,
  someone,
  start,
} from './linking.ts'

describe('records of an earlier life that count no more', () => {
  it.each([
    ['that no key of the root admits', 'ADMIT_REFUSED'],
    ['whose pool may not grant their labels', 'ADMIT_LABELS'],
  ] as const)('%s are told of once, and dropped: %s', (_, code) => {
    const [good, ...bad] = [someone(), someone(), someone(), someone()]
    const refused = new Map(bad.map(({ id }) => [id, code]))
    const records = [...bad, good].map((one) => one.record())
    const effects = start({}, records, refused)
    expect(effects.filter(({ kind }) => kind === 'note')).toMatchObject([
      { code, text: expect.stringContaining('2 more') },
    ])
    expect(forgotten(effects)).toEqual(bad.map(({ id }) => id))
    expect(dials(effects)).toContain(addressOf(good.id))
  })
})

describe('where the clock is wrong', () => {
  const group = [someone(), someone(), someone()]
  const ended = new Map(group.map(({ id }) => [id, 'ADMIT_EXPIRED'] as const))
  const records = group.map((one) => one.record())
  const all = group.map(({ id }) => addressOf(id)).sort()

  const set = () => {
    judge.refused.clear()
    bench.now = { ...bench.now, wallMs: bench.now.wallMs + 2 * 3_600_000 }
    return pass(15_000)
  }

  it('at a start, who is remembered is dialled once it is set right: seeds may be gone', () => {
    const effects = [...start({ seeds: [] }, records, ended), ...pass(15_000)]
    expect([forgotten(effects), codes(effects), dials(effects)]).toEqual([[], ['ADMIT_EXPIRED'], []])
    expect(dials(set()).sort()).toEqual(all)
  })

  it('records that were refused for it are taken once it is set right', () => {
    start({ seeds: [] }, [], ended)
    admit(SEED.id, { direction: 'inbound' })
    asksPeers(SEED.id, records)
    expect(dials(pass(5_000))).toEqual([])
    set()
    asksPeers(SEED.id, records)
    expect(dials(pass(5_000)).sort()).toEqual(all)
  })
})

describe('records of an earlier life in a full book', () => {
  const asks = (one: ReturnType<typeof someone>) => remembered(asksPeers(one.id, [one.record()]))

  it('make room for a linked peer where theirs was dialled in vain since, the oldest first', () => {
    const [met, newer, oldest] = [someone(), someone(), someone()]
    const [here, more, late] = [someone(), someone(), someone()]
    const records = [met, newer, oldest].map((one) => one.record())
    start({ limits: limitsOf({ maxKnownPeers: 3 }) }, records)
    for (const one of [SEED, met, here, more, late]) admit(one.id, { direction: 'inbound' })
    pass(1_000)
    for (const one of [met, newer, oldest]) fail(addressOf(one.id))
    expect(asks(here)).toEqual([here.id])
    expect(forgotten(pass(1_000))).toEqual([oldest.id])
    // Nobody gives way to a peer that is not linked, nor does one that was met.
    asksPeers(SEED.id, [oldest.record()])
    expect(asks(more)).toEqual([more.id])
    expect(forgotten(pass(1_000))).toEqual([newer.id])
    expect(asks(late)).toEqual([])
    expect(forgotten(pass(1_000))).toEqual([])
  })

  it('stay, whoever comes, where theirs was not dialled everywhere, or while nobody was linked, or has signed since', () => {
    const [untried, early, alive, elsewhere] = [someone(), someone(), someone(), someone()]
    const addresses = ['192.0.2.1', '192.0.2.2'].map((host) => addressOf(elsewhere.id, host))
    const records = [untried, early, alive].map((one) => one.record())
    start({ limits: limitsOf({ maxKnownPeers: 4 }) }, [elsewhere.record({ addresses }), ...records])
    fail(addressOf(early.id))
    admit(SEED.id, { direction: 'inbound' })
    fail(addressOf(elsewhere.id))
    fail(addressOf(alive.id))
    asksPeers(SEED.id, [alive.record({ at: 2 })])
    for (const throwaway of [someone(), someone(), someone(), someone()]) {
      admit(throwaway.id, { direction: 'inbound' })
      expect(asks(throwaway)).toEqual([])
    }
    expect(forgotten(pass(20_000))).toEqual([])
  })
})
