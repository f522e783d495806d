/**
 * Gateways of regions, found without full membership: a node stands while it hears, on its region's control topic,
 * fewer than F live gateways that rank above it, and says so again and again. Gateways keep warm links to all
 * gateways of all regions and tell one another of those they know; others learn of them by hello.
 */
import { encodeControlGossip } from '../codec/gossip.ts'
import { regionIn } from '../model/certificate.ts'
import type { Heartbeat, Stopgap } from '../model/heartbeat.ts'
import type { PeerId } from '../model/ids.ts'
import type { AnyReply } from '../model/messages.ts'
import { peerOf } from '../model/names.ts'
import type { TrustRoot } from '../model/root.ts'
import { isStillNamed, type Judge } from '../trust/admission.ts'
import type { Admission } from '../trust/certificates.ts'
import type { CoreConfig } from './config.ts'
import type { GossipVerdict } from './effects.ts'
import type { EventOf, RequestId } from './events.ts'
import { HeartbeatPace } from './gateways/heartbeat-pace.ts'
import { byStanding, gatewaysAmong, Heartbeats, type Known, type Standing } from './gateways/heartbeats.ts'
import { OwnWord } from './gateways/own-word.ts'
import { Proven } from './gateways/proven.ts'
import { answerRoom, helloRoom, thatFit } from './gateways/room.ts'
import { gatewaysFor, nodesKnownIn } from './gateways/standing.ts'
import { ToldAbroad } from './gateways/told-abroad.ts'
import { Turn, turnOf } from './gateways/turn.ts'
import { WarmLinks } from './gateways/warm-links.ts'
import type { Journey } from './journey.ts'
import { createBuckets } from './rate.ts'
import { weight } from './rendezvous.ts'
import { type AdmittedSession, dialledAt, isAdmitted } from './session.ts'
import type { Stage } from './stage.ts'
import type { Step } from './step.ts'

/** Looks for links to dial or to close are so far apart; the second where the node is no gateway and keeps no such link. */
const LOOK_MS = 1_000
const IDLE_LOOK_MS = 5_000
/** Gateways tell one another of themselves all the time, so often of all they know. */
const ASK_ALL_MS = 30_000

export class Gateways implements Stage {
  readonly #config: CoreConfig
  readonly #judge: Judge
  readonly #region: string
  readonly #weight: string
  readonly #book: Heartbeats
  readonly #links: WarmLinks
  readonly #own: OwnWord
  readonly #turn: Turn
  readonly #proven: Proven
  readonly #told: ToldAbroad
  readonly #asked = new Map<RequestId, PeerId>()
  readonly #asks: ReturnType<typeof createBuckets<PeerId>>
  readonly #removed = new Set<PeerId>()
  /** What `of` answers, until something changes. */
  readonly #best = new Map<string, readonly PeerId[]>()
  #monoMs = 0
  readonly #pace: HeartbeatPace
  #nextLookMonoMs = 0
  #lastAskMonoMs = Number.NEGATIVE_INFINITY
  #nextAskAllMonoMs = 0

  constructor(config: CoreConfig, judge: Judge) {
    this.#config = config
    this.#judge = judge
    this.#region = config.region
    this.#weight = weight(this.#region, config.self)
    this.#book = new Heartbeats(config.self, config.region, config.limits)
    this.#pace = new HeartbeatPace(this.#region, config.limits)
    this.#links = new WarmLinks(config)
    this.#own = new OwnWord(config)
    this.#turn = new Turn(turnOf(this.#weight), config.limits)
    this.#proven = new Proven(config.limits, turnOf(this.#weight))
    this.#told = new ToldAbroad(config.limits)
    this.#asks = createBuckets(config.limits.heartbeatAsksPerSecond, config.limits.heartbeatAsksBurst)
  }

  /** Live gateways of a region, best first; see `Journey.gateways`. */
  of(region: string): readonly PeerId[] {
    const known = this.#best.get(region)
    if (known !== undefined) return known
    const live: Standing[] = [...this.#live(region)]
    const { word } = this.#own
    if (region === this.#region && word !== undefined) live.push(this.#self(word.stopgap))
    const peers = gatewaysAmong(live, this.#config.limits.maxGateways)
    this.#best.set(region, peers)
    return peers
  }

  /** The own region and those of live gateways. */
  regions(): readonly string[] {
    const { limits } = this.#config
    const live = this.#book.regions().filter((region) => this.#live(region).length > 0)
    return [...new Set([this.#region, ...live])].sort().slice(0, limits.maxRegions + 1)
  }

  /** Stands, or did so lately: whatever its rank in our view, its bridge messages count. */
  stands(peer: PeerId): boolean {
    return this.#book.isLive(peer, this.#monoMs, this.#pace.liveMs)
  }

  /** A link the bridge needs: never spare. */
  keeps(peer: PeerId): boolean {
    return this.#links.keeps(peer)
  }

  /** The own one, then the best of each region, then the second of each, and so on: as many as fit. */
  heartbeats(maxBytes = helloRoom(this.#config.limits)): readonly Uint8Array[] {
    const regions = this.regions().map((region) => this.#live(region))
    const ranks = Array.from({ length: this.#config.limits.maxGateways }, (_, rank) => rank)
    const known = ranks.flatMap((rank) => regions.flatMap((live) => live[rank]?.bytes ?? []))
    return thatFit([...this.#own.bytes, ...known], maxBytes)
  }

  onStarted(step: Step, journey: Journey, _event: EventOf<'started'>): void {
    this.#proven.started(step.now.monoMs)
    this.onRoot(step, journey, journey.root())
    this.#lookSoon(step)
  }

  onConnected(step: Step, _journey: Journey, event: EventOf<'connected'>): void {
    this.#proven.connected(event, step.now.monoMs)
  }

  onAdmitted(step: Step, journey: Journey, peer: PeerId): void {
    this.#time(step)
    const session = journey.session(peer)
    if (session === undefined || !isAdmitted(session)) return
    this.#book.found(peer, session.hello.region, step.now, this.#pace.liveMs)
    this.#best.clear()
    this.#links.made(peer, dialledAt(session))
    for (const bytes of session.hello.heartbeats) this.#learn(step, journey, bytes, peer)
    this.#lookSoon(step)
  }

  onDisconnected(step: Step, _journey: Journey, { peer }: EventOf<'disconnected'>): void {
    this.#time(step)
    this.#proven.ended(peer, step.now.monoMs)
    this.#links.ended(peer, step.now.monoMs)
    this.#book.lost(peer)
    this.#told.forget(peer)
    this.#asks.forget(peer)
    for (const [id, asked] of this.#asked) if (asked === peer) this.#asked.delete(id)
    this.#best.clear()
    this.#lookSoon(step)
  }

  onRefused(step: Step, _journey: Journey, peer: PeerId, retryAfterMs: number | undefined): void {
    if (this.#links.ended(peer, step.now.monoMs, retryAfterMs)) this.#lookSoon(step)
  }

  onDialFailed(step: Step, _journey: Journey, { address }: EventOf<'dialFailed'>): void {
    if (this.#links.ended(peerOf(address), step.now.monoMs)) this.#lookSoon(step)
  }

  onControl(
    step: Step,
    journey: Journey,
    kind: 'beacon' | 'heartbeat',
    envelope: Uint8Array,
    from: PeerId,
  ): GossipVerdict | undefined {
    if (kind !== 'heartbeat') return undefined
    this.#time(step)
    const verdict = this.#learn(step, journey, envelope, from, ({ region }) => region === this.#region)
    if (verdict === 'invalid') return 'reject'
    if (verdict === undefined) return 'ignore'
    // Who ranks far behind falls silent by itself; until then nobody need hear it.
    const place = this.#live(this.#region).findIndex(({ peer }) => peer === verdict.peer)
    return place < 2 * this.#config.limits.maxGateways ? 'accept' : 'ignore'
  }

  onRequest(step: Step, journey: Journey, { id, peer, request }: EventOf<'request'>): boolean {
    if (request.protocol !== 'bridge' || request.message.type !== 'heartbeats') return false
    this.#time(step)
    if (journey.session(peer)?.hello === undefined) return false
    const { heartbeats, want } = request.message
    for (const bytes of heartbeats) this.#learn(step, journey, bytes, peer)
    const most = answerRoom(this.#config.limits)
    const answer = want && this.#asks.take(peer, step.now.monoMs) ? this.heartbeats(most) : []
    const message = { type: 'heartbeats', heartbeats: answer } as const
    step.emit({ kind: 'reply', id, reply: { protocol: 'bridge', message } })
    return true
  }

  onReply(step: Step, journey: Journey, id: RequestId, { protocol, message }: AnyReply): boolean {
    const from = this.#asked.get(id)
    if (from === undefined) return false
    this.#asked.delete(id)
    this.#time(step)
    if (protocol === 'bridge' && message.type === 'heartbeats')
      for (const bytes of message.heartbeats) this.#learn(step, journey, bytes, from)
    return true
  }

  onRequestFailed(_step: Step, _journey: Journey, id: RequestId): boolean {
    this.#told.forget(this.#asked.get(id))
    return this.#asked.delete(id)
  }

  onTick(step: Step, journey: Journey): void {
    this.#time(step)
    const nextMonoMs = this.#stand(step, journey)
    if (step.now.monoMs >= this.#nextLookMonoMs) this.#look(step, journey)
    step.wakeAt(Math.min(this.#nextLookMonoMs, nextMonoMs))
  }

  onRoot(_step: Step, _journey: Journey, root: TrustRoot): void {
    this.#removed.clear()
    for (const { id } of root.removed.peers) this.#removed.add(id)
    this.#book.keep((peer, admission) => isStillNamed(peer, admission, root))
    this.#best.clear()
  }

  /** Whoever is no longer heard drops out, whatever event tells the time. */
  #time(step: Step): void {
    if (step.now.monoMs === this.#monoMs) return
    this.#monoMs = step.now.monoMs
    this.#pace.look(this.#book, this.#monoMs)
    this.#best.clear()
  }

  #live(region: string): readonly Known[] {
    return this.#book.live(region, this.#monoMs, this.#pace.liveMs(region))
  }

  #self(stopgap: Stopgap | undefined): Standing {
    return { peer: this.#config.self, stopgap, weight: this.#weight }
  }

  #learn(
    step: Step,
    journey: Journey,
    bytes: Uint8Array,
    from: PeerId,
    more: (heartbeat: Heartbeat) => boolean = () => true,
  ): Heartbeat | 'invalid' | undefined {
    const wanted = (heartbeat: Heartbeat) => !this.#removed.has(heartbeat.peer) && more(heartbeat)
    const admitted = (heartbeat: Heartbeat) => this.#admission(step, journey, heartbeat)
    const verdict = this.#book.learn(bytes, from, step.now, wanted, admitted)
    if (verdict.kind === 'ignored') return undefined
    if (verdict.kind === 'invalid') {
      const { code, text } = verdict
      step.emit({ kind: 'note', level: 'warn', code, text, peer: from })
      // Honest nodes check what they pass on: a forged one is the word of whoever brought it.
      if (code === 'TRUST_UNAUTHORISED') step.emit({ kind: 'hangUp', peer: from, code })
      return 'invalid'
    }
    this.#best.clear()
    if (verdict.isNew) this.#lookSoon(step)
    return verdict.heartbeat
  }

  /**
   * A peer id costs nothing and may be chosen to rank first: whoever stands shows that it may be here, and where. As
   * for connections, the end of a certificate alone ends nothing.
   */
  #admission(step: Step, journey: Journey, { peer, region, chain = [] }: Heartbeat): Admission | undefined {
    const judgement = this.#judge(peer, chain, journey.root(), step.now.wallMs)
    if (judgement.kind === 'refused') return undefined
    return regionIn(judgement.admission.labels) === region ? judgement.admission : undefined
  }

  /**
   * Says that this node lives while it stands, and falls silent once enough others rank above it; not before it has said
   * that it is to be the last from now on.
   * @returns when to look again
   */
  #stand(step: Step, journey: Journey): number {
    const stopgap = this.#stopgap(step, journey)
    const isLastNow = this.#own.turnsLast(stopgap)
    const standing = this.#standing(journey, stopgap)
    if (!isLastNow && standing === undefined) {
      this.#own.end()
      this.#turn.passed()
      this.#best.clear()
      return step.now.monoMs + IDLE_LOOK_MS
    }
    if (this.#own.word === undefined) {
      const fromMonoMs = this.#turn.fromMonoMs(standing ?? 0, step.now.monoMs)
      if (step.now.monoMs < fromMonoMs) return fromMonoMs
    }
    const paceMs = this.#own.isNews(stopgap) ? this.#config.limits.heartbeatMs : this.#pace.everyMs
    if (step.now.monoMs >= this.#own.nextMonoMs(paceMs)) this.#say(step, journey, stopgap)
    // Sooner once a border is known.
    return this.#own.nextMonoMs(paceMs)
  }

  #say(step: Step, journey: Journey, stopgap: Stopgap | undefined): void {
    const isNew = this.#own.word === undefined
    const bytes = this.#own.say(step.now, stopgap)
    this.#best.clear()
    if (bytes === undefined) return
    if (isNew) this.#lookSoon(step)
    const word = encodeControlGossip({ kind: 'heartbeat', envelope: bytes })
    step.emit({ kind: 'publish', topic: 'control', bytes: word })
    for (const peer of this.#elsewhere(journey))
      if (this.#told.take(peer, stopgap, step.now.monoMs)) this.#tell(step, peer, [bytes], false)
  }

  /**
   * How many others stand, F - 1 at most, where a place is free: for who has fewer than F above it, for a seed, or who stands
   * last, only where nobody else does. Undefined: none is.
   */
  #standing(journey: Journey, stopgap: Stopgap | undefined): number | undefined {
    if (this.#config.signHeartbeat === undefined) return undefined
    const others = this.#live(this.#region)
    const standing = others.filter((other) => other.stopgap !== 'seed').length
    const self = this.#self(stopgap)
    if (stopgap === 'seed' && standing > 0) return undefined
    const above = others.filter((other) => byStanding(other, self) < 0).length
    const places = gatewaysFor(nodesKnownIn(this.#region, journey), this.#config.limits)
    return above < places ? Math.min(standing, places - 1) : undefined
  }

  #stopgap({ now }: Step, { takesNoBlocks }: Journey): Stopgap | undefined {
    const { submit, gatewayLast } = this.#config
    if (submit || gatewayLast || takesNoBlocks) return 'seed'
    return this.#proven.at(now.monoMs) ? undefined : 'new'
  }

  /** Linked gateways of other regions: they do not hear our control topic. */
  #elsewhere(journey: Journey): PeerId[] {
    return [...journey.admitted()]
      .map(({ peer }) => peer)
      .filter((peer) => this.stands(peer) && this.#book.find(peer)?.heartbeat.region !== this.#region)
      .sort()
  }

  #look(step: Step, journey: Journey): void {
    const wanted = this.#wanted()
    this.#links.look(step, journey, wanted, (peer) => this.#book.find(peer)?.heartbeat.addresses ?? [])
    const unknown = (this.#own.word !== undefined || this.#config.submit) && this.#askAround(step, journey)
    this.#nextLookMonoMs = step.now.monoMs + (unknown || wanted.length > 0 ? LOOK_MS : IDLE_LOOK_MS)
  }

  /** A gateway keeps to all gateways once there is a border, a seed to those of its region, which it tells first. */
  #wanted(): PeerId[] {
    const { self, submit } = this.#config
    const known = this.regions()
    const bridges = known.length > 1 && this.of(this.#region).includes(self)
    const regions = bridges ? known : submit ? [this.#region] : []
    return regions.flatMap((region) => this.of(region)).filter((peer) => peer !== self)
  }

  /**
   * Of a region of which no gateway is known any peer is asked, at every look; now and then a gateway for all it knows, sooner
   * by a seed, which foreign ones do not tell: one near, as an answer is worth twenty words over a border, but one abroad
   * every so often, or what its whole region has lost a node would never hear of.
   * @returns true while there is a region of which no gateway is known
   */
  #askAround(step: Step, journey: Journey): boolean {
    const { limits, submit, random } = this.#config
    const { monoMs } = step.now
    const admitted = [...journey.admitted()].sort((a, b) => (a.peer < b.peer ? -1 : 1))
    const unknown = this.#unknown(admitted)
    const isUnknown = unknown.length > 0
    if (monoMs < this.#lastAskMonoMs + (isUnknown ? LOOK_MS : limits.heartbeatMs)) return isUnknown
    this.#lastAskMonoMs = monoMs
    for (const sessions of unknown) this.#tellOne(step, sessions)
    if ((isUnknown || this.regions().length > 1) && monoMs >= this.#nextAskAllMonoMs) {
      this.#nextAskAllMonoMs = monoMs + (submit ? limits.heartbeatMs : ASK_ALL_MS)
      const far = admitted.filter(({ peer, hello }) => this.stands(peer) && hello.region !== this.#region)
      const near = admitted.filter(({ peer, hello }) => this.stands(peer) && hello.region === this.#region)
      const isNear = near.length > 0 && (far.length === 0 || random() * limits.maxGateways >= 1)
      this.#tellOne(step, isNear ? near : far)
    }
    return isUnknown
  }

  /** Admitted peers of each other region of which no gateway is known, region by region. */
  #unknown(admitted: readonly AdmittedSession[]): readonly (readonly AdmittedSession[])[] {
    const regions = new Map<string, AdmittedSession[]>()
    for (const session of admitted) {
      const { region } = session.hello
      if (region === this.#region || this.of(region).length > 0) continue
      regions.set(region, [...(regions.get(region) ?? []), session])
    }
    return [...regions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, peers]) => peers)
  }

  #tellOne(step: Step, sessions: readonly AdmittedSession[]): void {
    const one = sessions[Math.floor(this.#config.random() * sessions.length)]
    if (one !== undefined) this.#tell(step, one.peer, this.#own.bytes, true)
  }

  #tell(step: Step, peer: PeerId, heartbeats: readonly Uint8Array[], want: boolean): void {
    const id = step.nextRequest()
    this.#asked.set(id, peer)
    const message = { type: 'heartbeats', heartbeats, want } as const
    const timeoutMs = this.#config.limits.bridgeDeadlineMs
    step.emit({ kind: 'request', id, peer, request: { protocol: 'bridge', message }, timeoutMs })
  }

  #lookSoon(step: Step): void {
    this.#nextLookMonoMs = Math.min(this.#nextLookMonoMs, step.now.monoMs)
    step.wakeAt(this.#nextLookMonoMs)
  }
}

export const createGateways = (config: CoreConfig, judge: Judge): Gateways => new Gateways(config, judge)
