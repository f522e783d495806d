import { beforeEach, describe, expect, it } from 'vitest'
import { decodeBeacon, decodeBeaconPage } from '../../../src/codec/beacon.ts'
import { channelHash } from '../../../src/codec/digest.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, FleetId, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import {
  beaconOf,
  CHANNEL,
  EVERY_MS,
  entryAt,
  factsAt,
  KEYS,
  Listener,
  MAX_AGE_MS,
  rootWith,
  SEED,
} from './beacons.ts'
import { acts, asked, codes, hex, limitsOf, peer } from './fakes.ts'

const [KEY, OTHER] = KEYS
const [ONE = hex('1') as string as ReleaseId] = factsAt(1).floor.ids

let node: Listener
beforeEach(() => {
  node = new Listener(rootWith(KEYS))
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
})

const wall = () => node.bench.now.wallMs
const verdictOf = (envelope: Uint8Array) => {
  let verdict: string | undefined
  node.bench.run((step, journey) => {
    verdict = node.freshness.onControl(step, journey, 'beacon', envelope, SEED)
  })
  return verdict
}

describe('a beacon off the topic', () => {
  it('is written down, and its page asked for, when it is news', () => {
    const said = beaconOf(KEY, wall(), [entryAt(1)])
    const effects = node.hear(said)
    const writes = [{ kind: 'beacon', key: KEY.id, at: wall(), envelope: said.envelope }]
    expect(acts(effects)).toEqual([{ kind: 'persist', ticket: 1, writes, sync: false }])
    const [want] = asked(node.pass(3_000))
    expect(want).toMatchObject({ peer: SEED, request: { message: { type: 'want', digest: said.digest } } })
    expect(node.freshness.page(said.digest)).toEqual(said.page)
    expect(node.state()).toBe('fresh')
  })

  it('by sync from another region is said on the own topic, once; from the own region it is not', () => {
    const [far, near] = [peer('far'), peer('near')]
    node.bench.link(far, {}, { region: 'us' })
    node.bench.link(near, {}, { region: 'eu' })
    const take = (envelope: Uint8Array, from: typeof far) =>
      node.bench
        .run((step, journey) => node.freshness.take(step, journey, envelope, from))
        .flatMap((effect) => (effect.kind === 'publish' ? [decodeControlGossip(effect.bytes, LIMITS)] : []))
    const { envelope } = beaconOf(KEY, wall(), [])
    expect(take(envelope, far)).toEqual([{ kind: 'beacon', envelope }])
    expect(take(envelope, far)).toEqual([])
    expect(take(beaconOf(KEY, wall() + 1, []).envelope, near)).toEqual([])
  })

  it('is relayed once, ignored when it is old, rejected only for what it proves', () => {
    const said = beaconOf(KEY, wall(), [])
    expect(verdictOf(said.envelope)).toBe('accept')
    expect(verdictOf(said.envelope)).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall() - 1, []).envelope)).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall() + 1, [], { critical: ['later'] }).envelope)).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall() + 1, [], { fleet: hex('e') as FleetId }).envelope)).toBe('reject')
    expect(verdictOf(beaconOf(KEY, wall() + 1, [], { key: OTHER.id }).envelope)).toBe('reject')
    expect(verdictOf(new Uint8Array([0xa0]))).toBe('reject')
  })

  it('by a key that only a newer root may list is ignored; who brought it is asked for the root, and nobody else', () => {
    node.bench.journey.current = rootWith([OTHER])
    expect(verdictOf(beaconOf(KEY, wall(), [], { root: 2 }).envelope)).toBe('ignore')
    expect(node.bench.journey.ahead).toEqual([SEED])
    expect([node.freshness.takeDiffers(), node.lacks()]).toEqual([false, false])
    expect(verdictOf(beaconOf(KEY, wall(), []).envelope)).toBe('reject')
  })

  it('by a key that another valid root of the version may list is ignored: its relay has done nothing wrong', () => {
    node.bench.journey.current = rootWith([OTHER])
    node.bench.journey.rootIsCertain = false
    expect(verdictOf(beaconOf(KEY, wall(), []).envelope)).toBe('ignore')
    expect(verdictOf(beaconOf(OTHER, wall(), []).envelope)).toBe('accept')
  })
})

describe('pages', () => {
  it('are fetched only when changed, from a neighbour first', () => {
    node.bench.link(peer('neighbour'))
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    expect(asked(node.pass(3_000)).map((request) => request.peer)).toEqual(['neighbour'])
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    expect(asked(node.pass(3_000))).toEqual([])
  })

  it('are served while current and for two beacons more', () => {
    const first = beaconOf(KEY, wall(), [entryAt(1)])
    node.hear(first)
    for (let counter = 2; counter <= 4; counter += 1) {
      node.pass(EVERY_MS)
      expect(node.freshness.page(first.digest)).toBeDefined()
      node.hear(beaconOf(KEY, wall(), [entryAt(counter)]))
    }
    expect(node.freshness.page(first.digest)).toBeUndefined()
  })

  it('that do not match their digest are not taken', () => {
    const said = beaconOf(KEY, wall(), [entryAt(1)])
    node.hear(said)
    node.pages.set(said.digest, beaconOf(KEY, 1, [entryAt(9)]).page)
    expect(codes(node.pass(3_000))).toContain('BLOCK_DIGEST')
    expect(node.freshness.page(said.digest)).toBeUndefined()
  })
})

describe('pages that are not asked for', () => {
  const wanted = (effects: readonly Effect[]) =>
    asked(effects).map(({ request: { message } }) =>
      message.type === 'want' ? message.digest : message.type,
    )

  it('are those of channels that are not stored here', () => {
    node.bench.journey.facts.set(CHANNEL, { ...factsAt(1), stored: false })
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    expect(wanted(node.pass(3_000))).toEqual([])
    node.bench.run((step, journey) => {
      const release = { id: hex('9'), header: { channel: CHANNEL } } as never
      const ordered = { release, envelope: new Uint8Array(), verdict: 'NEW', stored: false } as const
      node.freshness.onOrdered(step, journey, { ...ordered, source: { via: 'gossip', peer: SEED } })
    })
    expect(node.freshness.takeDiffers()).toBe(false)
  })

  it('are those of a beacon that a newer one has replaced', () => {
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    const newer = beaconOf(KEY, wall() + 1, [entryAt(2)])
    node.hear(newer)
    expect(wanted(node.pass(3_000))).toEqual([newer.digest])
  })

  it('are those of a number that channels cannot be dealt to', () => {
    const digests = ['1', '2', '3'].map((digit) => hex(digit))
    node.hear(beaconOf(KEY, wall(), [], { pages: digests }))
    expect(wanted(node.pass(3_000))).toEqual([])
    expect(node.state()).toBe('unjudged')
  })

  it('are all, once those at hand take as much memory as they may', () => {
    node = new Listener(rootWith(KEYS), { limits: limitsOf({ maxBeaconPageBytes: LIMITS.maxBlockBytes }) })
    node.bench.journey.facts.set(CHANNEL, factsAt(1))
    node.start()
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    expect(wanted(node.pass(3_000))).toHaveLength(1)
    node.hear(beaconOf(KEY, wall(), [entryAt(2)]))
    expect(wanted(node.pass(3_000))).toEqual([])
  })
})

it('a node that stores everything learns of channels it has never heard of', () => {
  node = new Listener(rootWith(KEYS), { patterns: ['**' as Pattern] })
  node.start()
  node.hear(beaconOf(KEY, wall(), [entryAt(1, 'never/heard' as typeof CHANNEL)]))
  expect(node.freshness.takeDiffers()).toBe(false)
  node.pass(3_000)
  expect(node.freshness.takeDiffers()).toBe(true)
})

it('what is ordered ends what a beacon named, at once', () => {
  node.hear(beaconOf(KEY, wall(), [entryAt(2)]))
  node.pass(3_000 + LIMITS.beaconGraceMs + 6_000)
  expect(node.state()).toBe('behind')
  expect(node.lacks()).toBe(true)
  node.bench.journey.facts.set(CHANNEL, factsAt(2))
  expect(node.lacks()).toBe(false)
  node.bench.run((step, journey) => {
    const release = { id: hex('2'), header: { channel: CHANNEL } } as never
    const ordered = { release, envelope: new Uint8Array(), verdict: 'NEW', stored: true } as const
    node.freshness.onOrdered(step, journey, { ...ordered, source: { via: 'gossip', peer: SEED } })
  })
  expect(node.state()).toBe('fresh')
  // A later one has its own grace.
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  expect(node.state()).toBe('fresh')
})

it('without freshness keys nothing is judged and nothing said; of a channel unknown here neither', () => {
  node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
  node.pass(3_000)
  expect(node.state('no/such' as typeof CHANNEL)).toBe('unjudged')
  node = new Listener(rootWith([]))
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
  expect(codes(node.pass(2 * MAX_AGE_MS))).toEqual([])
  expect(node.state()).toBe('unjudged')
})

it('beacons that were kept count only as far as the root lets them', () => {
  const [good, foreign] = [
    beaconOf(KEY, wall(), []),
    beaconOf(OTHER, wall(), [], { fleet: hex('e') as FleetId }),
  ]
  node = new Listener(rootWith(KEYS))
  node.start([good.envelope, foreign.envelope])
  expect(node.freshness.marks()).toEqual([{ key: KEY.id, at: wall() }])
})

describe('BEHIND', () => {
  it('is said of a greater place after a grace, and taken back when it has come', () => {
    node.hear(beaconOf(KEY, wall(), [entryAt(2)]))
    node.pass(3_000)
    expect(node.freshness.takeDiffers()).toBe(true)
    expect(node.state()).toBe('fresh')
    const lines = codes(node.pass(LIMITS.beaconGraceMs + 6_000))
    expect(lines).toEqual(['SYNC_BEHIND'])
    expect(node.state()).toBe('behind')
    node.bench.journey.facts.set(CHANNEL, factsAt(2))
    expect(node.state()).toBe('fresh')
    expect(codes(node.pass(6_000))).toEqual(['CHANNEL_FRESH'])
  })

  it('is said of any key: one that lies low hides nothing', () => {
    node.hear(beaconOf(KEY, wall(), [entryAt(2)]))
    node.hear(beaconOf(OTHER, wall(), [entryAt(1)]))
    node.pass(3_000)
    node.pass(LIMITS.beaconGraceMs)
    expect(node.state()).toBe('behind')
  })

  it('is said of a greater root', () => {
    node.hear(beaconOf(KEY, wall(), [entryAt(1)], { root: 2 }))
    node.pass(LIMITS.beaconGraceMs + 1_000)
    expect(node.state()).toBe('behind')
  })

  it('is not said of a channel that no page lists', () => {
    node.hear(beaconOf(KEY, wall(), []))
    node.pass(LIMITS.beaconGraceMs)
    expect(node.state()).toBe('unjudged')
  })
})

describe('SILENT', () => {
  it('is said of a channel whose page cannot be had, though beacons advance', () => {
    for (let ms = 0; ms <= MAX_AGE_MS; ms += EVERY_MS) {
      node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
      node.pages.clear()
      node.pass(EVERY_MS)
    }
    expect(node.state()).toBe('silent')
  })

  it('counts from the start of the process, and what was heard before does not advance', () => {
    const old = beaconOf(KEY, wall(), [entryAt(1)])
    node = new Listener(rootWith(KEYS))
    node.bench.journey.facts.set(CHANNEL, factsAt(1))
    node.start([old.envelope])
    expect(node.state()).toBe('unjudged')
    for (let ms = 0; ms <= MAX_AGE_MS; ms += EVERY_MS) {
      expect(verdictOf(old.envelope)).toBe('ignore')
      node.pass(EVERY_MS)
    }
    expect(node.state()).toBe('silent')
  })

  it('ends with other freshness keys in a new root: a forged `at` does not outlive them', () => {
    node = new Listener(rootWith([KEY]))
    node.bench.journey.facts.set(CHANNEL, factsAt(1))
    node.start()
    node.hear(beaconOf(KEY, 250_000_000_000_000, [entryAt(1)]))
    node.pass(MAX_AGE_MS + EVERY_MS)
    expect(verdictOf(beaconOf(KEY, wall(), [entryAt(1)]).envelope)).toBe('ignore')
    expect(node.state()).toBe('silent')
    node.adopt(rootWith(KEYS, 2))
    node.hear(beaconOf(KEY, wall(), [entryAt(1)], { root: 2 }))
    node.pass(3_000)
    expect(node.state()).toBe('fresh')
  })
})

describe('CLOCK_OR_DELAY', () => {
  it('is said where every key that counts is far from the wall clock', () => {
    node.hear(beaconOf(KEY, wall() - MAX_AGE_MS - 70_000, [entryAt(1)]))
    node.pass(3_000)
    expect(node.state()).toBe('clock-or-delay')
    node.hear(beaconOf(OTHER, wall(), [entryAt(1)]))
    expect(node.state()).toBe('fresh')
  })

  it('leaves out a key far ahead of the others, and reports it', () => {
    node.hear(beaconOf(KEY, wall() - MAX_AGE_MS - 70_000, [entryAt(1)]))
    node.hear(beaconOf(OTHER, wall() + LIMITS.beaconAheadMs, [entryAt(1)]))
    const lines = codes(node.pass(6_000))
    expect(lines.filter((code) => code === 'SYNC_CLOCK_OR_DELAY')).toHaveLength(2)
    expect(node.state()).toBe('clock-or-delay')
  })

  it('leaves out a key far ahead of the others even where our own clock agrees with it', () => {
    node.hear(beaconOf(KEY, wall() - LIMITS.beaconAheadMs - 70_000, [entryAt(1)]))
    node.hear(beaconOf(OTHER, wall(), [entryAt(1)]))
    node.pass(3_000)
    expect(node.state()).toBe('clock-or-delay')
  })
})

describe('a seed', () => {
  const start = (): Effect[] => {
    node = new Listener(rootWith([KEY]), {
      patterns: ['**' as Pattern],
      submit: true,
      signBeacon: { key: KEY.id, sign: (data) => KEY.sign(data) },
    })
    node.bench.journey.facts.set(CHANNEL, factsAt(1))
    node.bench.journey.envelopes.set(ONE, new Uint8Array())
    return node.start()
  }
  const said = (effects: readonly Effect[]) =>
    effects.flatMap((effect) => {
      if (effect.kind !== 'publish') return []
      const { kind, envelope } = decodeControlGossip(effect.bytes, LIMITS)
      expect([effect.topic, kind]).toEqual(['control', 'beacon'])
      return decodeBeacon(decodeEnvelope(envelope, LIMITS.maxBeaconBytes, LIMITS).payload, LIMITS)
    })

  it('signs at once and every 20 s, and equal states make equal pages', () => {
    const [first] = said(start())
    expect(first).toMatchObject({
      root: 1,
      key: KEY.id,
      at: wall(),
      pages: [beaconOf(KEY, 1, [entryAt(1)]).digest],
    })
    const more = said(node.pass(2 * EVERY_MS))
    expect(more.map(({ pages }) => pages)).toEqual([first?.pages, first?.pages])
    expect(node.freshness.page(first?.pages[0] ?? hex('0'))).toBeDefined()
    expect(node.state()).toBe('fresh')
  })

  it('says what is on its disk, in as many pages as keep each short', () => {
    node = new Listener(rootWith([KEY]), {
      patterns: ['**' as Pattern],
      limits: limitsOf({ maxBeaconEntries: 8 }),
      submit: true,
      signBeacon: { key: KEY.id, sign: (data) => KEY.sign(data) },
    })
    const names = Array.from({ length: 30 }, (_, at) => `team/app-${at}` as typeof CHANNEL)
    for (const name of names) node.bench.journey.facts.set(name, factsAt(1, name))
    const [coming, bare, lost] = ['team/coming', 'team/bare', 'team/lost'] as [Channel, Channel, Channel]
    node.bench.journey.envelopes.set(ONE, new Uint8Array())
    // its floor is known, its release is not here
    node.bench.journey.facts.set(lost, factsAt(2, lost))
    node.bench.journey.facts.set(coming, { ...factsAt(1, coming), durable: false })
    const raised = factsAt(0, bare)
    node.bench.journey.facts.set(bare, { ...raised, floor: { ...raised.floor, ids: [] } })
    const [beacon] = said(node.start())
    const entries = (beacon?.pages ?? []).map((digest) =>
      decodeBeaconPage(node.freshness.page(digest) ?? new Uint8Array(), LIMITS),
    )
    expect(Math.log2(entries.length) % 1).toBe(0)
    expect(entries.length).toBeGreaterThanOrEqual(4)
    expect(entries.every((page) => page.length <= 8)).toBe(true)
    const named = new Map(entries.flat().map(({ channel, target }) => [channel as string, target]))
    expect(named.size).toBe(31)
    expect(named.get(channelHash(bare))).toBe('none')
    for (const channel of [coming, lost]) expect(named.has(channelHash(channel))).toBe(false)
  })

  it('advances though its clock was set back', () => {
    const [first] = said(start())
    node.bench.now = { ...node.bench.now, wallMs: wall() - 86_400_000 }
    const [second] = said(node.pass(EVERY_MS))
    expect(second?.at).toBe((first?.at ?? 0) + 1)
  })

  it('is silent while the root does not list its key', () => {
    start()
    node.bench.journey.current = rootWith([OTHER])
    expect(said(node.pass(2 * EVERY_MS))).toEqual([])
  })
})

it('gives sync the beacons that a peer lacks, as many as fit', () => {
  const said = KEYS.map((key) => beaconOf(key, wall(), []))
  for (const one of said) node.hear(one)
  expect(node.freshness.marks()).toEqual(KEYS.map(({ id }) => ({ key: id, at: wall() })))
  const size = said[0]?.envelope.length ?? 0
  expect(node.freshness.newerThan([], 10 * size)).toEqual(said.map(({ envelope }) => envelope))
  expect(node.freshness.newerThan([], size)).toHaveLength(1)
  expect(node.freshness.newerThan(node.freshness.marks(), 10 * size)).toEqual([])
})
