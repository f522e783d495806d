import { describe, expect, it } from 'vitest'
import {
  type ChannelState,
  emptyChannel,
  headsOf,
  isHeld,
  raiseEpoch,
  targetOf,
} from '../../../src/core/channel.ts'
import type { Verdict } from '../../../src/core/journey.ts'
import { type OrderContext, order } from '../../../src/core/order.ts'
import { createRelayed } from '../../../src/core/relayed.ts'
import type { Channel, Digest, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { heapMib } from '../../attack/kit/heap.ts'

const FLEET = 'f'.repeat(64) as FleetId
const CHANNEL = 'a/b' as Channel

interface Spec {
  readonly root?: number
  readonly fleet?: string
  readonly channel?: string
  readonly v?: number
}

/** `P3Q1` is publisher P at 3 having seen Q at 1; what follows a dot tells twins apart. */
function release(name: string, spec: Spec = {}): Release {
  const entries = [...(name.split('.')[0] as string).matchAll(/([A-Z])(\d+)/g)].map(
    ([, who, n]) => [who as Name, Number(n)] as const,
  )
  const [publisher, counter] = entries[0] as readonly [Name, number]
  return {
    id: name as string as ReleaseId,
    counter,
    header: {
      v: (spec.v ?? 1) as 1,
      critical: [],
      fleet: (spec.fleet ?? FLEET) as FleetId,
      channel: (spec.channel ?? CHANNEL) as Channel,
      root: spec.root ?? 1,
      publisher,
      clock: new Map(entries),
      pages: ['0'.repeat(64) as Digest],
      files: 1,
      bytes: 1,
      message: '',
      created: 0,
    },
  }
}

const context = (change: Partial<OrderContext> = {}): OrderContext => ({
  fleet: FLEET,
  rootVersion: 3,
  epoch: 1,
  authorised: () => true,
  ...change,
})

function history(names: readonly string[], under = context()): { state: ChannelState; verdicts: Verdict[] } {
  let state = emptyChannel(FLEET, CHANNEL, under.epoch)
  const verdicts: Verdict[] = []
  for (const name of names) {
    const ordered = order(state, release(name), under)
    verdicts.push(ordered.verdict)
    state = ordered.state
  }
  return { state, verdicts }
}

describe('order', () => {
  const cases: readonly [
    string,
    readonly string[],
    readonly Verdict[],
    string | undefined,
    readonly string[],
  ][] = [
    ['counts up', ['P1', 'P2'], ['NEW', 'NEW'], 'P2', ['P2']],
    ['never down', ['P2', 'P1'], ['NEW', 'STALE'], 'P2', ['P2']],
    ['knows what it has', ['P1', 'P1'], ['NEW', 'DUPLICATE'], 'P1', ['P1']],
    ['shows what nothing replaces', ['P1', 'Q2'], ['NEW', 'NEW'], 'Q2', ['P1', 'Q2']],
    [
      'the greater counter wins, whatever the arrival',
      ['Q2', 'P1'],
      ['NEW', 'CONCURRENT'],
      'Q2',
      ['P1', 'Q2'],
    ],
    ['the greater name at equal counters', ['Q1', 'P1'], ['NEW', 'CONCURRENT'], 'Q1', ['P1', 'Q1']],
    ['a concurrent one again', ['Q2', 'P1', 'P1'], ['NEW', 'CONCURRENT', 'DUPLICATE'], 'Q2', ['P1', 'Q2']],
    [
      'one that replaces both ends the conflict',
      ['P1', 'Q1', 'P2Q1'],
      ['NEW', 'NEW', 'NEW'],
      'P2Q1',
      ['P2Q1'],
    ],
    ['twins hold', ['P1', 'P1.x'], ['NEW', 'TWIN'], undefined, ['P1', 'P1.x']],
    [
      'a third twin adds nothing',
      ['P1', 'P1.x', 'P1.y'],
      ['NEW', 'TWIN', 'TWIN_KNOWN'],
      undefined,
      ['P1', 'P1.x'],
    ],
    [
      'twins, each again',
      ['P1', 'P1.x', 'P1', 'P1.x'],
      ['NEW', 'TWIN', 'DUPLICATE', 'DUPLICATE'],
      undefined,
      ['P1', 'P1.x'],
    ],
    ['the next release ends a hold', ['P1', 'P1.x', 'P2'], ['NEW', 'TWIN', 'NEW'], 'P2', ['P2']],
    [
      'a clock that contains the other is a twin, too',
      ['P3Q1', 'P3Q2'],
      ['NEW', 'TWIN'],
      undefined,
      ['P3Q2'],
    ],
    [
      'twins below the top are only shown',
      ['Q5', 'P1', 'P1.x'],
      ['NEW', 'CONCURRENT', 'CONCURRENT'],
      'Q5',
      ['P1', 'P1.x', 'Q5'],
    ],
    [
      'a third twin below the top is stale',
      ['Q5', 'P1', 'P1.x', 'P1.y'],
      ['NEW', 'CONCURRENT', 'CONCURRENT', 'STALE'],
      'Q5',
      ['P1', 'P1.x', 'Q5'],
    ],
  ]
  for (const [what, names, verdicts, target, heads] of cases)
    it(what, () => {
      const end = history(names)
      expect(end.verdicts).toEqual(verdicts)
      expect(targetOf(end.state.floor)).toBe(target)
      expect(isHeld(end.state.floor)).toBe(target === undefined)
      expect(end.state.heads.map((head) => head.id)).toEqual(heads)
    })

  const refusals: readonly [string, Release, Partial<OrderContext>, Verdict][] = [
    ['another format', release('P1', { v: 2 }), {}, 'UNSUPPORTED'],
    ['an own entry that is not the greatest', release('P1Q1'), {}, 'MALFORMED'],
    ['a huge foreign entry', release('P1Q9007199254740991'), {}, 'MALFORMED'],
    ['another fleet', release('P1', { fleet: 'e'.repeat(64) }), {}, 'MISPLACED'],
    ['another channel', release('P1', { channel: 'a/c' }), {}, 'MISPLACED'],
    ['a root not known yet', release('P1', { root: 4 }), {}, 'AHEAD'],
    ['a root of an ended epoch', release('P1', { root: 1 }), { epoch: 2 }, 'STALE_EPOCH'],
    ['signatures that do not hold', release('P1'), { authorised: () => false }, 'UNAUTHORISED'],
  ]
  for (const [what, made, change, verdict] of refusals)
    it(`refuses ${what}`, () => {
      const state = emptyChannel(FLEET, CHANNEL, 1)
      expect(order(state, made, context(change))).toEqual({ verdict, state })
    })

  it('asks for signatures last, so that a flood of old ones costs nothing', () => {
    const authorised = () => {
      throw new Error('asked')
    }
    const state = emptyChannel(FLEET, CHANNEL, 2)
    expect(order(state, release('P1', { root: 1 }), context({ epoch: 2, authorised })).verdict).toBe(
      'STALE_EPOCH',
    )
    expect(() => order(state, release('P1', { root: 2 }), context({ epoch: 2, authorised }))).toThrow('asked')
  })

  it('a raised epoch starts anew: counter 1 wins over 2^53 − 1 of the one before', () => {
    const { state } = history(['P9007199254740991'])
    const raised = raiseEpoch(state, 3)
    expect(raised.floor).toEqual({
      fleet: FLEET,
      channel: CHANNEL,
      top: { epoch: 3, counter: 0, publisher: '' },
      ids: [],
    })
    expect(raised.heads).toEqual([])
    expect(order(raised, release('P1', { root: 3 }), context({ epoch: 3 })).verdict).toBe('NEW')
    expect(raiseEpoch(raised, 3)).toBe(raised)
  })

  it('an id whose envelope was lost joins the heads when it comes again', () => {
    const { state } = history(['P1'])
    const lost = { ...state, heads: [] }
    const again = order(lost, release('P1'), context())
    expect(again.verdict).toBe('DUPLICATE')
    expect(again.state.heads.map((head) => head.id)).toEqual(['P1'])
  })
})

describe('heads', () => {
  it('are per publisher the greatest counter, two twins at most, none replaced', () => {
    const of = (...names: string[]) => headsOf(names.map((name) => release(name))).map((head) => head.id)
    expect(of('P1', 'P2', 'Q1')).toEqual(['P2', 'Q1'])
    expect(of('P1', 'P1.a', 'P1.b')).toEqual(['P1', 'P1.a'])
    expect(of('P1', 'Q2P1')).toEqual(['Q2P1'])
  })
})

describe('channels that are relayed only', () => {
  const many = (n: number) => release('P1', { channel: `c/${n}` })

  it('are known by their place: a newer one passes, an older does not', () => {
    const relayed = createRelayed(10)
    const now = (made: Release) => relayed.order(made, context(), 0, false)
    expect([release('P2'), release('P1'), release('P2'), release('P2.x')].map(now)).toEqual([
      'NEW',
      'STALE',
      'DUPLICATE',
      'TWIN',
    ])
  })

  it('are bounded: a flood of 100,000 names is slowed, and the one raised longest ago goes', () => {
    const relayed = createRelayed(10)
    const verdicts = Array.from({ length: 100_000 }, (_, n) => relayed.order(many(n), context(), 0, false))
    expect(relayed.size).toBe(10)
    expect(verdicts.filter((verdict) => verdict === 'NEW')).toHaveLength(10 + 100)
    expect(verdicts.at(-1)).toBe('RATE')
  })

  it('take no more memory for 100,000 names than for the thousand that there is room for', () => {
    const relayed = createRelayed(1_000)
    const verdicts = new Set<Verdict>()
    const heapAfter = (from: number, to: number): number => {
      // At the rate at which new names are let in, so that each of them takes a place.
      for (let n = from; n < to; n += 1) verdicts.add(relayed.order(many(n), context(), n * 100, false))
      return heapMib()
    }
    const full = heapAfter(0, 2_000)
    // 10 bytes for each name beyond
    expect(heapAfter(2_000, 100_000) - full).toBeLessThan(1)
    expect(relayed.size).toBe(1_000)
    expect(verdicts).toEqual(new Set(['NEW']))
  })

  it('are forgotten where a root raises their epoch', () => {
    const relayed = createRelayed(10)
    relayed.order(release('P2'), context(), 0, false)
    relayed.raise(() => 2)
    expect(relayed.size).toBe(0)
  })
})
