import { describe, expect, it } from 'vitest'
import { Heartbeats, SHARES } from '../../../src/core/gateways/heartbeats.ts'
import { answerRoom, helloRoom } from '../../../src/core/gateways/room.ts'
import { createGateways } from '../../../src/core/gateways.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Stopgap } from '../../../src/model/heartbeat.ts'
import type { KeyId, Name, PeerId } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'
import { Bench, requestOf } from '../core-peers/fakes.ts'

const [self, peer, relay] = ['self', 'a', 'relay'].map((name) => peerOfKey(keyNamed(name)))
const now = { monoMs: 60_000, wallMs: 1_900_000_000_000 }

it('what is no news is not read again, and who was forgotten is heard again by the very same bytes', () => {
  if (self === undefined || peer === undefined || relay === undefined) throw new Error('no peers')
  const book = new Heartbeats(self, 'eu', LIMITS)
  const bytes = heartbeatsOf(keyNamed('a'), 'eu' as Name, [])(now.wallMs)
  const admission = { peer, labels: new Map(), issuer: '' as KeyId, notBefore: 0, notAfter: 4e12 }
  let read = 0
  const learn = (): string =>
    book.learn(
      bytes,
      relay,
      now,
      () => ++read > 0,
      () => admission,
    ).kind
  expect([learn(), learn(), read]).toEqual(['fresh', 'ignored', 1])
  book.forget(peer)
  expect([learn(), learn(), read]).toEqual(['fresh', 'ignored', 2])
})

interface Heard {
  readonly region?: string
  readonly from?: string
  readonly afterMs?: number
  readonly stopgap?: Stopgap
}

/** A book, who is admitted by it, and what it makes of a heartbeat. */
function bookOf(limits: Partial<Limits>) {
  const book = new Heartbeats(peerOfKey(keyNamed('self')), 'eu', { ...LIMITS, ...limits })
  const asked: string[] = []
  const hear = (name: string, more: Heard = {}): string => {
    const { region = 'eu', from = name, afterMs = 0, stopgap } = more
    const at = { monoMs: now.monoMs + afterMs, wallMs: now.wallMs + afterMs }
    const bytes = heartbeatsOf(keyNamed(name), region as Name, [])(at.wallMs, stopgap)
    const admitted = ({ peer }: { readonly peer: PeerId }) => {
      asked.push(`${name} ${region}`)
      return { peer, labels: new Map(), issuer: '' as KeyId, notBefore: 0, notAfter: 4e12 }
    }
    return book.learn(bytes, peerOfKey(keyNamed(from)), at, () => true, admitted).kind
  }
  const fresh = (names: readonly string[], more: Parameters<typeof hear>[1] = {}): number =>
    names.filter((name) => hear(name, more) === 'fresh').length
  return { book, asked, hear, fresh }
}
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `n${at}`)

describe('the book is bounded', () => {
  it('in those of a region, of whom the dead go first', () => {
    const { book, fresh } = bookOf({ maxHeartbeats: 3 })
    fresh(names(9))
    expect(book.live('eu', now.monoMs, 1_000)).toHaveLength(3)
    expect(names(9).filter((name) => book.find(peerOfKey(keyNamed(name))) !== undefined)).toHaveLength(3)
    const laterMs = LIMITS.calmHeartbeatLiveMs
    expect(fresh(['late'], { afterMs: laterMs })).toBe(1)
    expect(names(9).filter((name) => book.find(peerOfKey(keyNamed(name))) !== undefined)).toEqual([])
  })

  it('in regions, of which a dead one makes room', () => {
    const { book, hear } = bookOf({ maxRegions: 2 })
    expect(['r0', 'r1', 'r2'].map((region) => hear(region, { region }))).toEqual([
      'fresh',
      'fresh',
      'ignored',
    ])
    expect(book.regions()).toEqual(['r0', 'r1'])
    hear('r1', { region: 'r1', afterMs: LIMITS.farHeartbeatLiveMs - 1 })
    expect(hear('r2', { region: 'r2', afterMs: LIMITS.farHeartbeatLiveMs })).toBe('fresh')
    expect(book.regions()).toEqual(['r1', 'r2'])
  })

  it('in keys that it checks, of all together and of each who brings them', () => {
    const limits = { heartbeatChecksPerSecond: 0, heartbeatChecksBurst: 2 * SHARES }
    expect(bookOf(limits).fresh(names(60))).toBe(2 * SHARES)
    expect(bookOf(limits).fresh(names(60), { from: 'liar' })).toBe(2)
  })

  it('in keys, of which each may bring one, however few are checked at once', () => {
    const few = { heartbeatChecksPerSecond: 1, heartbeatChecksBurst: SHARES - 1 }
    const { hear, fresh } = bookOf(few)
    expect(fresh(names(2), { from: 'relay' })).toBe(1)
    expect(hear('later', { from: 'relay', afterMs: SHARES * 1_000 })).toBe('fresh')
    expect(bookOf({ ...few, heartbeatChecksBurst: 1 }).fresh(names(2))).toBe(1)
  })
})

it('who is known is checked as often as an honest one speaks, and its chain is looked at where it is another', () => {
  const { book, asked, hear } = bookOf({ heartbeatSkewMs: 60_000 })
  const soon = LIMITS.heartbeatMs / 2
  expect([hear('a'), hear('a', { afterMs: soon - 1 }), hear('a', { afterMs: soon })]).toEqual([
    'fresh',
    'ignored',
    'fresh',
  ])
  expect(asked).toEqual(['a eu'])
  expect(hear('a', { region: 'us', afterMs: 2 * soon })).toBe('fresh')
  expect(asked).toEqual(['a eu', 'a us'])
  expect(book.regions()).toEqual(['us'])
})

it('what is new is taken from a peer of another region itself however soon, as often as keys are checked', () => {
  const { book, hear } = bookOf({ heartbeatChecksPerSecond: 0, heartbeatChecksBurst: 2 * SHARES })
  const region = 'us'
  hear('a', { region, from: 'other' })
  expect(hear('a', { region, from: 'other', afterMs: 1, stopgap: 'seed' })).toBe('ignored')
  expect(hear('a', { region, afterMs: 2, stopgap: 'seed' })).toBe('fresh')
  expect(book.live(region, now.monoMs + 2, 1_000)).toMatchObject([{ stopgap: 'seed' }])
  expect(hear('a', { region, afterMs: 3, stopgap: 'seed' })).toBe('ignored')
  expect(hear('a', { region, afterMs: 4 })).toBe('fresh')
  expect(hear('a', { region, afterMs: 5, stopgap: 'seed' })).toBe('ignored')
  // By gossip, which neighbours would pass on each time.
  hear('b', { from: 'other' })
  expect(hear('b', { afterMs: 1, stopgap: 'seed' })).toBe('ignored')
})

it('whose connection broke is dead until it is linked again, and alive then if it spoke lately', () => {
  const { book, hear } = bookOf({})
  hear('a')
  const [a] = book.live('eu', now.monoMs, 1_000)
  if (a === undefined) throw new Error('nobody is known')
  const alive = (afterMs: number) => {
    const at = { monoMs: now.monoMs + afterMs, wallMs: now.wallMs + afterMs }
    book.found(a.peer, 'eu', at, () => 1_000)
    return book.live('eu', at.monoMs, 1_000).length
  }
  // That it is linked says nothing of who was heard by another way.
  expect([alive(999), alive(1_000)]).toEqual([1, 0])
  book.lost(a.peer)
  expect(book.live('eu', now.monoMs, 1_000)).toEqual([])
  expect([alive(1_000), alive(999)]).toEqual([0, 1])
})

it('what somebody tells who is not admitted is not read, nor answered', () => {
  const bench = new Bench({ region: 'eu' })
  let judged = 0
  const gateways = createGateways(bench.config, () => {
    judged += 1
    return { kind: 'refused', code: 'ADMIT_REFUSED', text: '' }
  })
  const from = peerOfKey(keyNamed('a'))
  const heartbeats = [heartbeatsOf(keyNamed('a'), 'eu' as Name, [])(bench.now.wallMs)]
  const message = { type: 'heartbeats', heartbeats, want: true } as const
  const tell = () => {
    let mine: boolean | undefined
    const effects = bench.run((step, journey) => {
      mine = gateways.onRequest(step, journey, requestOf(1, from, { protocol: 'bridge', message }))
    })
    return [mine, effects.length, judged]
  }
  expect(tell()).toEqual([false, 0, 0])
  bench.link(from)
  expect(tell()).toEqual([true, 1, 1])
})

it.each(['lost', 'not lost'])(
  'who moved to another region, %s before, is dead until it is heard there',
  (how) => {
    const { book, hear } = bookOf({})
    hear('a')
    const [a] = book.live('eu', now.monoMs, 1_000)
    if (a === undefined) throw new Error('nobody is known')
    if (how === 'lost') book.lost(a.peer)
    book.found(a.peer, 'us', now, () => 1_000)
    expect(book.live('eu', now.monoMs, 1_000)).toEqual([])
    // Others count it for a while, and tell what it said before it moved.
    expect(hear('a', { from: 'other' })).toBe('ignored')
    expect(book.live('eu', now.monoMs, 1_000)).toEqual([])
    expect(hear('a', { region: 'us', afterMs: 1 })).toBe('fresh')
    expect(book.regions()).toEqual(['us'])
  },
)

it('fill no more of a hello or an answer than others take, and no more than this node does', () => {
  const rooms = (maxBytes: number) => {
    const limits = { ...LIMITS, maxAdmitMessageBytes: maxBytes, maxBridgeMessageBytes: maxBytes }
    return [helloRoom(limits), answerRoom(limits)]
  }
  expect(rooms(1024 * 1024)).toEqual([helloRoom(LIMITS), answerRoom(LIMITS)])
  expect(rooms(20_480)).toEqual([10_240, 19_456])
})
