/** A full node: who is new gets in at a seed, whoever is of its region elsewhere, and nobody drives anybody out for long. */
import { beforeEach, describe, expect, it } from 'vitest'
import { Places } from '../../../src/core/admit/places.ts'
import type { Session } from '../../../src/core/session.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { KeyId, Name, PeerId } from '../../../src/model/ids.ts'
import type { Admission } from '../../../src/trust/certificates.ts'
import { addressOf, Bench, helloOf, hex, limitsOf, peer } from './fakes.ts'

const admissionOf = (id: PeerId, pool?: string, region = 'eu'): Admission => ({
  peer: id,
  labels: new Map([['region', region]]),
  issuer: hex('a') as string as KeyId,
  notBefore: 0,
  notAfter: 4e12,
  ...(pool !== undefined && {
    pool: { name: pool as Name, key: hex(pool) as string as KeyId, notAfter: 4e12 },
  }),
})

const linked = (name: string, pool?: string, more: Partial<Session> = {}): Session => ({
  peer: peer(name),
  direction: 'inbound',
  address: addressOf(peer(name)),
  ownHost: false,
  sinceMonoMs: 1_000,
  hello: helloOf(),
  admission: admissionOf(peer(name), pool),
  ...more,
})

let bench: Bench
let places: Places
let random = 0
const stand = (submit: boolean, more: Partial<Limits> = { seedDegree: 2, hardDegree: 2 }): void => {
  const limits = limitsOf(more)
  bench = new Bench({ submit, limits, random: () => random })
  places = new Places(bench.config)
}
beforeEach(() => stand(true))

const roomFor = (name: string, sessions: readonly Session[], pool?: string, region?: string) => {
  let room: ReturnType<Places['room']> | undefined
  const newcomer = { peer: peer(name), admission: admissionOf(peer(name), pool, region) }
  bench.run((step, journey) => {
    room = places.room(step, journey, newcomer, sessions)
  })
  return room as ReturnType<Places['room']>
}
const two = [linked('a'), linked('b')]

describe('a full seed', () => {
  it('lets a new node in for any that has been there for long enough to know others', () => {
    bench.pass(LIMITS.seedRoomMs - 1)
    expect(roomFor('new', two)).toEqual({ kind: 'none' })
    bench.pass(1)
    expect(roomFor('new', two)).toEqual({ kind: 'instead', of: 'a' })
    random = 0.99
    expect(roomFor('new', two)).toEqual({ kind: 'instead', of: 'b' })
    random = 0
  })

  it.each<[string, Partial<Session>]>([
    ['another seed', { hello: helloOf({ submit: true }) }],
    ['whom it dialled itself', { direction: 'outbound' }],
    ['a gateway', { hello: helloOf({ region: 'us' }) }],
  ])('keeps %s', (_, more) => {
    bench.pass(LIMITS.seedRoomMs)
    bench.journey.gatewaysOf.set('us', [peer('a')])
    expect(roomFor('new', [linked('a', undefined, more), linked('b')])).toEqual({ kind: 'instead', of: 'b' })
  })

  it('takes no place from others for a pool that has some: its members could come for ever', () => {
    bench.pass(LIMITS.seedRoomMs)
    expect(roomFor('new', [linked('a', 'x'), linked('b', 'y')], 'y')).toEqual({ kind: 'instead', of: 'b' })
  })

  it('lets neither the one that came nor the one that went drive out others for a minute', () => {
    bench.pass(LIMITS.seedRoomMs)
    bench.run((step) => places.moved(step, peer('new'), peer('a')))
    const now = [linked('b'), linked('c')]
    for (const name of ['new', 'a']) expect(roomFor(name, now)).toEqual({ kind: 'none' })
    expect(roomFor('other', now)).toEqual({ kind: 'instead', of: 'b' })
    // As many as may be let in meanwhile, each for another.
    const most = (LIMITS.admissionsPerSecond * LIMITS.settledLinkMs) / 1_000
    for (let at = 1; at < most; at += 1)
      bench.run((step) => places.moved(step, peer(`in ${at}`), peer(`out ${at}`)))
    for (const name of ['new', 'a']) expect(roomFor(name, now)).toEqual({ kind: 'none' })
    bench.pass(LIMITS.settledLinkMs)
    expect(roomFor('a', now)).toEqual({ kind: 'instead', of: 'b' })
  })
})

it('a full node that is no seed lets nobody go: others have places', () => {
  stand(false)
  bench.pass(LIMITS.seedRoomMs)
  expect(roomFor('new', two)).toEqual({ kind: 'none' })
})

describe('a full node that is no seed, with peers of another region', () => {
  const from = (region: string, count: number, more: Partial<Session> = {}): Session[] =>
    Array.from({ length: count }, (_, at) =>
      linked(`${region} ${at}`, 'all', { hello: helloOf({ region }), sinceMonoMs: 1_000 + at, ...more }),
    )
  const { hardDegree, maxDegree } = LIMITS
  beforeEach(() => stand(false, {}))

  it('lets one of its own in for the newest of them', () => {
    const full = [...from('us', 20), ...from('eu', hardDegree - 20)]
    expect(roomFor('new', full, 'all')).toEqual({ kind: 'instead', of: 'us 19' })
    expect(roomFor('new', full.toReversed(), 'all')).toEqual({ kind: 'instead', of: 'us 19' })
    expect(roomFor('new', full.slice(1), 'all')).toEqual({ kind: 'free' })
  })

  it('goes by the region of the certificate, and lets in none of a third', () => {
    const full = from('us', hardDegree)
    for (const region of ['us', 'ap']) expect(roomFor('new', full, 'all', region)).toEqual({ kind: 'none' })
  })

  it('leaves them the places beyond those that it wants for its own', () => {
    const own = from('eu', maxDegree)
    expect(roomFor('new', [...own, ...from('us', hardDegree - maxDegree)], 'all')).toEqual({ kind: 'none' })
    const fewer = own.slice(1)
    expect(roomFor('new', [...fewer, ...from('us', hardDegree - maxDegree + 1)], 'all').kind).toBe('instead')
  })

  it.each<[string, Partial<Session>]>([
    ['another seed', { hello: helloOf({ region: 'us', submit: true }) }],
    ['whom it dialled itself', { direction: 'outbound' }],
  ])('keeps %s', (_, more) => {
    expect(roomFor('new', from('us', hardDegree, more), 'all')).toEqual({ kind: 'none' })
  })

  it('keeps whoever stands for gateway there, and makes room for one that the bridge needs', () => {
    const full = from('us', hardDegree)
    for (const { peer: id } of full.slice(1)) bench.journey.standing.add(id)
    expect(roomFor('new', full, 'all')).toEqual({ kind: 'instead', of: 'us 0' })
    bench.journey.kept.add(peer('new'))
    expect(roomFor('new', full, 'all', 'ap')).toEqual({ kind: 'instead', of: 'us 0' })
    bench.journey.standing.add(peer('us 0'))
    expect(roomFor('new', full, 'all', 'ap')).toEqual({ kind: 'none' })
  })

  it('lets none of its own go for another pool while it has some of them', () => {
    const full = [...from('eu', 19), ...from('us', hardDegree - 19)]
    expect(roomFor('new', full, 'another')).toEqual({ kind: 'instead', of: `us ${hardDegree - 20}` })
  })
})
