/**
 * Links of a node: seeds and remembered peers to begin with, then peers of peers, until there are enough of them in
 * the own region, a few outside, and two at least that store each own channel. Nothing here is ever given up: what
 * cannot be reached is dialled again for ever.
 */
import type { Address, Pattern, PeerId } from '../model/ids.ts'
import type { AnyReply, SyncReply } from '../model/messages.ts'
import { peerOf } from '../model/names.ts'
import type { PeerRecord } from '../model/peer-record.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Judge } from '../trust/admission.ts'
import { ClockSet } from './clock-set.ts'
import type { CoreConfig } from './config.ts'
import { type Candidate, chooseDials, countLinks, isShort, type Links, linkOf, shuffled } from './degree.ts'
import type { EventOf, RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import { Begun } from './peers/begun.ts'
import { type JudgeRecord, PeerBook } from './peers/book.ts'
import { candidatesOf, seedsAway } from './peers/candidates.ts'
import { DialWindow } from './peers/dial-window.ts'
import { type Around, linkToEnd } from './peers/end-link.ts'
import { ENOUGH_KNOWN, ExchangePace } from './peers/exchange-pace.ts'
import { FullSeeds } from './peers/full-seeds.ts'
import { Outside } from './peers/outside.ts'
import { sampleFor } from './peers/sample.ts'
import { lacking, seedsAmong } from './peers/seeds.ts'
import { type LateChannels, Starving } from './peers/starving.ts'
import { Twin } from './peers/twin.ts'
import { otherAnswers, Unreached } from './peers/unreached.ts'
import { type Buckets, createBuckets } from './rate.ts'
import { Redial } from './redial.ts'
import { type AdmittedSession, dialledAt, isAdmitted, type Session } from './session.ts'
import type { Stage } from './stage.ts'
import type { Step } from './step.ts'

/** Failed dials after which a record is no longer passed on. */
const PASS_ON_FAILURES = 3
/** Looks are so far apart while nothing is missing. */
const IDLE_LOOK_MS = 10_000
/** With so many remembered peers a starting node leaves the seeds to those that have none, for a while. */
const ENOUGH_REMEMBERED = 4

export class Peers implements Stage {
  readonly #config: CoreConfig
  readonly #judge: Judge
  readonly #book: PeerBook
  readonly #redial: Redial
  readonly #window: DialWindow
  readonly #outside: Outside
  readonly #fullSeeds: FullSeeds
  readonly #starving: Starving
  readonly #twin = new Twin()
  readonly #unreached = new Unreached()
  readonly #removed = new Set<PeerId>()
  readonly #begun = new Begun()
  readonly #clock = new ClockSet()
  readonly #exchangePace: ExchangePace
  readonly #exchanges = new Map<RequestId, PeerId>()
  readonly #asks: Buckets<PeerId>
  #nextLookMonoMs = 0
  #nextSwapMonoMs = 0
  /** Of links in the region, or to who stores its channels; those outside are apart. */
  #short = true
  /** As of the last look. */
  #gone: ReadonlySet<PeerId> = new Set()

  constructor(config: CoreConfig, judge: Judge, beacons: LateChannels) {
    this.#config = config
    this.#judge = judge
    this.#book = new PeerBook(config)
    this.#redial = new Redial(config.limits, config.random)
    this.#window = new DialWindow(config.limits, config.random)
    this.#outside = new Outside(config, this.#book)
    this.#fullSeeds = new FullSeeds(config.limits)
    this.#starving = new Starving(config, this.#book, this.#redial, beacons)
    this.#asks = createBuckets(config.limits.exchangesPerSecond, config.limits.exchangesBurst)
    this.#exchangePace = new ExchangePace(config)
  }

  /** Where others can dial this peer: as this node did, or else as its own record says. */
  address(peer: PeerId): Address | undefined {
    return this.#redial.address(peer, this.#book.addresses(peer), 0)
  }

  /** What it stores, as its own record says. */
  patterns(peer: PeerId): readonly Pattern[] | undefined {
    return this.#book.get(peer)?.record.patterns
  }

  onStarted(step: Step, journey: Journey, { snapshot }: EventOf<'started'>): void {
    const { limits, random } = this.#config
    const { monoMs } = step.now
    this.onRoot(step, journey, journey.root())
    const judge = this.#judgeAt(step, journey.root())
    const { taken, problems } = this.#book.remember(snapshot.peers, judge, monoMs)
    for (const problem of problems) step.emit({ kind: 'note', level: 'warn', ...problem })
    if (taken >= ENOUGH_REMEMBERED)
      for (const seed of this.#book.seeds())
        this.#redial.wait(seed, monoMs + (limits.redialMaxMs * random()) / 2)
    this.#nextSwapMonoMs = monoMs + limits.linkSwapMs * (0.5 + random())
    this.#twin.started(step.now.wallMs)
    this.#look(step, journey)
  }

  /** Addresses of another process with this node's identity; undefined: none was heard of lately. */
  twin(monoMs: number): readonly Address[] | undefined {
    return this.#twin.at(monoMs)
  }

  onConnected(_step: Step, _journey: Journey, { peer, direction }: EventOf<'connected'>): void {
    this.#begun.connected(peer, direction)
  }

  onDialFailed(step: Step, journey: Journey, event: EventOf<'dialFailed'>): void {
    const peer = peerOf(event.address)
    if (this.#book.knows(peer)) this.#redial.failed(peer, step.now.monoMs, this.#isMissed(peer))
    this.#outside.inVain(peer, step.now.monoMs)
    const failures = this.#missed(journey, peer)
    if (event.code === 'NET_PEER_ID') otherAnswers(step, event, this.#book.isWritten(peer, event.address))
    if (this.#book.isSeed(peer))
      this.#unreached.failed(step, event, failures, this.#book.addresses(peer).length)
    if (!this.#gone.has(peer)) this.#lookSoon(step)
  }

  /** @returns how often in a row it was dialled in vain */
  #missed(journey: Journey, peer: PeerId): number {
    const failures = this.#redial.failures(peer)
    const [linked] = journey.admitted()
    // Where nobody is, it may be this host that is cut off.
    if (linked !== undefined) this.#book.missed(peer, failures)
    return failures
  }

  onRefused(step: Step, journey: Journey, peer: PeerId, retryAfterMs: number | undefined): void {
    if (retryAfterMs === undefined) return this.#begun.refused(peer)
    const { limits, submit } = this.#config
    // A full seed: at another one somebody would have to go, and would go for the next.
    const saysFull = this.#book.isSeed(peer) && retryAfterMs > limits.redialIdleMaxMs
    const isFull = saysFull && !this.#fullSeeds.isFew && !submit
    const away = isFull ? [...this.#book.seeds()].filter((one) => journey.session(one) === undefined) : []
    const afterMs = isFull ? this.#fullSeeds.refused(retryAfterMs) : retryAfterMs
    for (const one of new Set([peer, ...away]))
      this.#redial.told(one, step.now.monoMs, afterMs, !isFull && this.#short && !this.#outside.has(one))
    this.#lookSoon(step)
  }

  onAdmitted(step: Step, journey: Journey, peer: PeerId): void {
    const session = journey.session(peer)
    const dialled = session && dialledAt(session)
    this.#redial.admitted(peer, dialled)
    this.#begun.admitted(peer)
    this.#unreached.linked(peer)
    if (this.#book.prove(peer)) this.#remember(step, peer)
    if (dialled !== undefined) {
      this.#window.made()
      this.#outside.made(peer)
      // The dialler asks: both records go over in one exchange.
      this.#exchange(step, peer)
    }
    this.#lookSoon(step)
  }

  onDisconnected(step: Step, journey: Journey, event: EventOf<'disconnected'>, session?: Session): void {
    const { peer, replaced } = event
    const { monoMs } = step.now
    for (const [id, asked] of this.#exchanges) if (asked === peer) this.#exchanges.delete(id)
    this.#asks.forget(peer)
    const end = this.#begun.ended(peer)
    if (session !== undefined && isAdmitted(session)) {
      this.#redial.ended(peer, monoMs, monoMs - session.sinceMonoMs)
      // A stranger is dialled by nobody: to remember each would fill the memory.
      // What another dialled says nothing of its address, nor does a dial that crossed it: the two are connected.
    } else if (this.#book.knows(peer) && end !== 'inbound' && replaced !== true) {
      if (end === 'unfinished' && !this.#redial.isTold(peer, monoMs)) this.#window.starved(monoMs)
      if (end !== undefined) this.#outside.inVain(peer, monoMs)
      this.#redial.failed(peer, monoMs, this.#isMissed(peer))
      if (end === 'refused') {
        this.#window.refused(monoMs)
        this.#missed(journey, peer)
      }
    }
    this.#lookSoon(step)
  }

  onRequest(step: Step, journey: Journey, { id, peer, request }: EventOf<'request'>): boolean {
    if (request.protocol !== 'sync' || request.message.type !== 'peers') return false
    if (journey.session(peer)?.hello === undefined) {
      answer(step, id, { type: 'refused', code: 'ADMIT_REFUSED', text: 'not admitted here yet' })
      return true
    }
    if (!this.#asks.take(peer, step.now.monoMs)) {
      const text = 'too many exchanges of peer records'
      answer(step, id, { type: 'refused', code: 'LIMIT_RATE', text, retryAfterMs: 10_000 })
      return true
    }
    this.#learn(step, journey, request.message.records, peer)
    answer(step, id, { type: 'peers', records: this.#sample(step, peer, request.message.records) })
    return true
  }

  onReply(step: Step, journey: Journey, id: RequestId, { protocol, message }: AnyReply): boolean {
    const from = this.#exchanges.get(id)
    if (from === undefined) return false
    this.#exchanges.delete(id)
    if (protocol === 'sync' && message.type === 'peers') this.#learn(step, journey, message.records, from)
    return true
  }

  onRequestFailed(_step: Step, _journey: Journey, id: RequestId): boolean {
    return this.#exchanges.delete(id)
  }

  onTick(step: Step, journey: Journey): void {
    if (step.now.monoMs >= this.#nextLookMonoMs) this.#look(step, journey)
    else step.wakeAt(this.#nextLookMonoMs)
  }

  onRoot(step: Step, _journey: Journey, root: TrustRoot): void {
    this.#removed.clear()
    for (const { id } of root.removed.peers) this.#removed.add(id)
    this.#book.judgeAgain(root, this.#judgeAt(step, root))
  }

  #judgeAt({ now }: Step, root: TrustRoot): JudgeRecord {
    return ({ peer, chain }: PeerRecord) => this.#judge(peer, chain, root, now.wallMs)
  }

  /** Everything a look decides: dials, links that are spare, exchange of records; and when to look again. */
  #look(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    const admitted = [...journey.admitted()].sort((a, b) => (a.peer < b.peer ? -1 : 1))
    if (this.#clock.look(step.now)) this.#book.readAgain(this.#judgeAt(step, journey.root()), monoMs)
    this.#book.met(admitted, monoMs)
    for (const peer of this.#book.takeDropped()) step.emit({ kind: 'forgetPeer', peer })
    const links = this.#withDials(admitted, [], monoMs)
    const candidates = candidatesOf(this.#book, journey, this.#removed, admitted.length > 0, monoMs)
    const there = candidates.filter(({ gone }) => !gone)
    this.#gone = new Set(candidates.filter(({ gone }) => gone).map(({ peer }) => peer))
    const isWorse = this.#outside.look(links, there)
    const away = seedsAway(this.#book, journey, this.#removed)
    const seeds = seedsAmong(admitted, this.#book)
    const missing = this.#wantedSeeds(away, links, seeds, monoMs)
    const wasShort = this.#short
    this.#short = isShort(this.#config, links, there, away)
    const isFewer = this.#fullSeeds.look(this.#short, links, seeds.length > 0)
    if (isWorse || isFewer || (this.#short && !wasShort)) {
      this.#redial.hurry(monoMs, (peer) => this.#mostMs(peer))
      this.#exchangePace.soon(monoMs)
    }
    for (const peer of missing) if (this.#redial.nextMonoMs(peer) <= monoMs) this.#dial(step, peer)
    for (const peer of this.#starving.look(journey, away, admitted, seeds, monoMs)) this.#dial(step, peer)
    const due = candidates.filter(({ peer }) => this.#nextMonoMs(peer) <= monoMs)
    const coming = this.#withDials(admitted, candidates, monoMs)
    const dials = chooseDials(this.#config, coming, due, this.#config.random, this.#config.limits)
    const room = this.#window.room(this.#redial.underWay(monoMs), monoMs)
    for (const { peer } of dials.slice(0, room)) {
      this.#window.pause(monoMs)
      this.#dial(step, peer)
    }
    this.#shed(step, journey, { links, admitted, candidates: there, seeds })
    if (this.#exchangePace.isDue(monoMs)) this.#exchangeWithSomebody(step, admitted)
    this.#nextLookMonoMs = this.#afterLook(monoMs, [...missing, ...candidates.map(({ peer }) => peer)])
    step.wakeAt(this.#nextLookMonoMs)
  }

  #afterLook(monoMs: number, away: readonly PeerId[]): number {
    const { limits, random } = this.#config
    const pauseMs = (this.#short ? limits.redialMinMs : IDLE_LOOK_MS) * (0.75 + random() / 2)
    if (this.#short) return monoMs + pauseMs
    // Not late for one whose turn comes before that.
    const due = away.filter((peer) => this.#isMissed(peer)).map((peer) => this.#nextMonoMs(peer))
    return Math.max(Math.min(monoMs + pauseMs, ...due), monoMs + limits.redialMinMs)
  }

  /**
   * The pause before it is dialled again grows to `redialMaxMs` only: links are missing and it is not gone, or both are seeds.
   * Where a region is parted each part has links enough within itself, and nobody but the seeds dials across.
   */
  #isMissed(peer: PeerId): boolean {
    if (this.#gone.has(peer)) return false
    if (this.#outside.has(peer)) return this.#outside.isAlone
    return this.#short || (this.#config.submit && this.#book.isSeed(peer))
  }

  /** How long it is left alone, at most. */
  #mostMs(peer: PeerId): number {
    if (!this.#isMissed(peer)) return Number.POSITIVE_INFINITY
    return this.#book.isSeed(peer) ? this.#fullSeeds.mostMs : this.#config.limits.redialMaxMs
  }

  #nextMonoMs(peer: PeerId): number {
    return Math.max(this.#redial.nextMonoMs(peer), this.#outside.nextMonoMs(peer))
  }

  /** Dials under way count as links, or a slow one would draw many more. */
  #withDials(admitted: readonly AdmittedSession[], candidates: readonly Candidate[], monoMs: number): Links {
    const busy = candidates.filter(({ peer }) => this.#redial.isBusy(peer, monoMs))
    const links = admitted.map(linkOf)
    const coming = busy.map((candidate) => ({ ...candidate, direction: 'outbound' as const }))
    return countLinks(this.#config, [...links, ...coming], this.#config.limits)
  }

  /** Seeds keep to one another, a node with peers enough to few: `peers/seeds.ts`. With some, one at a time: a full one lets another go. */
  #wantedSeeds(
    away: readonly PeerId[],
    { own, uncovered }: Links,
    linked: readonly AdmittedSession[],
    monoMs: number,
  ): readonly PeerId[] {
    const { minDegree, minOutbound } = this.#config.limits
    if (this.#config.submit || own < Math.min(minDegree, minOutbound + 1) || uncovered.length > 0) return away
    const more = lacking(this.#config.patterns, linked, away, (peer) => this.patterns(peer))
    const wanted = own < minDegree ? away : more
    if (wanted.some((peer) => this.#redial.isBusy(peer, monoMs))) return []
    const due = wanted.filter((peer) => this.#redial.nextMonoMs(peer) <= monoMs)
    return shuffled(due, this.#config.random).slice(0, 1)
  }

  #dial(step: Step, peer: PeerId): void {
    const address = this.#redial.address(peer, this.#book.addresses(peer))
    if (address === undefined) return
    this.#redial.dialled(peer, step.now.monoMs)
    step.emit({ kind: 'dial', address })
  }

  /** One link too many goes; and every hour one of those in order, so that clusters cannot close. */
  #shed(step: Step, journey: Journey, around: Omit<Around, 'isSwap'>): void {
    const { limits, random, submit } = this.#config
    const { monoMs } = step.now
    if (submit) return
    const isSwap = monoMs >= this.#nextSwapMonoMs
    if (isSwap) this.#nextSwapMonoMs = monoMs + limits.linkSwapMs * (0.5 + random())
    const spare = linkToEnd({ isSwap, ...around }, this.#config, journey, monoMs)
    if (spare === undefined) return
    this.#redial.wait(spare.peer, monoMs + limits.redialIdleMaxMs)
    step.emit({ kind: 'hangUp', peer: spare.peer, code: 'done' })
  }

  #exchangeWithSomebody(step: Step, admitted: readonly AdmittedSession[]): void {
    this.#exchangePace.passed(step.now.monoMs)
    const somebody = admitted[Math.floor(this.#config.random() * admitted.length)]
    if (somebody !== undefined) this.#exchange(step, somebody.peer)
  }

  #exchange(step: Step, peer: PeerId): void {
    const id = step.nextRequest()
    this.#exchanges.set(id, peer)
    const message = { type: 'peers', records: this.#sample(step, peer) } as const
    const timeoutMs = this.#config.limits.syncDeadlineMs
    step.emit({ kind: 'request', id, peer, request: { protocol: 'sync', message }, timeoutMs })
  }

  #sample({ now }: Step, asker: PeerId, given: readonly Uint8Array[] = []): readonly Uint8Array[] {
    const own = this.#config.peerRecord?.(this.#twin.notBefore)
    if (own !== undefined) this.#twin.gave(own)
    const isReachable = (peer: PeerId) => this.#redial.failures(peer) < PASS_ON_FAILURES
    const known = this.#book.passedOn(asker, isReachable, now.monoMs)
    return sampleFor({ own, theirs: this.#book.get(asker)?.bytes, given, known }, this.#config)
  }

  #learn(step: Step, journey: Journey, records: readonly Uint8Array[], from: PeerId): void {
    const judge = this.#judgeAt(step, journey.root())
    const isProven = (id: PeerId): boolean => journey.session(id)?.hello !== undefined
    for (const bytes of records.slice(0, this.#config.limits.maxExchanged)) {
      const { learnt, peer, own, problem } = this.#book.learn(bytes, isProven, judge, step.now.monoMs)
      if (own !== undefined) this.#twin.heard(step, own, bytes)
      if (problem !== undefined) step.emit({ kind: 'note', level: 'warn', ...problem, peer: from })
      if (peer === undefined || (learnt !== 'new' && learnt !== 'changed')) continue
      const isWanted = this.#short || this.#book.size < ENOUGH_KNOWN
      if (learnt === 'new' && isWanted) this.#exchangePace.quicken()
      if (this.#book.get(peer)?.proven === true) this.#remember(step, peer)
      this.#lookSoon(step)
    }
  }

  #remember(step: Step, peer: PeerId): void {
    const known = this.#book.get(peer)
    if (known !== undefined) step.emit({ kind: 'rememberPeer', peer, record: known.bytes })
  }

  #lookSoon(step: Step): void {
    const soon = step.now.monoMs + (this.#config.limits.redialMinMs * (1 + this.#config.random())) / 8
    this.#nextLookMonoMs = Math.min(this.#nextLookMonoMs, soon)
    step.wakeAt(this.#nextLookMonoMs)
  }
}

function answer(step: Step, id: RequestId, message: SyncReply): void {
  step.emit({ kind: 'reply', id, reply: { protocol: 'sync', message } })
}

export const createPeers = (...all: ConstructorParameters<typeof Peers>): Peers => new Peers(...all)
