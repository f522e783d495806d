/** What crosses a border is not lost where a region is small, nor laid to those who brought what this node cannot take. */
import { beforeEach, describe, expect, it, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { Heard } from '../../../src/core/journey.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import type { Digest, Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { renew } from '../../../src/trust/edit.ts'
import { BenchNode, ofKind } from '../core/bench-node.ts'
import { coreConfig, make, NO_GATEWAYS, PEER, ROOT, rootBytes, SELF } from '../core/fleet.ts'
import { acts, asked, Bench, hungUp, limitsOf, peer, requestOf } from '../core-peers/fakes.ts'
import { inTime } from './in-time.ts'
import { messageOf } from './toy-regions.ts'

const bytes = messageOf('one')
const id = sha256(bytes)
const NEAR = ['eu-0', 'eu-1', 'eu-2', 'eu-3'].map(peer)
const FAR = ['us-0', 'us-1', 'us-2'].map(peer)

let bench: Bench
let bridge: Bridge
let heard: Heard

/** A gateway of `eu` that is of this rank, where the other region has so many; nobody may bring a thing in vain. */
function gateway(place: number, far: readonly PeerId[] = FAR): void {
  const self = rank(id, NEAR)[place] as PeerId
  const limits = limitsOf({ bridgeDudsPerSecond: 0, bridgeDudsBurst: 0 })
  bench = new Bench({ self, region: 'eu', limits })
  bridge = createBridge(bench.config)
  bench.journey.gatewaysOf.set('eu', NEAR)
  bench.journey.gatewaysOf.set('us', far)
  for (const one of [...NEAR, ...far]) {
    bench.journey.standing.add(one)
    if (one !== self) bench.link(one, {}, { region: far.includes(one) ? 'us' : 'eu' })
  }
  bench.journey.onHear = () => heard
}

describe('a region with fewer gateways than ranks', () => {
  const announced = (place: number, far: readonly PeerId[]): unknown[] => {
    gateway(place, far)
    const said = { topic: 'control', bytes, how: 'relayed' } as const
    const effects = asked(bench.run((step, journey) => bridge.onSaid(step, journey, said)))
    return effects.map(({ peer: to, request: { message } }) => [to, message.type, 'bytes' in message])
  }

  it.each([1, 2])(
    'is told by rank %i, too, for rank 0 may be dead: its last, without the content',
    (place) => {
      const [one, two] = FAR.slice(0, 2)
      expect(announced(place, [one as PeerId])).toEqual([[one, 'announce', false]])
      const last = rank(id, [one, two] as PeerId[])[1]
      expect(announced(place, [one, two] as PeerId[])).toEqual([[last, 'announce', false]])
    },
  )

  it('is told nothing where it has none, nor by who is of no rank', () => {
    expect(announced(1, [])).toEqual([])
    expect(announced(3, FAR.slice(0, 1))).toEqual([])
  })
})

describe('what this node cannot take as it is now', () => {
  const item = (of: Digest = id): BridgeItem => ({ topic: 'control', id: of, home: 'us' as Name })
  let requests = 1_000
  const ask = (from: PeerId, message: BridgeRequest): Effect[] => {
    requests += 1
    const request = requestOf(requests, from, { protocol: 'bridge', message })
    return bench.run((step, journey) => bridge.onRequest(step, journey, request))
  }
  const pulls = (ms: number): EffectOf<'request'>[] => {
    const tick = () => bench.run((step, journey) => bridge.onTick(step, journey))
    return asked(inTime(bench, ms, tick)).filter(({ request }) => request.message.type === 'pull')
  }
  const [first, second] = FAR as [PeerId, PeerId]
  /** Announced by one, pulled from it, and judged. */
  const brought = (): Effect[] => {
    ask(first, { type: 'announce', item: item() })
    const [pull] = pulls(200)
    const message = { type: 'item', bytes } as const
    return bench.run((step, journey) =>
      bridge.onReply(step, journey, pull?.id as number, { protocol: 'bridge', message }),
    )
  }
  /** Whether something else is still pulled from who brought it. */
  const isTrusted = (): boolean => {
    ask(first, { type: 'announce', item: item(sha256(messageOf('two'))) })
    return pulls(200).length === 1
  }

  beforeEach(() => {
    gateway(0)
    heard = { verdict: 'ignore', id, known: false, notNow: true, blameless: true }
  })

  it('is laid to nobody, and not brought over the border again for half a minute', () => {
    expect(acts(brought())).toEqual([])
    ask(second, { type: 'have', items: [item()] })
    ask(second, { type: 'announce', item: item() })
    expect(pulls(1_000)).toEqual([])
    expect(isTrusted()).toBe(true)
    ask(second, { type: 'announce', item: item(), bytes })
    bench.pass(30_000)
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(200)).toHaveLength(1)
  })

  it('is asked for anew under a new root', () => {
    brought()
    bridge.onRoot()
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(200)).toHaveLength(1)
  })

  it('is not taken for what else was announced: that costs the link, and is pulled from the next', () => {
    heard = { verdict: 'ignore', id: sha256(messageOf('two')), known: false, notNow: true }
    expect(hungUp(brought())).toEqual([first])
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(200)).toHaveLength(1)
  })

  it('says nothing of what was announced where it names nothing, and is laid to who brought it', () => {
    const [one] = FAR as [PeerId]
    heard = { verdict: 'ignore', id: undefined, known: false, notNow: true }
    ask(one, { type: 'announce', item: item(), bytes })
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(200)).toHaveLength(1)
    expect(isTrusted()).toBe(false)
  })

  it('is laid to who brought it where it may be made up, and not asked for again either', () => {
    heard = { verdict: 'ignore', id, known: false, notNow: true, blameless: false }
    brought()
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(1_000)).toEqual([])
    expect(isTrusted()).toBe(false)
  })

  it('is laid to nobody, and asked for again, where this node had no time to look at it', () => {
    heard = { verdict: 'ignore', id: undefined, known: false, blameless: true }
    brought()
    ask(second, { type: 'have', items: [item()] })
    expect(pulls(1_000)).toHaveLength(1)
    expect(isTrusted()).toBe(true)
  })

  it('holds nobody off what was announced where something else came in its place', () => {
    heard = { verdict: 'accept', id: sha256(messageOf('two')), known: false }
    const effects = ask(first, { type: 'announce', item: item(), bytes })
    expect(hungUp(effects)).toEqual([first])
    expect(asked(effects).filter(({ request }) => request.message.type === 'claim')).toEqual([])
  })

  it('but what cannot be verified is laid to who brought it', () => {
    heard = { verdict: 'ignore', id, known: false, notNow: false }
    brought()
    expect(isTrusted()).toBe(false)
  })
})

test('a release under a root that is not here is for later, which anybody may say of one; one that is taken is known, also where it may not go on', () => {
  const [two, three] = [renew(ROOT, ROOT.expires + 2), renew(renew(ROOT, ROOT.expires + 2), ROOT.expires + 3)]
  const roots = [ROOT, three].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
  const node = new BenchNode()
  node.start({ roots })
  const hear = (envelope: Uint8Array): Heard => {
    let heard: Heard | undefined
    node.inside((step, journey) => {
      heard = journey.hear(step, 'releases', encodeReleaseGossip({ envelope, attached: [] }), PEER)
    })
    return heard as Heard
  }
  const ahead = make({ clock: { alice: 1 }, header: { root: 9 } })
  expect(hear(ahead.envelope)).toEqual({
    verdict: 'ignore',
    id: ahead.id,
    known: false,
    notNow: true,
    blameless: false,
  })
  const unsure = make({ clock: { alice: 1 }, header: { root: two.version } })
  expect(hear(unsure.envelope)).toMatchObject({
    verdict: 'ignore',
    id: unsure.id,
    known: true,
    notNow: false,
  })
  const made = make({ clock: { alice: 2 } })
  expect(hear(made.envelope)).toMatchObject({ verdict: 'accept', id: made.id, notNow: false })
  expect(hear(made.envelope)).toMatchObject({ verdict: 'ignore', known: true, notNow: false })
})

test('of a release with more attached than this node takes its envelope is known: who brought it is not to blame', () => {
  const node = new BenchNode({ limits: limitsOf({ maxInlineBytes: 100 }) })
  node.start()
  const made = make({ clock: { alice: 1 } })
  let heard: Heard | undefined
  node.inside((step, journey) => {
    const message = encodeReleaseGossip({ envelope: made.envelope, attached: [...made.content.values()] })
    heard = journey.hear(step, 'releases', message, PEER)
  })
  expect(heard).toMatchObject({ verdict: 'ignore', id: made.id, known: true })
  expect(node.heard.some((line) => line.startsWith('ordered NEW'))).toBe(true)
})

test('a release that a seed pushes to a gateway with too much attached is carried on by itself over the borders, and claimed', () => {
  const [seed, near, far] = ['seed', 'here-1', 'us-0'].map(peer) as [PeerId, PeerId, PeerId]
  const made = make({ clock: { alice: 1 } })
  const whole = encodeReleaseGossip({ envelope: made.envelope, attached: [...made.content.values()] })
  const alone = encodeReleaseGossip({ envelope: made.envelope, attached: [] })
  const pushed = (maxInlineBytes: number) => {
    const config = coreConfig({ limits: limitsOf({ maxInlineBytes }) })
    const node = new BenchNode(config, {
      bridge: createBridge(config),
      gateways: {
        ...NO_GATEWAYS,
        regions: () => ['here', 'us'] as Name[],
        of: (region) => [region === 'us' ? far : SELF],
        stands: (one) => one !== seed,
      },
    })
    node.start()
    node.peer(seed, { submit: true })
    node.peer(near)
    node.peer(far, { region: 'us' })
    const item = { topic: 'releases', id: made.id as string as Digest, home: 'here' as Name } as const
    const message = { type: 'announce', item, bytes: whole } as const
    const effects = node.run(requestOf(1, seed, { protocol: 'bridge', message }))
    const published = ofKind(effects, 'publish').map(({ bytes }) => bytes)
    return { published, asked: asked(effects).map(({ peer: to, request }) => [to, request.message]) }
  }
  for (const [limit, bytes] of [
    [whole.length, whole],
    [whole.length - 1, alone],
  ] as const) {
    const { published, asked } = pushed(limit)
    expect(published).toEqual([bytes])
    expect(asked).toMatchObject([
      [far, { type: 'announce', bytes }],
      [near, { type: 'claim' }],
    ])
  }
})
