/** What a node cannot take, or finds at its start: what it says, to whom, and what it does all the same. */
import { describe, expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeControlGossip, encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { verdictOf } from '../../../src/core/announce.ts'
import { createBridge } from '../../../src/core/bridge.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Heard } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, FleetId } from '../../../src/model/ids.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import {
  CHANNEL,
  coreConfig,
  floorOf,
  gossip,
  inNewerFormat,
  make,
  NO_GATEWAYS,
  PEER,
  PUBLISHER_KEYS,
  ROOT,
  record,
  rootBytes,
  SELF,
  WALL_MS,
  withLimits,
} from './fleet.ts'

const DAY_MS = 24 * 3_600_000
const notes = (effects: readonly Effect[]) => ofKind(effects, 'note').map(({ code }) => code)
const verdicts = (effects: readonly Effect[]) => ofKind(effects, 'verdict').map(({ verdict }) => verdict)
const started = (change: ConstructorParameters<typeof BenchNode>[0] = {}) => {
  const node = new BenchNode(change)
  node.start()
  return node
}

describe('a release of a newer format', () => {
  const newer = (signer = PUBLISHER_KEYS.alice, fleet: FleetId = ROOT.fleetId) => ({
    envelope: inNewerFormat(make({ clock: { alice: 1 }, header: { fleet } }), signer),
  })

  it('is relayed by nobody, and said where this fleet’s publisher signed it: an upgrade is due', () => {
    const effects = started().handle(gossip(newer(), [Uint8Array.of(1)]))
    expect(verdicts(effects)).toEqual(['ignore'])
    expect(notes(effects)).toEqual(['CODEC_UNSUPPORTED'])
  })

  it('is laid to nobody who brings it over a border, as far as this fleet’s publisher signed it', () => {
    const of = (made: { readonly envelope: Uint8Array }) => {
      const bytes = encodeReleaseGossip({ envelope: made.envelope, attached: [] })
      const heard: Heard[] = []
      started().inside((step, journey) => void heard.push(journey.hear(step, 'releases', bytes, PEER)))
      return heard
    }
    const [signed] = of(newer())
    expect(signed).toMatchObject({ verdict: 'ignore', id: expect.any(String), notNow: true, blameless: true })
    for (const made of [
      newer(generatePrivateKey('ed25519').key),
      newer(undefined, 'e'.repeat(64) as FleetId),
    ]) {
      const [heard] = of(made)
      expect(heard).toMatchObject({ verdict: 'ignore', id: undefined })
      expect([heard?.notNow, heard?.blameless]).not.toContain(true)
    }
  })

  it('is not said where anybody else may have made it up', () => {
    for (const made of [
      newer(generatePrivateKey('ed25519').key),
      newer(undefined, 'e'.repeat(64) as FleetId),
    ]) {
      const effects = started().handle(gossip(made))
      expect(verdicts(effects)).toEqual(['ignore'])
      expect(notes(effects)).toEqual([])
    }
  })
})

it('a heartbeat and a beacon may wait for neighbours who have them: only a root is urgent', () => {
  const gateways = { ...NO_GATEWAYS, onControl: () => 'accept' as const }
  const node = new BenchNode({}, { gateways })
  node.start()
  for (const kind of ['heartbeat', 'beacon'] as const) {
    const bytes = encodeControlGossip({ kind, envelope: new Uint8Array(4) })
    const effects = node.handle({ kind: 'gossip', topic: 'control', from: PEER, id: kind, bytes })
    expect(ofKind(effects, 'verdict')).toEqual([
      { kind: 'verdict', id: kind, from: PEER, topic: 'control', verdict: 'accept' },
    ])
  }
})

it.each([
  ['format', { v: 2, type: 'beacon' }],
  ['kind', { v: 1, type: 'news' }],
])('a message of a newer control %s is relayed by nobody, a gateway between regions included', (_, said) => {
  const gateways = { ...NO_GATEWAYS, of: () => [SELF], regions: () => ['here', 'there'] }
  const node = new BenchNode({}, { gateways, bridge: createBridge(coreConfig()) })
  node.start()
  const bytes = encode({ ...said, envelope: new Uint8Array(4) })
  const effects = node.handle({ kind: 'gossip', topic: 'control', from: PEER, id: 'm', bytes })
  expect([verdicts(effects), notes(effects)]).toEqual([['ignore'], ['CODEC_UNSUPPORTED']])
  // Nor is it the fault of whoever brings it over a border, or asked of the next.
  node.inside((step, journey) => {
    const heard = journey.hear(step, 'control', bytes, PEER)
    expect(heard).toEqual({
      verdict: 'ignore',
      id: sha256(bytes),
      known: false,
      notNow: true,
      blameless: true,
    })
  })
})

describe('more than a node takes', () => {
  const made = (counter: number) => make({ clock: { alice: counter } })

  it('of signatures in a second is ignored, and taken later', () => {
    const most = LIMITS.maxSignatures
    const node = started({ limits: withLimits({ verifiesBurst: most, verifiesPerSecond: 1 }) })
    for (let counter = 1; counter <= most; counter += 1)
      expect(verdicts(node.handle(gossip(made(counter))))).toEqual(['accept'])
    const effects = node.handle(gossip(made(most + 1)))
    expect([verdicts(effects), notes(effects)]).toEqual([['ignore'], ['LIMIT_RATE']])
    // All are of one publisher, which has half of a second.
    node.monoMs = 2_000
    expect(verdicts(node.handle(gossip(made(most + 1))))).toEqual(['accept'])
  })

  it('of signatures is laid to whoever used up its own part, and not to whom others left none', () => {
    const bytes = (counter: number) => encodeReleaseGossip({ envelope: made(counter).envelope, attached: [] })
    const blameless = (verifiesBurst: number, counters: readonly number[]) => {
      const node = started({ limits: withLimits({ verifiesBurst, verifiesPerSecond: 0 }) })
      let last: Heard | undefined
      for (const counter of counters)
        node.inside((step, journey) => {
          last = journey.hear(step, 'releases', bytes(counter), PEER)
        })
      expect(last).toMatchObject({ verdict: 'ignore', id: undefined, known: false })
      return last?.blameless
    }
    const most = LIMITS.maxSignatures
    const oneTooMany = Array.from({ length: most + 1 }, (_, at) => at + 1)
    expect(blameless(most, oneTooMany)).toBe(true)
    const again = Array.from({ length: most }, () => 1)
    expect(blameless(8 * most, [1, ...again, 2])).toBe(false)
  })

  it('of bytes in a message is ignored, not rejected: another build may allow more', () => {
    for (const topic of ['releases', 'control'] as const) {
      const most = topic === 'releases' ? LIMITS.maxReleasesGossipBytes : LIMITS.maxControlGossipBytes
      const event: Event = { kind: 'gossip', topic, from: PEER, id: 'm', bytes: new Uint8Array(most + 1) }
      const effects = started().handle(event)
      expect([verdicts(effects), notes(effects)]).toEqual([['ignore'], ['LIMIT_BYTES']])
    }
  })

  it.each([
    ['maxPages', 1, { pages: ['0'.repeat(64), '1'.repeat(64)] as Digest[] }],
    ['maxMessageBytes', 4, { message: 'hello' }],
    ['maxClockEntries', 1, {}],
  ] as const)('of %s in a release is ignored just so', (name, most, header) => {
    const release = make({ clock: { alice: 2, bob: 1 }, header })
    const effects = started({ limits: withLimits({ [name]: most }) }).handle(gossip(release))
    expect([verdicts(effects), notes(effects)]).toEqual([['ignore'], ['LIMIT_CONTENT']])
  })

  it('of pages in a release is laid to nobody who brings it over a border, where this fleet’s publisher signed it', () => {
    const pages = ['0'.repeat(64), '1'.repeat(64)] as Digest[]
    const node = started({ limits: withLimits({ maxPages: 1 }) })
    const hear = (header: Parameters<typeof make>[0]['header'], forge = false) => {
      const { envelope, id } = make({ clock: { alice: 1 }, header: { pages, ...header } })
      const { payload } = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
      const forged = signEnvelope('release', payload, [generatePrivateKey('ed25519').key])
      const bytes = encodeReleaseGossip({ envelope: forge ? encodeEnvelope(forged) : envelope, attached: [] })
      let heard: Heard | undefined
      node.inside((step, journey) => {
        heard = journey.hear(step, 'releases', bytes, PEER)
      })
      return { ...heard, isNamed: heard?.id === id }
    }
    expect(hear({})).toMatchObject({ verdict: 'ignore', isNamed: true, notNow: true, blameless: true })
    // Anybody may make such a thing up, under the name of another to keep that out.
    for (const made of [hear({}, true), hear({ fleet: 'e'.repeat(64) as FleetId })])
      expect(made).toMatchObject({ verdict: 'ignore', id: undefined, notNow: false, blameless: false })
  })

  it('of messages on the control topic is ignored before it is read', () => {
    const node = started({ limits: withLimits({ gossipBurst: 1, gossipPerSecond: 0 }) })
    const bytes = encodeControlGossip({ kind: 'root', envelope: rootBytes(ROOT) })
    const event: Event = { kind: 'gossip', topic: 'control', from: PEER, id: 'm', bytes }
    expect(notes(node.handle(event))).toEqual(['TRUST_ROOT_OLD'])
    expect(notes(node.handle(event))).toEqual(['LIMIT_RATE'])
  })
})

it('only what the message alone, or the root it names, proves wrong is rejected', () => {
  const of = (verdict: Parameters<typeof verdictOf>[0]['verdict'], provable: boolean, relayable: boolean) =>
    verdictOf({ verdict, provable, relayable })
  expect([of('NEW', false, true), of('NEW', false, false)]).toEqual(['accept', 'ignore'])
  expect([of('UNAUTHORISED', true, false), of('UNAUTHORISED', false, false)]).toEqual(['reject', 'ignore'])
  expect([of('DUPLICATE', false, true), of('STALE', false, true)]).toEqual(['ignore', 'ignore'])
  const fills = { verdict: 'DUPLICATE', provable: false, fills: true } as const
  expect(verdictOf({ ...fills, relayable: true })).toBe('accept')
  expect(verdictOf({ ...fills, relayable: false })).toBe('ignore')
  expect([of('MISPLACED', false, false), of('STALE', false, false)]).toEqual(['reject', 'ignore'])
})

it('a peer that misbehaves is hung up on; one of another build, which was answered so, is not', () => {
  const node = started()
  const event = (code: 'CODEC_MALFORMED' | 'CODEC_UNSUPPORTED'): Event =>
    ({ kind: 'misbehaved', peer: PEER, code }) as Event
  expect(node.run(event('CODEC_MALFORMED'))).toEqual([
    { kind: 'hangUp', peer: PEER, code: 'CODEC_MALFORMED' },
  ])
  expect(node.run(event('CODEC_UNSUPPORTED'))).toEqual([])
})

it('a release of a root that is not here, by whatever way, has its sender asked for that root', () => {
  const node = started()
  const ahead = make({ clock: { alice: 1 }, header: { root: 9 } })
  node.inside((step, journey) => journey.ingest(step, ahead.envelope, { via: 'sync', peer: PEER }))
  expect(node.heard).toEqual([`ahead ${PEER}`])
})

it('the root’s end is said in time, once a day, and when it has come', () => {
  const node = new BenchNode()
  const said: (readonly [day: number, code: string])[] = []
  const look = (day: number, effects: readonly Effect[]) => {
    for (const code of notes(effects)) if (/ROOT/.test(code)) said.push([day, code])
  }
  const first = (ROOT.expires - WALL_MS - LIMITS.expiryWarnMs) / DAY_MS
  node.wallMs = WALL_MS + (first - 1) * DAY_MS
  look(0, node.start())
  const days = LIMITS.expiryWarnMs / DAY_MS + 2
  for (let hour = 1; hour <= days * 24; hour += 1) {
    node.monoMs = hour * 3_600_000
    node.wallMs += 3_600_000
    look(Math.floor(hour / 24), node.handle({ kind: 'tick' }))
  }
  expect(said).toEqual(
    Array.from({ length: days }, (_, at) => [at + 1, at + 2 < days ? 'ROOT_EXPIRES' : 'TRUST_ROOT_EXPIRED']),
  )
})

describe('what a start finds', () => {
  const made = make({ clock: { alice: 1 } })
  const kept = { release: made.id, channel: CHANNEL, bytes: made.envelope }
  const rewritten = [{ kind: 'floor', floor: floorOf(made) }, { kind: 'channel' }]

  it('damaged or of another fleet is said, and counts for nothing', () => {
    const node = new BenchNode()
    const foreign = { ...floorOf(made), fleet: 'e'.repeat(64) as FleetId }
    const effects = node.start({ corrupt: 3, floors: [foreign], floorLost: false })
    expect(notes(effects)).toEqual(['STORE_CORRUPT', 'STORE_FLOOR_LOST'])
    expect(node.view().channels).toEqual([])
  })

  it('of a floor in one place is written again, to be in both', () => {
    const effects = new BenchNode().start({ floors: [floorOf(made)], envelopes: [kept] })
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: rewritten }])
  })

  it('of a channel whose floor is lost takes its floor from what was accepted', () => {
    const effects = new BenchNode().start({ channels: [record([made.id])] as never, envelopes: [kept] })
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: rewritten }])
  })

  it('of a channel of which only that is left, too', () => {
    const node = new BenchNode()
    const effects = node.start({ envelopes: [kept], whole: [made.id] })
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: rewritten }])
    expect(ofKind(node.persist(effects), 'activate')).toMatchObject([{ release: made.id }])
  })

  it('of releases beyond the limits of now is said once, with the first and their number', () => {
    const large = [1, 2].map((counter) => make({ clock: { alice: counter }, also: 'b=1\n' }))
    const node = new BenchNode({ limits: withLimits({ maxFiles: 1 }) })
    const envelopes = large.map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope }))
    const effects = node.start({ floors: large.map((each) => floorOf(each)), envelopes })
    expect(ofKind(effects, 'note')).toMatchObject([
      {
        level: 'warn',
        code: 'LIMIT_CONTENT',
        release: large[0]?.id,
        text: expect.stringMatching(/^2 releases /),
      },
    ])
  })

  it('in an envelope’s place that is another release’s, or no release, is not taken for it', () => {
    const other = make({ clock: { alice: 9 } })
    const node = new BenchNode()
    const effects = node.start({
      floors: [floorOf(made), floorOf(made)],
      envelopes: [
        { ...kept, bytes: other.envelope },
        { ...kept, release: other.id, bytes: Uint8Array.of(1) },
      ],
    })
    expect(notes(effects)).toEqual(['STORE_CORRUPT'])
    node.inside((_step, journey) => {
      expect(journey.envelope(made.id)).toBeUndefined()
      expect(journey.envelope(other.id)).toBeUndefined()
    })
    expect(node.view().channels[0]).toMatchObject({ target: made.id, gate: 'content' })
  })
})
