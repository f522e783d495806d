import { beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { Heard } from '../../../src/core/journey.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Limits } from '../../../src/limits.ts'
import type { Digest, Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { acts, Bench, codes, limitsOf, peer, replies, requestOf } from '../core-peers/fakes.ts'
import { inTime } from './in-time.ts'
import { messageOf } from './toy-regions.ts'

const bytes = messageOf('one')
const id = sha256(bytes)
const item = (home: string, more: Partial<BridgeItem> = {}): BridgeItem => ({
  topic: 'control',
  id,
  home: home as Name,
  ...more,
})
const NEAR = ['eu-0', 'eu-1', 'eu-2', 'eu-3'].map(peer)
const FAR = ['us-0', 'us-1', 'us-2', 'us-3'].map(peer)

let bench: Bench
let bridge: Bridge
let heard: Heard

/** A gateway of `eu` that is of this rank for the message; both regions have four. */
function gateway(
  place: number,
  more: { submit?: boolean; stands?: boolean; limits?: Partial<Limits> } = {},
): void {
  const self = rank(id, NEAR)[place] as PeerId
  const { submit = false, limits = {} } = more
  bench = new Bench({ self, region: 'eu', submit, limits: limitsOf(limits) })
  bridge = createBridge(bench.config)
  const { journey } = bench
  const own = more.stands === false ? NEAR.filter((one) => one !== self) : NEAR
  journey.gatewaysOf.set('eu', own)
  journey.gatewaysOf.set('us', FAR)
  for (const one of [...own, ...FAR]) {
    journey.standing.add(one)
    if (one !== self) bench.link(one, {}, { region: FAR.includes(one) ? 'us' : 'eu' })
  }
  heard = { verdict: 'accept', id, known: false }
  journey.onHear = () => heard
}

const near = (place: number): PeerId => rank(id, NEAR)[place] as PeerId
const far = (place: number): PeerId => rank(id, FAR)[place] as PeerId
const say = (how: 'own' | 'relayed' | 'known' = 'relayed') =>
  acts(bench.run((step, journey) => bridge.onSaid(step, journey, { topic: 'control', bytes, how })))
let asked = 1_000
const ask = (from: PeerId, message: BridgeRequest): Effect[] => {
  asked += 1
  return bench.run((step, journey) =>
    bridge.onRequest(step, journey, requestOf(asked, from, { protocol: 'bridge', message })),
  )
}
const tick = () => bench.run((step, journey) => bridge.onTick(step, journey))
const later = (ms: number) => acts(inTime(bench, ms, tick))
const request = (number: number, to: PeerId, message: BridgeRequest, timeoutMs = 3_000): Effect => ({
  kind: 'request',
  id: number,
  peer: to,
  request: { protocol: 'bridge', message },
  timeoutMs,
})
const isPull = (effect: Effect): effect is EffectOf<'request'> =>
  effect.kind === 'request' && effect.request.message.type === 'pull'
const noted: Effect = { kind: 'reply', id: 0, reply: { protocol: 'bridge', message: { type: 'noted' } } }
const noting = (): Effect => ({ ...noted, id: asked }) as Effect
const publish: Effect = { kind: 'publish', topic: 'control', bytes }
const gone = { protocol: 'bridge', message: { type: 'gone' } } as const
/** To the other gateways near, in the order of their ids. */
const claims = (first: number, of = item('us')): Effect[] =>
  NEAR.filter((one) => one !== bench.config.self)
    .sort()
    .map((to, at) => request(first + at, to, { type: 'claim', item: of }))

beforeEach(() => gateway(0))

describe('at home', () => {
  it('rank 0 pushes to rank 0 of the other region, claims it, and a second later tells all of it', () => {
    const push = request(1, far(0), { type: 'announce', item: item('eu'), bytes })
    expect(say()).toEqual([push, ...claims(2, item('eu'))])
    expect([say(), later(999)]).toEqual([[], []])
    expect(later(1)).toEqual(FAR.map((to, at) => request(5 + at, to, { type: 'have', items: [item('eu')] })))
    expect(later(10_000)).toEqual([])
  })

  it.each([1, 2])('rank %i announces to its like, without the content', (place) => {
    gateway(place)
    expect(say()).toEqual([request(1, far(place), { type: 'announce', item: item('eu') })])
  })

  it('rank 3 tells nobody before the second is over', () => {
    gateway(3)
    expect(say()).toEqual([])
    expect(later(1_000)).toHaveLength(4)
  })

  it('a lone gateway speaks for the ranks that are missing', () => {
    bench.journey.gatewaysOf.set('eu', [bench.config.self])
    expect(say()).toEqual([
      request(1, far(0), { type: 'announce', item: item('eu'), bytes }),
      request(2, far(1), { type: 'announce', item: item('eu') }),
      request(3, far(2), { type: 'announce', item: item('eu') }),
      ...claims(4, item('eu')),
    ])
  })

  it('a seed that is no gateway tells its own first, and only of what it took in itself', () => {
    gateway(0, { submit: true, stands: false })
    expect(say('relayed')).toEqual([])
    const own = rank(id, bench.journey.gateways('eu'))
    expect(say('own')).toEqual([
      request(1, own[0] as PeerId, { type: 'announce', item: item('eu'), bytes }),
      request(2, own[1] as PeerId, { type: 'announce', item: item('eu') }),
      request(3, own[2] as PeerId, { type: 'announce', item: item('eu') }),
    ])
    expect(later(1_000)).toEqual([])
  })

  it('nobody else bridges, and in a fleet of one region nobody does', () => {
    gateway(0, { stands: false })
    expect(say('own')).toEqual([])
    gateway(0)
    bench.journey.gatewaysOf.delete('us')
    expect([say('own'), later(1_000)]).toEqual([[], []])
  })
})

const many = (from: number, to: number): BridgeItem[] =>
  Array.from({ length: to - from }, (_, at) => ({ ...item('us'), id: sha256(Uint8Array.of(from + at)) }))

it('what is announced all at once is pulled little by little: others have their turn in between', () => {
  for (const place of [0, 1, 2]) ask(far(place), { type: 'have', items: many(14 * place, 14 * place + 14) })
  // late: what came meanwhile is read before
  const pulled = [500, 1_000, 20, 20, 20].map((ms) => {
    bench.pass(ms)
    return tick().filter(isPull).length
  })
  expect(pulled).toEqual([0, 16, 16, 10, 0])
})

it('of one peer only so much is asked at once: it has to give before it is asked for more', () => {
  ask(far(0), { type: 'have', items: many(0, 40) })
  const pulled = [500, 20, 20].map((ms) => later(ms).filter(isPull))
  expect(pulled.map(({ length }) => length)).toEqual([16, 0, 0])
  for (const { id: number } of pulled[0]?.slice(0, 3) ?? [])
    bench.run((step, journey) => bridge.onReply(step, journey, number, gone))
  expect(later(0).filter(isPull)).toHaveLength(3)
  ask(far(1), { type: 'have', items: many(39, 41) })
  // what two have comes from the other one
  expect(
    later(500)
      .filter(isPull)
      .map(({ peer: from }) => from),
  ).toEqual([far(1), far(1)])
})

it('what came another way while it was pulled is judged once: the answer changes nothing', () => {
  ask(far(0), { type: 'announce', item: item('us') })
  const pulls = later(50 * bench.config.limits.bridgeRanks).flatMap((effect) =>
    effect.kind === 'request' && effect.request.message.type === 'pull' ? [effect.id] : [],
  )
  expect(pulls).toHaveLength(1)
  say('relayed')
  const judged: string[] = []
  bench.journey.onHear = (_topic, _bytes, from) => {
    judged.push(from)
    return heard
  }
  let mine = false
  const effects = bench.run((step, journey) => {
    const message = { type: 'item', bytes } as const
    mine = bridge.onReply(step, journey, pulls[0] as number, { protocol: 'bridge', message })
  })
  expect([mine, effects, judged]).toEqual([true, [], []])
})

describe('over the border', () => {
  it('what is pushed is judged, said on the own topic, claimed, and carried no further', () => {
    expect(acts(ask(far(0), { type: 'announce', item: item('us'), bytes }))).toEqual([
      noting(),
      publish,
      ...claims(1),
    ])
    expect(say('own')).toEqual([]) // its own publication comes back to it
    expect(acts(ask(far(1), { type: 'announce', item: item('us'), bytes }))).toEqual([noting()])
  })

  it('what is announced waits for the rank before, then is claimed and pulled', () => {
    gateway(2)
    expect(acts(ask(far(2), { type: 'announce', item: item('us') }))).toEqual([noting()])
    expect(later(99)).toEqual([])
    const pull = request(4, far(2), { type: 'pull', item: item('us') }, 1_500)
    expect(later(1)).toEqual([...claims(1), pull])
    const message = { type: 'item', bytes } as const
    const got = bench.run((step, journey) =>
      bridge.onReply(step, journey, 4, { protocol: 'bridge', message }),
    )
    expect(acts(got)).toEqual([publish])
  })

  it('a claim holds it off; one that brings nothing is void after a second and half of one for each rank', () => {
    gateway(1)
    ask(far(1), { type: 'announce', item: item('us') })
    expect(acts(ask(near(0), { type: 'claim', item: item('us') }))).toEqual([noting()])
    expect(later(700)).toEqual([])
    ask(near(0), { type: 'claim', item: item('us') }) // again: no longer than once
    expect(later(799)).toEqual([])
    expect(later(1)).toEqual([...claims(1), request(4, far(1), { type: 'pull', item: item('us') }, 1_500)])
  })

  it('what was only claimed is pulled once somebody says to have it', () => {
    gateway(1)
    ask(near(0), { type: 'claim', item: item('us') })
    expect(later(1_500)).toEqual([])
    ask(far(3), { type: 'have', items: [item('us')] })
    expect(later(50)).toEqual([...claims(1), request(4, far(3), { type: 'pull', item: item('us') }, 1_500)])
  })

  it('what gossip brought meanwhile is neither pulled nor carried on: it is at home elsewhere', () => {
    gateway(1)
    ask(near(0), { type: 'claim', item: item('us') })
    expect(say()).toEqual([])
    expect(later(400)).toEqual([])
    gateway(1)
    ask(far(1), { type: 'announce', item: item('us') })
    say('known')
    expect(later(2_000)).toEqual([])
  })

  it('a source that has it no longer, or does not answer, gives way to the next; in the end sync has to bring it', () => {
    gateway(1)
    for (const place of [1, 2]) ask(far(place), { type: 'announce', item: item('us') })
    const pull = (number: number, place: number) =>
      request(number, far(place), { type: 'pull', item: item('us') }, 1_500)
    expect(later(50)).toEqual([...claims(1), pull(4, 1)])
    bench.run((step, journey) => bridge.onReply(step, journey, 4, gone))
    expect(acts(tick())).toEqual([pull(5, 2)])
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, 5, 'NET_TIMEOUT'))
    expect(acts(tick())).toEqual([pull(6, 1)])
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, 6, 'NET_TIMEOUT'))
    expect(acts(tick())).toEqual([pull(7, 2)])
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, 7, 'NET_TIMEOUT'))
    expect(acts(tick())).toEqual([])
  })

  it('gives what it has to those who pull', () => {
    say()
    expect(replies(ask(far(3), { type: 'pull', item: item('eu') }))).toEqual([{ type: 'item', bytes }])
    const other = sha256(messageOf('two'))
    expect(replies(ask(far(3), { type: 'pull', item: item('eu', { id: other }) }))).toEqual([
      { type: 'gone' },
    ])
  })
})

describe('hostile neighbours', () => {
  it('a node that is no gateway may neither announce, claim, pull nor say what it has', () => {
    const stranger = peer('stranger')
    bench.link(stranger, {}, { region: 'us' })
    for (const message of [
      { type: 'announce', item: item('us'), bytes },
      { type: 'claim', item: item('us') },
      { type: 'pull', item: item('eu') },
      { type: 'have', items: [item('us')] },
    ] as const) {
      const effects = ask(stranger, message)
      expect(replies(effects)).toMatchObject([{ type: 'refused', code: 'NET_PROTOCOL' }])
      expect(acts(effects)).toHaveLength(1)
    }
    expect(later(10_000)).toEqual([])
    expect(codes(ask(peer('not admitted'), { type: 'claim', item: item('us') }))).toEqual(['ADMIT_REFUSED'])
  })

  it('gateways of other regions claim nothing here', () => {
    expect(codes(ask(far(0), { type: 'claim', item: item('us') }))).toEqual(['NET_PROTOCOL'])
  })

  it('a seed may announce to its own region alone', () => {
    const seed = peer('seed')
    bench.link(seed, {}, { region: 'eu', submit: true })
    expect(acts(ask(seed, { type: 'announce', item: item('eu'), bytes }))).toContainEqual(publish)
    gateway(0)
    bench.link(seed, {}, { region: 'us', submit: true })
    expect(codes(ask(seed, { type: 'announce', item: item('us'), bytes }))).toEqual(['NET_PROTOCOL'])
  })

  it('a flood is refused beyond what gossip allows one peer, and takes nobody else’s share', () => {
    gateway(0, { limits: { bridgePerSecond: 10, bridgeBurst: 20 } })
    const said = Array.from({ length: 40 }, () => ask(far(0), { type: 'pull', item: item('us') }))
    expect(said.filter((effects) => codes(effects).includes('LIMIT_RATE'))).toHaveLength(20)
    expect(codes(ask(far(1), { type: 'pull', item: item('us') }))).toEqual([])
    bench.pass(1_000)
    expect(codes(ask(far(0), { type: 'pull', item: item('us') }))).toEqual([])
  })

  it('a list of what one has costs as much as so many messages', () => {
    gateway(0, { limits: { bridgePerSecond: 10, bridgeBurst: 20 } })
    const have = { type: 'have', items: Array.from({ length: 15 }, () => item('us')) } as const
    expect(codes(ask(far(0), have))).toEqual([])
    expect(codes(ask(far(0), have))).toEqual(['LIMIT_RATE'])
    bench.pass(1_000)
    expect(codes(ask(far(0), have))).toEqual([])
  })

  it('rubbish costs the gateway that pushed it its link', () => {
    heard = { verdict: 'reject', id: undefined, known: false }
    const effects = acts(ask(far(0), { type: 'announce', item: item('us'), bytes }))
    expect(effects).toEqual([noting(), { kind: 'hangUp', peer: far(0), code: 'NET_PROTOCOL' }])
  })

  it('so does something else than was announced, however valid: it is said on under its own name', () => {
    heard = { verdict: 'accept', id: sha256(messageOf('two')), known: false }
    const effects = acts(ask(far(0), { type: 'announce', item: item('us'), bytes }))
    expect(effects.map(({ kind }) => kind).slice(0, 3)).toEqual(['reply', 'publish', 'hangUp'])
    heard = { verdict: 'accept', id, known: false }
    expect(acts(ask(far(1), { type: 'announce', item: item('us'), bytes }))).toContainEqual(publish)
  })

  it.each(['gone', 'NET_TIMEOUT'] as const)(
    'announcements that lead to %s are not asked for after a while',
    (end) => {
      gateway(1, { limits: { bridgeDudsPerSecond: 0, bridgeDudsBurst: 2, maxBridgePulls: 1 } })
      const pulls = Array.from({ length: 5 }, (_, at) => {
        ask(far(1), { type: 'announce', item: item('us', { id: sha256(messageOf(`${at}`)) }) })
        const pulled = later(150).filter(
          (effect) => effect.kind === 'request' && effect.request.message.type === 'pull',
        )
        for (const one of pulled)
          if (one.kind === 'request')
            bench.run((step, journey) =>
              end === 'gone'
                ? bridge.onReply(step, journey, one.id, gone)
                : bridge.onRequestFailed(step, journey, one.id, end),
            )
        tick()
        return pulled.length
      })
      expect(pulls).toEqual([1, 1, 1, 0, 0])
      bench.pass(30_001)
      ask(far(1), { type: 'announce', item: item('us', { id: sha256(messageOf('later')) }) })
      expect(later(150).at(-1)).toMatchObject({ request: { message: { type: 'pull' } } })
    },
  )

  it('a connection that broke is not laid to the gateway that was asked over it', () => {
    gateway(1, { limits: { bridgeDudsPerSecond: 0, bridgeDudsBurst: 0, maxBridgePulls: 1 } })
    const other = (text: string) => item('us', { id: sha256(messageOf(text)) })
    ask(far(1), { type: 'announce', item: other('lost') })
    const [lost] = later(150).filter(isPull)
    bench.run((step, journey) => bridge.onRequestFailed(step, journey, lost?.id as number, 'NET_UNREACHABLE'))
    ask(far(1), { type: 'announce', item: other('true') })
    expect(later(150).filter(isPull)).toHaveLength(1)
  })

  it('what only those announced who are not believed is asked of nobody, not even after they dialled anew', () => {
    gateway(1, { limits: { bridgeDudsPerSecond: 0, bridgeDudsBurst: 1, maxBridgePullsOfOne: 2 } })
    ask(far(1), { type: 'have', items: many(0, 40) })
    const [one, two] = later(200).filter(isPull)
    for (const pull of [one, two])
      bench.run((step, journey) => bridge.onReply(step, journey, pull?.id as number, gone))
    expect(later(100).filter(isPull)).toEqual([])
    bench.run((step, journey) => bridge.onDisconnected(step, journey, { kind: 'disconnected', peer: far(1) }))
    ask(far(1), { type: 'have', items: many(50, 60) })
    expect(later(200).filter(isPull)).toEqual([])
  })

  it('claims of what nobody has are asked of nobody, and said to nobody', () => {
    gateway(1)
    for (const one of many(0, 40)) ask(near(0), { type: 'claim', item: one })
    expect(later(5_000)).toEqual([])
  })

  it('wants only so much at once', () => {
    gateway(1, { limits: { maxBridgeWanted: 3 } })
    const items = Array.from({ length: 10 }, (_, at) => item('us', { id: sha256(messageOf(`${at}`)) }))
    ask(far(1), { type: 'have', items })
    expect(later(150).filter(isPull)).toHaveLength(3)
  })

  it('keeps only so many bytes to be pulled', () => {
    gateway(0, { limits: { maxBridgeBytes: 3 * bytes.length } })
    const texts = ['a', 'b', 'c', 'd', 'e']
    for (const text of texts) {
      const said = { topic: 'control', bytes: messageOf(text.repeat(3)), how: 'relayed' } as const
      bench.run((step, journey) => bridge.onSaid(step, journey, said))
    }
    const given = texts.map((text) => {
      const one: Digest = sha256(messageOf(text.repeat(3)))
      return replies(ask(far(0), { type: 'pull', item: item('eu', { id: one }) }))[0]?.type
    })
    expect(given).toEqual(['gone', 'gone', 'item', 'item', 'item'])
  })
})
