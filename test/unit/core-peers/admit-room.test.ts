/** How many connections a node has room for, and who makes room for whom. */
import { describe, expect, it } from 'vitest'
import { isCrowded, roomFor } from '../../../src/core/admit/room.ts'
import { hostOf, MAX_HOSTS } from '../../../src/core/hosts.ts'
import { RootBudget } from '../../../src/core/roots/run.ts'
import { identityOf, type Session } from '../../../src/core/session.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, KeyId, Name } from '../../../src/model/ids.ts'
import type { Admission } from '../../../src/trust/certificates.ts'
import { addressOf, helloOf, hex, limitsOf, peer } from './fakes.ts'

const admissionOf = (name: string, pool: string): Admission => ({
  peer: peer(name),
  labels: new Map(),
  issuer: hex('a') as string as KeyId,
  notBefore: 0,
  notAfter: 4e12,
  pool: { name: pool as Name, key: hex(pool) as string as KeyId, notAfter: 4e12 },
})

/** Admitted as a member of a pool. */
const member = (name: string, pool: string, more: Partial<Session> = {}): Session => ({
  peer: peer(name),
  direction: 'inbound',
  address: addressOf(peer(name)),
  ownHost: false,
  sinceMonoMs: 0,
  hello: helloOf(),
  admission: admissionOf(name, pool),
  ...more,
})
const strangerAt = (
  name: string,
  host = '192.0.2.1',
  direction: Session['direction'] = 'inbound',
): Session => ({
  peer: peer(name),
  direction,
  address: addressOf(peer(name), host),
  ownHost: false,
  sinceMonoMs: 0,
  hello: undefined,
})
const identity = (pool: string): string => identityOf(peer('new'), admissionOf('new', pool))

describe('a full node', () => {
  const five = [
    member('b1', 'b', { sinceMonoMs: 1 }),
    member('a1', 'a', { sinceMonoMs: 2 }),
    member('b2', 'b', { sinceMonoMs: 9, direction: 'outbound' }),
    member('b3', 'b', { sinceMonoMs: 4 }),
    member('b4', 'b', { sinceMonoMs: 3 }),
  ]

  it('has room below its number, and counts only who is admitted', () => {
    expect(roomFor(identity('c'), [...five, strangerAt('x')], 6)).toEqual({ kind: 'free' })
  })

  it('takes the newest that came of the largest pool, whatever the order it knows them in', () => {
    for (const sessions of [five, five.toReversed()])
      expect(roomFor(identity('c'), sessions, 5)).toEqual({ kind: 'instead', of: 'b3' })
  })

  it('makes no room for a pool that would then have as many as the largest', () => {
    expect(roomFor(identity('b'), five, 5)).toEqual({ kind: 'none' })
    expect(roomFor(identity('c'), five.slice(0, 2), 2)).toEqual({ kind: 'none' })
  })

  it('decides the same way between pools of one size, and between links of one age', () => {
    const even = ['b1', 'a2', 'b2', 'a1'].map((name) => member(name, name.slice(0, 1)))
    for (const sessions of [even, even.toReversed()])
      expect(roomFor(identity('c'), sessions, 4)).toEqual({ kind: 'instead', of: 'a1' })
  })

  it('keeps links that it made itself', () => {
    const own = ['b1', 'b2'].map((name) => member(name, 'b', { direction: 'outbound' }))
    expect(roomFor(identity('c'), own, 2)).toEqual({ kind: 'none' })
  })
})

describe('strangers', () => {
  const limits = limitsOf({ maxUnadmitted: 3, maxUnadmittedPerAddress: 2 })
  const crowded = (sessions: readonly Session[], host: string) =>
    isCrowded(
      addressOf(peer('new'), host),
      sessions.map((session) => ({ session, publishedMonoMs: undefined })),
      limits,
    )

  it('are bounded, in all and for each address; who is admitted, and whom we dialled, does not count', () => {
    const two = [strangerAt('x'), strangerAt('y')]
    expect(crowded(two, '192.0.2.1')).toBe(true)
    expect(crowded(two, '192.0.2.2')).toBe(false)
    expect(crowded([...two, strangerAt('z', '192.0.2.3')], '192.0.2.2')).toBe(true)
    const others = [member('m', 'a'), strangerAt('d', '192.0.2.1', 'outbound')]
    expect(crowded([strangerAt('x'), ...others], '192.0.2.1')).toBe(false)
  })
})

describe('root bytes', () => {
  const budget = new RootBudget()
  const most = LIMITS.maxRootBytesPerMinute
  const spend = (host: string, bytes: number, monoMs: number) => budget.spend(host, bytes, monoMs, LIMITS)

  it('are bounded for each address and minute', () => {
    expect(hostOf(addressOf(peer('x'), '192.0.2.7'))).toBe('/ip4/192.0.2.7')
    expect(hostOf('/ip6/2001:db8::7/tcp/1/p2p/x' as Address)).toBe('/ip6/2001:db8:0:0::')
    expect(spend('first', most, 0)).toBe(true)
    expect(spend('first', 1, 59_999)).toBe(false)
    expect(spend('first', most + 1, 60_000)).toBe(false)
    expect(spend('first', most, 60_000)).toBe(true)
    expect(spend('second', most, 60_000)).toBe(true)
  })

  it('of so many addresses at once are remembered, of those whose minute is over first of all, then of the eldest', () => {
    const many = new RootBudget()
    const all = (monoMs: number, from: number, to: number) => {
      for (let at = from; at < to; at += 1) many.spend(`host ${at}`, most, monoMs, LIMITS)
    }
    all(0, 0, 1)
    all(30_000, 1, MAX_HOSTS)
    const again = (at: number, monoMs: number) => many.spend(`host ${at}`, 1, monoMs, LIMITS)
    // The first one's minute is over, and it makes room; of the others each has spent all it may.
    many.spend('one more', most, 60_000, LIMITS)
    expect([again(1, 60_000), again(2, 60_000)]).toEqual([false, false])
    // Now nobody's is over: the eldest goes.
    many.spend('and one more', most, 60_001, LIMITS)
    expect([again(2, 60_001), again(MAX_HOSTS - 1, 60_001)]).toEqual([false, false])
    expect(again(1, 60_001)).toBe(true)
  })
})
