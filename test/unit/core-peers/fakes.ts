/** A node around one stage: the rest of it is plain data that a test sets. */

import type { CoreConfig } from '../../../src/core/config.ts'
import type { Effect, EffectOf } from '../../../src/core/effects.ts'
import type { EventOf, Now, Topic } from '../../../src/core/events.ts'
import { Handed } from '../../../src/core/fetch/handed.ts'
import type { ChannelFacts, Heard, Ingested, Journey, Source } from '../../../src/core/journey.ts'
import { type AdmittedSession, isAdmitted, type Session } from '../../../src/core/session.ts'
import type { Step } from '../../../src/core/step.ts'
import type { Code } from '../../../src/errors.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type {
  Address,
  Channel,
  Digest,
  FleetId,
  KeyId,
  Pattern,
  PeerId,
  ReleaseId,
} from '../../../src/model/ids.ts'
import type { AnyReply, AnyRequest, Hello } from '../../../src/model/messages.ts'
import type { Place } from '../../../src/model/place.ts'
import type { Release } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import type { Judge } from '../../../src/trust/admission.ts'
import type { Admission } from '../../../src/trust/certificates.ts'
import type { Adoption } from '../../../src/trust/chain.ts'

export const hex = (digit: string): Digest => digit.repeat(64).slice(0, 64) as Digest
export const peer = (name: string): PeerId => name as PeerId
export const addressOf = (id: PeerId, host = '192.0.2.1'): Address =>
  `/ip4/${host}/tcp/4001/p2p/${id}` as Address

export const rootOf = (version: number, more: Partial<TrustRoot> = {}): TrustRoot => ({
  v: 1,
  critical: [],
  fleetId: hex('f') as FleetId,
  version,
  expires: 4_000_000_000_000,
  keys: new Map(),
  root: { keys: [], threshold: 1 },
  publishers: new Map(),
  admission: { keys: [hex('a') as string as KeyId] },
  freshness: { keys: [], maxAgeS: 120, maxSkewS: 60 },
  epochs: [],
  removed: { peers: [], pools: [] },
  ...more,
})

/** The bytes that stand for a root in these tests: its version, and a tag where there are several. */
export const rootBytes = (version: number, tag = ''): Uint8Array =>
  new TextEncoder().encode(`root ${version}${tag}`)

export class FakeJourney implements Journey {
  readonly fleetId = hex('f') as FleetId
  current = rootOf(1)
  digest = hex('1')
  /** What `adoptRoot` says of bytes; by default the next version is adopted. */
  judge: (bytes: string) => Adoption['kind'] = () => 'adopted'
  readonly adopted: string[] = []
  readonly facts = new Map<Channel, ChannelFacts>()
  readonly envelopes = new Map<ReleaseId, Uint8Array>()
  readonly links = new Map<PeerId, Session>()
  onIngest: (envelope: Uint8Array, source: Source) => Ingested = () => ({
    verdict: 'STALE',
    provable: false,
    relayable: false,
  })

  root = () => this.current
  /** Those before the current one that are kept. */
  older: readonly TrustRoot[] = []
  roots = () => [...this.older, this.current]
  /** Where damage left a hole below the current root: the last version under it. */
  hole: number | undefined
  rootOnDisk = () => 'yes' as const
  lacksRootAfter = () => this.hole ?? this.current.version
  rootIsCertain = true
  isRootCertain = () => this.rootIsCertain
  rootDigest = () => this.digest
  rootEnvelope = (version: number) => (version <= this.current.version ? rootBytes(version) : undefined)
  adoptRoot = (_step: Step, envelope: Uint8Array): Adoption => {
    const text = new TextDecoder().decode(envelope)
    this.adopted.push(text)
    const kind = this.judge(text)
    if (kind !== 'adopted') return { kind, text: kind }
    this.current = { ...this.current, version: this.current.version + 1 }
    this.digest = hex(String(this.current.version))
    return { kind, root: this.current }
  }
  ingest = (_step: Step, envelope: Uint8Array, source: Source) => this.onIngest(envelope, source)
  ingestWhole = (): never => {
    throw new Error('not in these tests')
  }
  /** Peers that named a root which is not here. */
  readonly ahead: PeerId[] = []
  askAhead: Journey['askAhead'] = (_step, id) => void this.ahead.push(id)
  channels = () => this.facts.values()
  channel = (channel: Channel) => this.facts.get(channel)
  keptOut = () => undefined
  envelope = (release: ReleaseId) => this.envelopes.get(release)
  channelOf = () => undefined
  isWhole = () => false
  overLimit = () => undefined
  hasBlock = () => false
  readOnly: Code | undefined = undefined
  get takesNoBlocks() {
    return this.readOnly !== undefined
  }
  sessions = () => this.links.values()
  admitted = (): Iterable<AdmittedSession> => [...this.links.values()].filter(isAdmitted)
  session = (id: PeerId) => this.links.get(id)
  place = ({ counter, header }: Release): Place => ({ epoch: 1, counter, publisher: header.publisher })
  fetchFrom = () => true
  readonly stuck = new Set<Channel>()
  stuckChannels = (): ReadonlySet<Channel> => this.stuck
  readonly #handed = new Handed(LIMITS)
  hand = (_step: Step, pages: readonly Uint8Array[]) => this.#handed.take(pages)
  page = (digest: Digest) => this.#handed.page(digest)
  handed = (release: Release) => this.#handed.of(release)
  region: string = 'eu'
  readonly records = new Map<PeerId, readonly Pattern[]>()
  patternsOf: Journey['patternsOf'] = (peer) => this.session(peer)?.hello?.patterns ?? this.records.get(peer)
  readonly gatewaysOf = new Map<string, readonly PeerId[]>()
  gateways: Journey['gateways'] = (region) => this.gatewaysOf.get(region) ?? []
  readonly standing = new Set<PeerId>()
  stands = (id: PeerId) => this.standing.has(id)
  readonly kept = new Set<PeerId>()
  keeps = (id: PeerId) => this.kept.has(id)
  heartbeats = (): readonly Uint8Array[] => []
  onHear: (topic: Topic, bytes: Uint8Array, from: PeerId) => Heard = () => ({
    verdict: 'ignore',
    id: undefined,
    known: false,
  })
  hear = (_step: Step, topic: Topic, bytes: Uint8Array, from: PeerId) => this.onHear(topic, bytes, from)
  regions = () => [...new Set([this.region, ...this.gatewaysOf.keys()])].sort()
}

/** 0, 0.5, 0.25, … : a fixed stream, the same in each test. */
export function numbers(): () => number {
  let state = 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

export const configOf = (more: Partial<CoreConfig> = {}): CoreConfig => ({
  self: peer('self'),
  root: rootBytes(1),
  patterns: ['**' as Pattern],
  region: 'eu',
  zone: 'a',
  submit: false,
  seeds: [],
  chain: () => [],
  keepReleases: 3,
  soakMs: 0,
  materialize: false,
  random: numbers(),
  limits: LIMITS,
  ...more,
})

export const limitsOf = (more: Partial<Limits>): Limits => ({ ...LIMITS, ...more })

/** One stage's world: `run` gives the effects of one call; wake-ups are kept apart. */
export class Bench {
  readonly journey = new FakeJourney()
  readonly config: CoreConfig
  now: Now = { monoMs: 1_000, wallMs: 1_700_000_000_000 }
  wakeMonoMs = Number.POSITIVE_INFINITY
  #requests = 0
  #tickets = 0

  constructor(more: Partial<CoreConfig> = {}) {
    this.config = configOf(more)
  }

  pass(ms: number): void {
    this.now = { monoMs: this.now.monoMs + ms, wallMs: this.now.wallMs + ms }
  }

  run(call: (step: Step, journey: FakeJourney) => void): Effect[] {
    const effects: Effect[] = []
    const step: Step = {
      now: this.now,
      config: this.config,
      emit: (effect) => void effects.push(effect),
      nextRequest: () => {
        this.#requests += 1
        return this.#requests
      },
      nextTicket: () => {
        this.#tickets += 1
        return this.#tickets
      },
      wakeAt: (monoMs) => {
        this.wakeMonoMs = Math.min(this.wakeMonoMs, monoMs)
      },
    }
    call(step, this.journey)
    return effects
  }

  /** A link that is admitted, as the rest of the node sees it. */
  link(id: PeerId, more: Partial<Session> = {}, hello: Partial<Hello> = {}): Session {
    const session: Session = {
      peer: id,
      direction: 'outbound',
      address: addressOf(id),
      ownHost: false,
      sinceMonoMs: this.now.monoMs,
      hello: helloOf(hello),
      ...more,
    }
    this.journey.links.set(id, session)
    return session
  }
}

export const helloOf = (more: Partial<Hello> = {}): Hello => ({
  type: 'hello',
  chain: [],
  patterns: ['**' as Pattern],
  region: 'eu',
  zone: 'a',
  submit: false,
  heartbeats: [],
  ...more,
})

export const connected = (
  id: PeerId,
  direction: 'inbound' | 'outbound',
  more: Partial<EventOf<'connected'>> = {},
): EventOf<'connected'> => ({
  kind: 'connected',
  peer: id,
  direction,
  address: addressOf(id),
  ownHost: false,
  ...more,
})

export const requestOf = (id: number, from: PeerId, request: AnyRequest): EventOf<'request'> => ({
  kind: 'request',
  id,
  peer: from,
  request,
})

/** Log lines carry texts for people; what they are about is tested, how it is put is not. */
export const acts = (effects: readonly Effect[]): Effect[] =>
  effects.filter(({ kind }) => kind !== 'note' && kind !== 'count' && kind !== 'observe')

export const codes = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === 'note' ? [effect.code] : []))

export const asked = (effects: readonly Effect[]): EffectOf<'request'>[] =>
  effects.filter((effect): effect is EffectOf<'request'> => effect.kind === 'request')

export const dialled = (effects: readonly Effect[]): Address[] =>
  effects.flatMap((effect) => (effect.kind === 'dial' ? [effect.address] : []))

export const hungUp = (effects: readonly Effect[]): PeerId[] =>
  effects.flatMap((effect) => (effect.kind === 'hangUp' ? [effect.peer] : []))

export const replies = (effects: readonly Effect[]): AnyReply['message'][] =>
  effects.flatMap((effect) => (effect.kind === 'reply' ? [effect.reply.message] : []))

/** What a certificate says in these tests, and whom it is refused to; chains are not looked at. */
export class FakeJudge {
  readonly admissions = new Map<PeerId, Partial<Admission>>()
  readonly refused = new Map<PeerId, 'ADMIT_REFUSED' | 'ADMIT_EXPIRED' | 'ADMIT_LABELS'>()
  /** Judged so far, in order. */
  readonly chains: (readonly Uint8Array[])[] = []

  admission = (id: PeerId): Admission => ({
    peer: id,
    labels: new Map([
      ['region', 'eu'],
      ['zone', 'a'],
    ]),
    issuer: hex('a') as string as Admission['issuer'],
    notBefore: 0,
    notAfter: 4_000_000_000_000,
    ...this.admissions.get(id),
  })

  judge: Judge = (id, chain, root) => {
    this.chains.push(chain)
    const code = root.removed.peers.some((removed) => removed.id === id)
      ? 'ADMIT_REMOVED'
      : this.refused.get(id)
    return code === undefined
      ? { kind: 'admitted', admission: this.admission(id) }
      : { kind: 'refused', code, text: `${id} is not for this fleet` }
  }
}
