import { beforeEach, describe, expect, it } from 'vitest'
import { decodeControlGossip, encodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { createGateways, type Gateways } from '../../../src/core/gateways.ts'
import { weight } from '../../../src/core/rendezvous.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import type { Limits } from '../../../src/limits.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Heartbeat, Stopgap } from '../../../src/model/heartbeat.ts'
import type { KeyId, Name, PeerId } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import { readHeartbeat, signHeartbeat } from '../../../src/trust/heartbeat.ts'
import {
  acts,
  addressOf,
  asked,
  Bench,
  connected,
  limitsOf,
  replies,
  requestOf,
  rootOf,
} from '../core-peers/fakes.ts'
import { said } from './said-heartbeats.ts'

const SELF = peerOfKey(keyNamed('self'))
const named = (name: string): PeerId => peerOfKey(keyNamed(name))
let bench: Bench
let gateways: Gateways

/** Signed by the named node's own key, unless another signs. */
function heartbeat(name: string, more: Partial<Heartbeat> = {}, signer = name): Uint8Array {
  const peer = named(name)
  const said: Heartbeat = {
    ...{ v: 1, critical: [], peer, region: 'eu' as Name, addresses: [addressOf(peer)], at: bench.now.wallMs },
    chain: chainOf(peer, more.region),
    ...more,
  }
  return signHeartbeat(said, keyNamed(signer))
}

/** Stands for a certificate: whom it admits, and to which region. */
const chainOf = (peer: PeerId, region = 'eu'): Uint8Array[] => [new TextEncoder().encode(`${peer} ${region}`)]
const judge: Judge = (peer, [link], root) => {
  const [subject, region] = new TextDecoder().decode(link).split(' ')
  if (subject !== peer || root.removed.peers.some(({ id }) => id === peer))
    return { kind: 'refused', code: 'ADMIT_REFUSED', text: 'not of this fleet' }
  const labels = new Map([['region', region ?? '']])
  return { kind: 'admitted', admission: { peer, labels, issuer, notBefore: 0, notAfter: 4e12 } }
}
const [issuer] = rootOf(1).admission.keys as [KeyId]
/** The pace and the gateways of a large fleet with borders, also where a test knows few nodes of one region. */
const BRIDGED = {
  calmHeartbeatMs: LIMITS.heartbeatMs,
  calmHeartbeatLiveMs: LIMITS.heartbeatLiveMs,
  minGateways: LIMITS.maxGateways,
}

const LAST = ['submit', 'gatewayLast', 'readOnly'] as const

interface Options {
  readonly limits?: Partial<Limits>
  readonly standsAs?: (typeof LAST)[number]
  readonly signs?: boolean
}

function start({ limits = {}, standsAs, signs = true }: Options = {}): void {
  bench = new Bench({
    ...{ self: SELF, region: 'eu' },
    ...(standsAs && { [standsAs]: true }),
    random: () => 0.5,
    limits: limitsOf({ ...BRIDGED, ...limits }),
    ...(signs
      ? {
          signHeartbeat: (at: number, stopgap: Stopgap | undefined) =>
            heartbeat('self', stopgap === undefined ? { at } : { at, stopgap }),
        }
      : {}),
  })
  gateways = createGateways(bench.config, judge)
  bench.journey.gateways = (region) => gateways.of(region)
  bench.journey.readOnly = standsAs === 'readOnly' ? 'STORE_FULL' : undefined
  bench.run((step, journey) =>
    gateways.onStarted(step, journey, { kind: 'started', snapshot: EMPTY_SNAPSHOT }),
  )
}

const tick = () => bench.run((step, journey) => gateways.onTick(step, journey))
const pass = (ms: number): Effect[] => {
  const all: Effect[] = []
  for (let left = ms; left > 0; left -= 500) {
    bench.pass(Math.min(500, left))
    all.push(...acts(tick()))
  }
  return all
}
const hear = (bytes: Uint8Array, from = named('relay')) => {
  let verdict: string | undefined
  const effects = bench.run((step, journey) => {
    verdict = gateways.onControl(step, journey, 'heartbeat', bytes, from)
  })
  return { verdict, hangUps: effects.flatMap((one) => (one.kind === 'hangUp' ? [one.peer] : [])) }
}
/** So many others, some of which rank above this node and some below. */
const others = (count: number): string[] => Array.from({ length: count }, (_, at) => `other ${at}`)
const above = (count: number, region = 'eu'): string[] => {
  const found: string[] = []
  for (let at = 0; found.length < count; at += 1) {
    const name = `other ${at}`
    if (weight(region, named(name)) > weight(region, SELF)) found.push(name)
  }
  return found
}

beforeEach(() => start())

describe('standing', () => {
  it('listens first, then says every five seconds that it stands', () => {
    expect(said(pass(900))).toEqual([])
    const beats = said(pass(30_000))
    expect(beats.length).toBeGreaterThanOrEqual(5)
    expect(beats.length).toBeLessThanOrEqual(8)
    expect(beats[0]).toMatchObject({ peer: SELF, region: 'eu', stopgap: 'new' })
    expect(gateways.of('eu')).toEqual([SELF])
  })

  it('says so ever less often while no other region is known, and every five seconds once one is', () => {
    start({
      limits: { calmHeartbeatMs: LIMITS.calmHeartbeatMs, calmHeartbeatLiveMs: LIMITS.calmHeartbeatLiveMs },
    })
    const atMs = said(pass(320_000)).map(({ at }) => at)
    const pauses = atMs.slice(1).map((at, before) => (at - (atMs[before] ?? 0)) / 1_000)
    const wanted = [5, 10, 20, 40, 80, 120]
    expect(pauses.map((seconds, at) => Math.round(seconds / (wanted[at] ?? 0)))).toEqual(wanted.map(() => 1))
    const far = named('far')
    bench.link(far, {}, { region: 'us', heartbeats: [heartbeat('far', { region: 'us' as Name })] })
    bench.run((step, journey) => gateways.onAdmitted(step, journey, far))
    expect(said(pass(12_000)).length).toBeGreaterThanOrEqual(2)
  })

  it('counts no seed, however lately heard, once somebody else stands', () => {
    start({ signs: false })
    hear(heartbeat('seed', { stopgap: 'seed' }))
    expect(gateways.of('eu')).toEqual([named('seed')])
    hear(heartbeat('node', { stopgap: 'new' }))
    expect(gateways.of('eu')).toEqual([named('node')])
  })

  it('falls silent while eight live ones rank above it, and stands again once one of them is not heard', () => {
    const eight = above(8)
    for (const name of eight) hear(heartbeat(name))
    expect(said(pass(4_000))).toEqual([])
    expect(gateways.of('eu')).not.toContain(SELF)
    const others = () => eight.slice(1).map((name) => hear(heartbeat(name)))
    others()
    expect(said(pass(11_500))).toEqual([]) // it was heard 15.5 s ago
    others()
    expect(said(pass(11_500))).toEqual([]) // seven are enough for a while: its turn comes
    others()
    expect(said(pass(5_000))).toHaveLength(1)
    expect(gateways.of('eu')).toContain(SELF)
    expect(gateways.of('eu')).toHaveLength(8)
  })

  it('eight that rank below it change nothing', () => {
    const below = others(60).filter((name) => weight('eu', named(name)) < weight('eu', SELF))
    for (const name of below.slice(0, 8)) hear(heartbeat(name, { stopgap: 'new' }))
    expect(said(pass(4_000))).not.toEqual([])
    expect(gateways.of('eu')[0]).toBe(SELF)
    expect(gateways.of('eu')).toHaveLength(8)
  })

  it('proven ones rank before those that are new, whatever their hash', () => {
    const below = others(60).filter((name) => weight('eu', named(name)) < weight('eu', SELF))
    for (const name of below.slice(0, 8)) hear(heartbeat(name))
    expect(said(pass(4_000))).toEqual([])
  })

  it('says at once that it is proven now: until then all who are rank before it', () => {
    const { calmHeartbeatMs, calmHeartbeatLiveMs } = LIMITS
    start({
      limits: { provenUpMs: 25_000, dialledWithinMs: 10_000, calmHeartbeatMs, calmHeartbeatLiveMs },
    })
    const other = connected(named('x'), 'inbound', { ownHost: false })
    bench.run((step, journey) => gateways.onConnected(step, journey, other))
    expect(said(pass(41_000)).map(({ stopgap }) => stopgap)).toEqual(['new', 'new', 'new', 'new'])
    expect(said(pass(15_000)).map(({ stopgap }) => stopgap)).toEqual([undefined])
    bench.run((step, journey) =>
      gateways.onDisconnected(step, journey, { kind: 'disconnected', peer: named('x') }),
    )
    expect(said(pass(12_000)).map(({ stopgap }) => stopgap)).toEqual(['new'])
  })

  it('leaves eight that are new their places for a while once it is proven', () => {
    start({ limits: { provenUpMs: 2_000 } })
    for (const name of above(8)) hear(heartbeat(name, { stopgap: 'new' }))
    const other = connected(named('x'), 'inbound', { ownHost: false })
    bench.run((step, journey) => gateways.onConnected(step, journey, other))
    expect(said(pass(10_000))).toEqual([])
  })

  it.each(LAST)('%s: stands only where nobody else does', (standsAs) => {
    start({ standsAs })
    expect(said(pass(4_000))[0]).toMatchObject({ stopgap: 'seed' })
    hear(heartbeat('other', { stopgap: 'new' }))
    expect(said(pass(8_000))).toEqual([])
    expect(gateways.of('eu')).toEqual([named('other')])
    expect(said(pass(14_000))).not.toEqual([])
  })

  it('a node without addresses or a key stands for nothing', () => {
    start({ signs: false })
    expect(acts(pass(20_000))).toEqual([])
    expect(gateways.of('eu')).toEqual([])
  })
})

describe('hearing', () => {
  it.each<[string, () => Uint8Array, string]>([
    ['a live one', () => heartbeat('a'), 'accept'],
    ['of another region', () => heartbeat('a', { region: 'us' as Name }), 'ignore'],
    ['signed by another', () => heartbeat('a', {}, 'b'), 'reject'],
    ['no heartbeat at all', () => new TextEncoder().encode('rubbish'), 'reject'],
    ['of a clock an hour ahead', () => heartbeat('a', { at: bench.now.wallMs + 3_600_000 }), 'ignore'],
    ['an hour old', () => heartbeat('a', { at: bench.now.wallMs - 3_600_000 }), 'ignore'],
    ['of a peer that shows no certificate', () => heartbeat('a', { chain: [] }), 'ignore'],
    ['with the certificate of another', () => heartbeat('a', { chain: chainOf(named('b')) }), 'ignore'],
    ['certified for another region', () => heartbeat('a', { chain: chainOf(named('a'), 'us') }), 'ignore'],
    ['of this very node', () => heartbeat('self'), 'ignore'],
    ['with something critical', () => heartbeat('a', { critical: ['teleport'] }), 'ignore'],
    ['with a stopgap of a later build', () => heartbeat('a', { stopgap: 'old' as never }), 'ignore'],
  ])('%s: %s', (what, bytes, verdict) => {
    const hangUps = what === 'signed by another' ? [named('relay')] : []
    expect(hear(bytes())).toEqual({ verdict, hangUps })
    expect(gateways.of('eu')).toEqual(verdict === 'accept' ? [named('a')] : [])
    expect(gateways.stands(named('a'))).toBe(verdict === 'accept')
  })

  it('the same again, or an older one, does not keep it alive', () => {
    const old = heartbeat('a', { at: bench.now.wallMs - 1_000 })
    const bytes = heartbeat('a')
    hear(bytes)
    pass(14_000)
    expect(hear(bytes).verdict).toBe('ignore')
    expect(hear(old).verdict).toBe('ignore')
    pass(1_000)
    expect(gateways.of('eu')).not.toContain(named('a'))
  })

  it('one whose connection broke is dead at once, until it is linked or heard again', () => {
    const a = named('a')
    hear(heartbeat('a'))
    const lose = () =>
      bench.run((step, journey) => gateways.onDisconnected(step, journey, { kind: 'disconnected', peer: a }))
    lose()
    expect(gateways.of('eu')).toEqual([])
    bench.link(a)
    bench.run((step, journey) => gateways.onAdmitted(step, journey, a))
    expect(gateways.of('eu')).toEqual([a])
    lose()
    bench.pass(1)
    hear(heartbeat('a'))
    expect(gateways.of('eu')).toEqual([a])
  })

  it('whom the root removes is none', () => {
    hear(heartbeat('a'))
    const root = rootOf(2, { removed: { peers: [{ id: named('a') }], pools: [] } })
    bench.run((step, journey) => gateways.onRoot(step, journey, root))
    expect(gateways.of('eu')).toEqual([])
    bench.pass(10)
    expect(hear(heartbeat('a')).verdict).toBe('ignore')
  })

  it('one that stands already and shows another certificate is judged anew', () => {
    hear(heartbeat('a'))
    bench.pass(5_000)
    expect(hear(heartbeat('a', { chain: chainOf(named('a'), 'us') })).verdict).toBe('ignore')
    expect(hear(heartbeat('a')).verdict).toBe('accept')
  })

  it('whose admission key a root takes away is none', () => {
    hear(heartbeat('a'))
    const root = rootOf(2, { admission: { keys: [] } })
    bench.run((step, journey) => gateways.onRoot(step, journey, root))
    expect(gateways.of('eu')).toEqual([])
  })

  it('peers are bounded: so many new keys a second, so many of a region, so many regions', () => {
    start({
      limits: { heartbeatChecksPerSecond: 1, heartbeatChecksBurst: 20, maxHeartbeats: 10, maxRegions: 3 },
    })
    for (const name of others(60)) hear(heartbeat(name), named(name))
    expect(gateways.of('eu')).toHaveLength(8)
    expect(gateways.heartbeats()).toHaveLength(8)
    pass(LIMITS.farHeartbeatLiveMs)
    for (let at = 0; at < 6; at += 1) {
      const peer = named(`teller ${at}`)
      bench.link(peer, {}, { region: 'us' })
      const heartbeats = [heartbeat(`liar ${at}`, { region: `r${at}` as Name })]
      const request = {
        protocol: 'bridge',
        message: { type: 'heartbeats', heartbeats, want: false },
      } as const
      bench.run((step, journey) => gateways.onRequest(step, journey, requestOf(at, peer, request)))
    }
    expect(gateways.regions()).toEqual(['eu', 'r0', 'r1', 'r2'])
  })
})

describe('telling', () => {
  const admit = (name: string, heartbeats: readonly Uint8Array[], region = 'us') => {
    const peer = named(name)
    bench.link(peer, {}, { region, heartbeats })
    return bench.run((step, journey) => gateways.onAdmitted(step, journey, peer))
  }

  it('learns from a hello, and dials every gateway of the other region at the addresses they sign', () => {
    pass(4_000)
    admit('guide', [heartbeat('u1', { region: 'us' as Name }), heartbeat('u2', { region: 'us' as Name })])
    expect(gateways.regions()).toEqual(['eu', 'us'])
    const dials = pass(4_000).flatMap((effect) => (effect.kind === 'dial' ? [effect.address] : []))
    expect(new Set(dials)).toEqual(new Set([addressOf(named('u1')), addressOf(named('u2'))]))
    expect(gateways.keeps(named('u1'))).toBe(true)
  })

  it('an address that names somebody else is not dialled', () => {
    pass(4_000)
    admit('guide', [heartbeat('u1', { region: 'us' as Name, addresses: [addressOf(named('victim'))] })])
    expect(pass(10_000).filter(({ kind }) => kind === 'dial')).toEqual([])
  })

  it('asks a peer of a region of which no gateway is known, and tells what it knows to those who want it', () => {
    pass(4_000)
    admit('guide', [])
    const [question] = asked(pass(1_500))
    expect(question).toMatchObject({
      peer: named('guide'),
      request: { protocol: 'bridge', message: { type: 'heartbeats', want: true } },
    })
    const message = { type: 'heartbeats', heartbeats: [heartbeat('u1', { region: 'us' as Name })] } as const
    bench.run((step, journey) =>
      gateways.onReply(step, journey, question?.id ?? 0, { protocol: 'bridge', message }),
    )
    expect(gateways.of('us')).toEqual([named('u1')])
    const request = {
      protocol: 'bridge',
      message: { type: 'heartbeats', heartbeats: [], want: true },
    } as const
    const answer = bench.run((step, journey) =>
      gateways.onRequest(step, journey, requestOf(7, named('guide'), request)),
    )
    expect(replies(answer)[0]).toMatchObject({ type: 'heartbeats', heartbeats: { length: 2 } })
  })

  it('who asks too often gets an empty answer', () => {
    pass(4_000)
    admit('guide', [])
    const request = {
      protocol: 'bridge',
      message: { type: 'heartbeats', heartbeats: [], want: true },
    } as const
    const answers = Array.from({ length: 20 }, (_, at) =>
      replies(
        bench.run((step, journey) =>
          gateways.onRequest(step, journey, requestOf(at, named('guide'), request)),
        ),
      ),
    )
    const full = answers.filter(([one]) => one?.type === 'heartbeats' && one.heartbeats.length > 0)
    expect(full).toHaveLength(LIMITS.heartbeatAsksBurst)
  })

  it('of many regions the best of each come first, as far as a hello goes', () => {
    const regions = Array.from({ length: 40 }, (_, at) => `r${at}` as Name)
    for (const round of ['a', 'b', 'c'])
      for (const region of regions) admit(`teller ${round}`, [heartbeat(`${round} ${region}`, { region })])
    const told = gateways.heartbeats(44 * 500).map((bytes) => readHeartbeat(bytes, LIMITS).heartbeat.region)
    expect(told.length).toBeLessThan(80)
    expect(new Set(told)).toEqual(new Set(regions))
  })

  it('in a fleet of one region keeps no link and asks nobody', () => {
    admit('near', [heartbeat('other', { stopgap: 'new' })], 'eu')
    const effects = pass(60_000)
    expect(effects.filter(({ kind }) => kind !== 'publish')).toEqual([])
  })
})

it('gossip of a heartbeat is what others take in', () => {
  const [beat] = pass(4_000)
  expect(beat).toMatchObject({ kind: 'publish', topic: 'control' })
  if (beat?.kind !== 'publish') return
  const { envelope } = decodeControlGossip(beat.bytes, LIMITS)
  expect(encodeControlGossip({ kind: 'heartbeat', envelope })).toEqual(beat.bytes)
  expect(envelope.length).toBeLessThan(500)
})
