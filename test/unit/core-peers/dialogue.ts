/** Two nodes that only sync: real messages over real bytes, a toy order (greatest counter wins), no other stage. */
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../../src/codec/messages.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { ChannelFacts, Ingested } from '../../../src/core/journey.ts'
import type { BeaconBook } from '../../../src/core/sync/peer.ts'
import { createSync, type Sync } from '../../../src/core/sync.ts'
import type { Limits } from '../../../src/limits.ts'
import type { Channel, FleetId, KeyId, Name, Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest, BeaconMark } from '../../../src/model/messages.ts'
import type { Release } from '../../../src/model/release.ts'
import { Bench, hex, limitsOf } from './fakes.ts'

export const NO_BEACONS: BeaconBook = {
  marks: () => [],
  newerThan: () => [],
  take: () => undefined,
  takeDiffers: () => false,
  lacks: () => false,
}

/** A signed beacon of 10,000 channels: 64 pages. */
const BEACON_BYTES = 2_479

/** Beacons of three seeds, of this moment. */
export function threeBeacons(at: number): BeaconBook {
  const marks = new Map<KeyId, BeaconMark>()
  for (const digit of '123') marks.set(hex(digit) as KeyId, { key: hex(digit) as KeyId, at })
  return {
    ...NO_BEACONS,
    marks: () => [...marks.values()],
    newerThan: (have) =>
      [...marks.values()]
        .filter(({ key, at: own }) => !have.some((mark) => mark.key === key && mark.at >= own))
        .map((mark) => utf8.encode(JSON.stringify(mark).padEnd(BEACON_BYTES))),
    take: (_step, _journey, envelope) => {
      const mark: BeaconMark = JSON.parse(new TextDecoder().decode(envelope))
      marks.set(mark.key, mark)
    },
  }
}

const utf8 = new TextEncoder()
const PUBLISHER = 'ops' as Name

export interface Toy {
  readonly channel: Channel
  readonly counter: number
  readonly text?: string
}

/** The bytes that stand for a signed release, as long as a real envelope. */
export const envelopeOf = (toy: Toy): Uint8Array => utf8.encode(JSON.stringify(toy).padEnd(1_500))
const toyOf = (bytes: Uint8Array): Toy => JSON.parse(new TextDecoder().decode(bytes))
export const idOf = (toy: Toy): ReleaseId => sha256(envelopeOf(toy)) as string as ReleaseId

/** Made once for all nodes of a test file: ten thousand of them are signed nowhere, but hashed. */
const made = new Map<string, { readonly release: Release; readonly envelope: Uint8Array }>()

function madeOf(toy: Toy) {
  const key = JSON.stringify(toy)
  const known = made.get(key) ?? { release: releaseOf(toy), envelope: envelopeOf(toy) }
  made.set(key, known)
  return known
}

const releaseOf = (toy: Toy): Release => ({
  id: idOf(toy),
  counter: toy.counter,
  header: {
    v: 1,
    critical: [],
    fleet: hex('f') as FleetId,
    channel: toy.channel,
    root: 1,
    publisher: PUBLISHER,
    clock: new Map([[PUBLISHER, toy.counter]]),
    pages: [],
    files: 0,
    bytes: 0,
    message: '',
    created: 0,
  },
})

export class ToyNode {
  readonly bench: Bench
  readonly sync: Sync
  readonly id: PeerId
  readonly patterns: readonly Pattern[]
  /** It is a seed, as its peers see it. */
  submit = false
  /** Releases that it took in. */
  news = 0

  constructor(
    id: string,
    patterns: readonly string[] = ['**'],
    limits: Partial<Limits> = {},
    beacons: BeaconBook = NO_BEACONS,
  ) {
    this.id = id as PeerId
    this.patterns = patterns as readonly Pattern[]
    this.bench = new Bench({ self: this.id, patterns: this.patterns, limits: limitsOf(limits) })
    this.sync = createSync(this.bench.config, beacons)
    this.bench.journey.askAhead = (step, peer) => this.sync.onAhead(step, this.bench.journey, peer)
    this.bench.journey.onIngest = (envelope) => this.order(toyOf(envelope))
  }

  order(toy: Toy, durable = true): Ingested {
    const answer = this.orderSilently(toy, durable)
    const { verdict } = answer
    if (verdict === 'NEW' || verdict === 'TWIN') {
      this.news += 1
      const source = { via: 'gossip', peer: undefined } as const
      const ordered = { ...madeOf(toy), verdict, stored: true, source } as const
      this.bench.run((step, journey) => this.sync.onOrdered(step, journey, ordered))
    }
    return answer
  }

  /** As `order`, but the stage is not told. */
  orderSilently(toy: Toy, durable = true): Ingested {
    const { facts, envelopes } = this.bench.journey
    const { release, envelope } = madeOf(toy)
    const before = facts.get(toy.channel)
    const top = { epoch: 1, counter: toy.counter, publisher: PUBLISHER }
    const answer = (verdict: Ingested['verdict']): Ingested => ({
      verdict,
      release,
      provable: false,
      relayable: true,
    })
    if (before !== undefined && before.floor.top.counter > toy.counter) return answer('STALE')
    if (before?.floor.ids.includes(release.id)) return answer('DUPLICATE')
    const twin = before !== undefined && before.floor.top.counter === toy.counter
    const ids = twin ? [...before.floor.ids, release.id].sort() : [release.id]
    if (ids.length > 2) return answer('TWIN_KNOWN')
    envelopes.set(release.id, envelope)
    const next: ChannelFacts = {
      channel: toy.channel,
      stored: true,
      floor: { fleet: hex('f') as FleetId, channel: toy.channel, top, ids },
      epoch: 1,
      held: ids.length === 2,
      target: ids.length === 1 ? release.id : undefined,
      heads: [release],
      active: undefined,
      durable,
    }
    facts.set(toy.channel, next)
    return answer(twin ? 'TWIN' : 'NEW')
  }

  /** What two nodes must agree on. */
  seen(): string[] {
    return [...this.bench.journey.facts.values()]
      .map(({ channel, floor }) => `${channel} ${floor.top.counter} ${floor.ids.join(' ')}`)
      .sort()
  }
}

export interface Talk {
  /** Bytes of requests and replies, envelopes and beacons inside not counted. */
  digestBytes: number
  beaconBytes: number
  requests: string[]
  envelopes: number
  /** Round trips, from the first word on, until the last envelope that was news. */
  trips: number
  largest: number
  /** Bytes of each run of replies, in order: all replies to one request. */
  runs: number[]
}

const FIRST_ID = 10_000

/** Carries every request over and every reply back until nobody says anything. */
export function talk(from: ToyNode, to: ToyNode, effects: readonly Effect[]): Talk {
  const said: Talk = {
    ...{ digestBytes: 0, beaconBytes: 0, envelopes: 0, trips: 0, largest: 0 },
    ...{ requests: [], runs: [] },
  }
  const queue = effects.map((effect) => ({ effect, by: from, other: to, way: 1 }))
  const askers = new Map<string, number>()
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { effect, by, other, way } = next
    const { news } = other
    let more: Effect[] = []
    if (effect.kind === 'request') {
      const request = count(said, effect.request, by)
      const id = said.requests.length + FIRST_ID
      askers.set(`${other.id} ${id}`, effect.id)
      more = other.bench.run((step, journey) => {
        other.sync.onRequest(step, journey, { kind: 'request', id, peer: by.id, request })
      })
    } else if (effect.kind === 'reply') {
      const reply = countReply(said, effect.reply, by, effect.id)
      const id = askers.get(`${by.id} ${effect.id}`) ?? 0
      more = other.bench.run((step, journey) => {
        other.sync.onReply(step, journey, id, reply)
      })
    }
    if (other.news > news) said.trips = way / 2
    queue.push(...more.map((made) => ({ effect: made, by: other, other: by, way: way + 1 })))
  }
  return said
}

function count(said: Talk, { protocol, message }: AnyRequest, { bench }: ToyNode): AnyRequest {
  said.requests.push(message.type)
  const bytes = encodeRequest(protocol, message)
  weigh(said, bytes, 'envelopes' in message ? message.envelopes : [])
  return decodeRequest(protocol, bytes, bench.config.limits)
}

function countReply(said: Talk, { protocol, message }: AnyReply, { bench }: ToyNode, id: number): AnyReply {
  const bytes = encodeReply(protocol, message)
  const request = id - FIRST_ID - 1
  said.runs[request] = (said.runs[request] ?? 0) + bytes.length
  const beacons = message.type === 'beacons' ? lengthOf(message.beacons) : 0
  said.beaconBytes += beacons
  said.digestBytes -= beacons
  weigh(said, bytes, 'envelopes' in message ? message.envelopes : [])
  return decodeReply(protocol, bytes, bench.config.limits)
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)

function weigh(said: Talk, bytes: Uint8Array, envelopes: readonly Uint8Array[]): void {
  said.digestBytes += bytes.length - lengthOf(envelopes)
  said.envelopes += envelopes.length
  said.largest = Math.max(said.largest, bytes.length)
}

/** Admits both to each other; the dialler's comparison begins at once. */
export function join(dialler: ToyNode, listener: ToyNode): Talk {
  const effects = meet(dialler, listener, 'outbound')
  meet(listener, dialler, 'inbound')
  return talk(dialler, listener, effects)
}

function meet(one: ToyNode, other: ToyNode, direction: 'inbound' | 'outbound'): Effect[] {
  one.bench.link(other.id, { direction }, { patterns: other.patterns, submit: other.submit })
  return one.bench.run((step, journey) => one.sync.onAdmitted(step, journey, other.id))
}

/** One more comparison after so long. */
export function later(from: ToyNode, to: ToyNode, ms = 6_000): Talk {
  for (const node of [from, to]) node.bench.pass(ms)
  return talk(
    from,
    to,
    from.bench.run((step, journey) => from.sync.onTick(step, journey)),
  )
}
