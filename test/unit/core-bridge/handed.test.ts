import { beforeEach, describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { type Bridge, createBridge } from '../../../src/core/bridge.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { Handed, MAX_PAGES } from '../../../src/core/fetch/handed.ts'
import { Fetch } from '../../../src/core/fetch.ts'
import { readRelease } from '../../../src/core/release-bytes.ts'
import { rank } from '../../../src/core/rendezvous.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import type { Release } from '../../../src/model/release.ts'
import { filesOf, type Made, makeRelease } from '../../../src/sim/fleet.ts'
import { SimTrust } from '../../../src/sim/trust.ts'
import { asked, Bench, limitsOf, peer, requestOf } from '../core-peers/fakes.ts'

const trust = new SimTrust(1)

/** A release of several blocks and one page. */
function made(counter: number): Made {
  const publisher = 'alpha' as Name
  const clock = new Map([[publisher, counter]])
  const order = { fleetId: trust.fleetId, root: 1, channel: 'app/config' as Channel, publisher, clock }
  const files = filesOf(() => 0.5 / counter, 100_000)
  return makeRelease({ ...order, files, message: '', created: 0 }, (payload) =>
    trust.sign(publisher, payload),
  )
}

const one = made(1)
const another = made(2)
const pagesOf = ({ header, content }: Made): Uint8Array[] =>
  header.pages.map((digest) => content.get(digest) as Uint8Array)
const pages = pagesOf(one)
const bytes = encodeReleaseGossip({ envelope: one.envelope, attached: [] })
const id = one.id as string as Digest
const item = (home: string): BridgeItem => ({ topic: 'releases', id, home: home as Name })
const NEAR = ['eu-0', 'eu-1', 'eu-2', 'eu-3'].map(peer)
const FAR = ['us-0', 'us-1', 'us-2', 'us-3'].map(peer)
const near = (place: number): PeerId => rank(id, NEAR)[place] as PeerId
const far = (place: number): PeerId => rank(id, FAR)[place] as PeerId

let bench: Bench
let bridge: Bridge
let number = 1_000

/** A node of `eu` with the links of a gateway of this rank for the release; both regions have four. */
function gateway(place: number, seed = false): void {
  bench = new Bench({ self: seed ? peer('seed') : near(place), region: 'eu', submit: seed })
  bridge = createBridge(bench.config)
  const { journey } = bench
  journey.gatewaysOf.set('eu', NEAR)
  journey.gatewaysOf.set('us', FAR)
  for (const other of [...NEAR, ...FAR]) {
    journey.standing.add(other)
    if (other !== bench.config.self) bench.link(other, {}, { region: FAR.includes(other) ? 'us' : 'eu' })
  }
  journey.onHear = () => ({ verdict: 'accept', id, known: false })
}

const say = (how: 'own' | 'relayed'): Effect[] =>
  bench.run((step, journey) => bridge.onSaid(step, journey, { topic: 'releases', bytes, how }))
const hear = (from: PeerId, message: BridgeRequest): Effect[] =>
  bench.run((step, journey) =>
    bridge.onRequest(step, journey, requestOf(number++, from, { protocol: 'bridge', message })),
  )
const hand = (some: readonly Uint8Array[]) => bench.run((step, journey) => journey.hand(step, some))
/** Who was sent pages, and as what. */
const handed = (effects: readonly Effect[]): string[] =>
  asked(effects).flatMap(({ peer: to, request: { protocol, message } }) =>
    protocol === 'bridge' && 'pages' in message && message.pages !== undefined
      ? [`${message.type} ${to}${message.pages.every((page, at) => page === pages[at]) ? '' : ' others'}`]
      : [],
  )
const claimsFrom = (self: PeerId): string[] =>
  NEAR.filter((other) => other !== self).map((other) => `claim ${other}`)

beforeEach(() => gateway(0))

describe('the manifest goes behind its release', () => {
  it('from a seed to the first gateway of its region', () => {
    gateway(0, true)
    hand(pages)
    expect(handed(say('own'))).toEqual([`announce ${near(0)}`])
  })

  it('from the first at home to the first of each other region, and to all gateways around, once', () => {
    hand(pages)
    expect(handed(say('relayed')).sort()).toEqual([`announce ${far(0)}`, ...claimsFrom(near(0))].sort())
    expect(handed(hear(near(1), { type: 'announce', item: item('eu'), pages }))).toEqual([])
  })

  it('where it comes later than the release, it is handed on when it comes', () => {
    expect(handed(say('relayed'))).toEqual([])
    const message = { type: 'announce', item: item('eu'), pages } as const
    expect(handed(hear(near(1), message)).sort()).toEqual(
      [`announce ${far(0)}`, ...claimsFrom(near(0))].sort(),
    )
  })

  it.each([[['content', 'pages']], [['pages', 'content']]])(
    'over the border to all gateways around and to no other region: %j',
    (order) => {
      const messages = order.map(
        (what): BridgeRequest => ({
          type: 'announce',
          item: item('us'),
          ...(what === 'content' ? { bytes } : { pages }),
        }),
      )
      const effects = messages.flatMap((message) => hear(far(0), message))
      expect(handed(effects).sort()).toEqual(claimsFrom(near(0)).sort())
    },
  )

  it('nobody but the first hands it on', () => {
    gateway(1)
    hand(pages)
    expect(handed(say('relayed'))).toEqual([])
    expect(handed(hear(near(0), { type: 'claim', item: item('eu'), pages }))).toEqual([])
  })

  it('another manifest than the release names goes nowhere', () => {
    say('relayed')
    const message = { type: 'announce', item: item('eu'), pages: pagesOf(another) } as const
    expect(handed(hear(near(1), message))).toEqual([])
  })

  it('nor does that of a release which was not verified', () => {
    bench.journey.onHear = () => ({ verdict: 'reject', id, known: false })
    hear(far(0), { type: 'announce', item: item('us'), pages })
    expect(handed(hear(far(0), { type: 'announce', item: item('us'), bytes }))).toEqual([])
  })
})

describe('a message with pages', () => {
  const held = (): number => pages.filter((page) => bench.journey.page(sha256(page)) !== undefined).length

  it.each([
    ['a gateway of the region', () => near(1), 'claim', 1],
    ['a gateway of another region, which claims nothing here', () => far(0), 'claim', 0],
    ['a peer that is no gateway', () => peer('nobody'), 'announce', 0],
    ['a stranger', () => peer('stranger'), 'announce', 0],
  ] as const)('from %s', (_who, from, type, pagesHeld) => {
    bench.link(peer('nobody'))
    hear(from(), { type, item: item('eu'), pages })
    expect(held()).toBe(pagesHeld)
  })

  it('counts against what a peer may send', () => {
    for (let n = 0; n < LIMITS.bridgeBurst; n += 1) hear(near(1), { type: 'have', items: [item('eu')] })
    hear(near(1), { type: 'claim', item: item('eu'), pages })
    expect(held()).toBe(0)
  })
})

const SILENT = { failed: () => {}, isAwaited: () => true, lacks: () => {}, ended: () => {} }

describe('pages that nobody asked for', () => {
  const releaseOf = ({ envelope }: Made): Release => {
    const read = readRelease(envelope, LIMITS)
    if (read.kind !== 'read') throw new Error('not readable')
    return read.release
  }

  it('are all there, or count for none', () => {
    const book = new Handed(LIMITS)
    book.take(pagesOf(another))
    expect(book.of(releaseOf(one))).toEqual([])
    book.take(pages)
    expect(book.of(releaseOf(one))).toEqual(pages)
    const { header } = releaseOf(one)
    const longer = {
      ...releaseOf(one),
      header: { ...header, pages: [...header.pages, ...another.header.pages] },
    }
    expect(new Handed(LIMITS).of(longer)).toEqual([])
    const part = new Handed(LIMITS)
    part.take(pages)
    expect(part.of(longer)).toEqual([])
  })

  it('too much at once is left out, and of many the oldest go', () => {
    const tight = new Handed(limitsOf({ maxHandedBytes: (pages[0]?.length ?? 0) - 1 }))
    tight.take(pages)
    expect(pages.map((page) => tight.page(sha256(page)))).toEqual(pages.map(() => undefined))
    const book = new Handed(LIMITS)
    book.take(pages)
    for (let at = 1; at < MAX_PAGES; at += 1) book.take([Uint8Array.of(at)])
    expect(book.of(releaseOf(one))).toEqual(pages)
    book.take([Uint8Array.of(MAX_PAGES)])
    expect(book.of(releaseOf(one))).toEqual([])
  })

  it('that others may not take are not handed on, whatever this node takes', () => {
    const long = [new Uint8Array(LIMITS.maxHandedBytes).fill(1), Uint8Array.of(2)]
    const book = new Handed(limitsOf({ maxHandedBytes: 4 * LIMITS.maxHandedBytes }))
    book.take(long)
    const { header } = releaseOf(one)
    const named = (some: readonly Uint8Array[]) =>
      book.of({ ...releaseOf(one), header: { ...header, pages: some.map((page) => sha256(page)) } })
    expect(named(long)).toEqual([])
    expect(named(long.slice(0, 1))).toEqual(long.slice(0, 1))
  })

  it('are known by their digest, whatever they are as long as', () => {
    const book = new Handed(LIMITS)
    const page = pages[0] as Uint8Array
    const forged = page.map((byte, at) => (at === page.length - 1 ? byte ^ 1 : byte))
    book.take([forged])
    expect(book.of(releaseOf(one))).toEqual([])
    book.take(pages)
    book.take([forged])
    expect(book.of(releaseOf(one))).toEqual(pages)
  })

  it('of a message of too many only the first are looked at', () => {
    const book = new Handed(LIMITS)
    const many = Array.from({ length: MAX_PAGES + 4 }, (_, at) => Uint8Array.of(at))
    book.take(many)
    expect(many.map((page) => book.page(sha256(page)) !== undefined)).toEqual(
      many.map((_, at) => at < MAX_PAGES),
    )
  })

  it('and named by no release under way are neither written nor asked for', () => {
    bench.link(peer('one'))
    const { journey } = bench
    journey.envelopes.set(one.id, one.envelope)
    const fetch = new Fetch(bench.config, SILENT)
    bench.run((step) => fetch.start(step, journey, releaseOf(one)))
    const effects = bench.run((step) => fetch.hand(step, journey, pagesOf(another)))
    expect(effects.filter(({ kind }) => kind === 'persist' || kind === 'request')).toEqual([])
    // Nor is what was written before.
    const hand = () => bench.run((step) => fetch.hand(step, journey, pages))
    expect(hand().filter(({ kind }) => kind === 'persist')).toHaveLength(pages.length)
    for (const page of pages) bench.run((step) => fetch.onBlock(step, journey, sha256(page)))
    expect(hand().filter(({ kind }) => kind === 'persist')).toEqual([])
  })

  it.each(['before', 'after'])('spare a fetch the question for them: %s it begins', (when) => {
    bench.link(peer('one'))
    const { journey } = bench
    journey.envelopes.set(one.id, one.envelope)
    const fetch = new Fetch(bench.config, SILENT)
    const start = () => bench.run((step) => fetch.start(step, journey, releaseOf(one)))
    const take = () => bench.run((step) => fetch.hand(step, journey, pages))
    const effects = when === 'before' ? [...take(), ...start()] : [...start(), ...take()]
    const written = effects.flatMap((effect) => (effect.kind === 'persist' ? effect.writes : []))
    expect(written.map((write) => write.kind === 'block' && write.digest)).toEqual(one.header.pages)
    // And it knows its blocks.
    expect(fetch.progress(one.id)?.blocks).toBeGreaterThan(1)
    const wants = asked(effects).filter(({ request }) => request.message.type === 'want')
    if (when === 'before') expect(wants).toEqual([])
  })
})
