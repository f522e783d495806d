/**
 * Anti-entropy: gossip is only for speed, this is what makes nodes equal. Every few seconds, at once on admission and
 * when a beacon names something we lack, two peers compare digests of the channels both store and hand over what
 * differs. What sync brings is offered on at once, because gossip does not say a thing twice.
 */
import type { Code } from '../errors.ts'
import type { Channel, Pattern, PeerId } from '../model/ids.ts'
import type { AnyReply, SyncRequest } from '../model/messages.ts'
import { ChannelHashes } from './channel-hashes.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import { ACCEPTED, type Journey } from './journey.ts'
import { Lateness } from './lateness.ts'
import { Onward } from './onward.ts'
import { RootBudget, RootRun } from './roots/run.ts'
import { storesChannel } from './session.ts'
import type { OrderedRelease, Stage } from './stage.ts'
import type { Step } from './step.ts'
import { answerDigests, answerEntries } from './sync/answer.ts'
import { SyncIndex } from './sync/channel-index.ts'
import { choosePeers, coversAll, type Due, longestSilent, storesDue } from './sync/choice.ts'
import { ComparedPeers, isCompared } from './sync/first-compares.ts'
import {
  answerSync,
  askSync,
  type BeaconBook,
  createSyncPeer,
  IN_VAIN,
  messageBudget,
  nextOffers,
  offerLive,
  pushesMore,
  type SyncPeer,
  takeNewSalt,
} from './sync/peer.ts'
import { type Given, Round, type RoundContext, type RoundState } from './sync/round.ts'

/** A channel is due a little before the interval has passed, so that jitter does not skip a turn. */
const DUE_SHARE = 8 / 9
/** What a beacon names is usually on its way by gossip, longer on a late host: only what has not come by then is asked for. */
const BEACON_PATIENCE_MS = 750
/** Questions in a row without an answer that end a connection on which nothing comes, and one on which other things do. */
export const MAX_UNANSWERED = 2
export const MAX_UNANSWERED_ALIVE = 5
export const DEAF_MS = 1_000
/**
 * So many of what is known count as one that comes to nothing: two peers that give the same at once are both honest, but
 * whoever gives what everybody has, again and again, makes each of them look it up, or check its signatures anew.
 */
export const OLD_TO_ONE = 8

export class Sync implements Stage {
  readonly #config: CoreConfig
  readonly #beacons: BeaconBook
  readonly #context: RoundContext
  readonly #peers = new Map<PeerId, SyncPeer>()
  readonly #rounds = new Map<PeerId, Round>()
  /** Root runs outside a round. */
  readonly #catchUps = new Map<PeerId, { readonly id: RequestId; readonly run: RootRun }>()
  /** When each channel, and each own pattern, was last compared, where that is later than `#allMonoMs`. */
  readonly #compared = new Map<string, number>()
  #allMonoMs = Number.NEGATIVE_INFINITY
  readonly #complete: ComparedPeers
  readonly #onward = new Onward()
  readonly #lateness = new Lateness()
  #nextMonoMs = 0
  #soonMonoMs: number | undefined

  /** @param beacons the stage that judges beacons */
  constructor(config: CoreConfig, beacons: BeaconBook) {
    this.#config = config
    this.#beacons = beacons
    this.#complete = new ComparedPeers(config)
    this.#context = {
      index: new SyncIndex(new ChannelHashes(), config),
      beacons,
      budget: new RootBudget(),
      ingest: (step, journey, from, envelope) => this.#ingest(step, journey, from, envelope),
    }
  }

  /** Peers that store something of what this node does and were compared with since start, whether still connected or not. */
  comparedPeers(): number {
    return this.#complete.size
  }

  hasReached(): boolean {
    return this.#complete.hasReached
  }

  /** One of them stores something of this own pattern. */
  hasCompared(pattern: Pattern): boolean {
    return this.#complete.has(pattern)
  }

  /** What is stored here of this channel is no older than what enough others have of it. */
  isCompared(channel: Channel): boolean {
    return isCompared(this.#peers.values(), channel)
  }

  onStarted(step: Step): void {
    this.#plan(step)
  }

  onAdmitted(step: Step, journey: Journey, peer: PeerId): void {
    const session = journey.session(peer)
    if (session?.hello === undefined) return
    const known = createSyncPeer(step, peer, session.hello.patterns, session.direction === 'outbound')
    this.#peers.set(peer, known)
    // One comparison tells both sides everything: the dialler's.
    if (known.dialled) this.#start(step, journey, known)
  }

  onDisconnected(step: Step, _journey: Journey, { peer }: EventOf<'disconnected'>): void {
    this.#peers.delete(peer)
    this.#end(step, peer, 'gone')
    this.#catchUps.delete(peer)
  }

  onRequest(step: Step, journey: Journey, { id, peer, request }: EventOf<'request'>): boolean {
    const from = this.#peers.get(peer)
    if (from !== undefined) from.heardMonoMs = step.now.monoMs
    if (request.protocol !== 'sync' || request.message.type === 'peers') return false
    if (from === undefined) {
      answerSync(step, id, { type: 'refused', code: 'ADMIT_REFUSED', text: 'not admitted here yet' })
      return true
    }
    this.#answer(step, journey, from, id, request.message)
    return true
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    for (const round of this.#rounds.values())
      if (round.request === id) {
        this.#heard(step, round.with)
        this.#settle(step, journey, round, round.take(step, journey, reply))
        return true
      }
    for (const peer of this.#peers.values())
      if (peer.pushing === id) {
        this.#heard(step, peer)
        peer.pushing = undefined
        this.#pump(step, journey, peer)
        return true
      }
    for (const [peer, { id: asked, run }] of this.#catchUps)
      if (asked === id) {
        this.#catchUps.delete(peer)
        if (
          reply.protocol === 'admit' &&
          run.take(step, journey, reply.message, this.#context.budget) === 'more'
        )
          this.#catchUps.set(peer, { id: run.ask(step, journey), run })
        return true
      }
    return false
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId, code: Code, alive: boolean): boolean {
    for (const round of this.#rounds.values())
      if (round.request === id) {
        if (round.fail(step, journey) === 'going') return true
        this.#end(step, round.peer, 'unanswered')
        this.#unanswered(step, journey, round.with, code, alive)
        return true
      }
    for (const peer of this.#peers.values())
      if (peer.pushing === id) {
        peer.pushing = undefined
        peer.offers.clear() // the next comparison finds them
        // One silence is not two: what was asked meanwhile has its own time.
        if (!this.#rounds.has(peer.peer)) this.#unanswered(step, journey, peer, code, alive)
        return true
      }
    for (const [peer, catchUp] of this.#catchUps) if (catchUp.id === id) return this.#catchUps.delete(peer)
    return false
  }

  onTick(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    if (this.#beacons.takeDiffers()) this.#soonMonoMs ??= monoMs + BEACON_PATIENCE_MS + this.#lateness.pauseMs
    const due = monoMs >= this.#nextMonoMs
    if (due) this.#lateness.ran(this.#nextMonoMs, monoMs)
    if (due) this.#plan(step)
    const soon = this.#soonMonoMs !== undefined && monoMs >= this.#soonMonoMs
    if (soon) this.#soonMonoMs = undefined
    const lacks = soon && this.#beacons.lacks(step, journey)
    if (due || lacks) this.#turn(step, journey, lacks)
    for (const channel of this.#onward.due(step)) this.offer(step, journey, channel)
    step.wakeAt(Math.min(this.#nextMonoMs, this.#soonMonoMs ?? Number.POSITIVE_INFINITY))
  }

  onRoot(): void {
    this.#context.index.touchAll()
  }

  /** What was ordered may have been taken back. */
  onPersistFailed(): void {
    this.#context.index.touchAll()
  }

  onOrdered(step: Step, _journey: Journey, ordered: OrderedRelease): void {
    const { channel } = ordered.release.header
    this.#context.index.touch(channel)
    // Each of them may hand over once what is news to all.
    for (const peer of this.#peers.values())
      if (storesChannel(peer.patterns, channel)) peer.vain.giveBack(1 / OLD_TO_ONE)
    this.#onward.onOrdered(step, ordered)
  }

  onDurable(step: Step, journey: Journey, channel: Channel): void {
    this.#context.index.touch(channel)
    const toAll = this.#onward.onDurable(step, channel)
    this.offer(step, journey, channel, ({ unwritten }) => toAll || unwritten.has(channel))
  }

  /** Offers the releases of a durable channel to neighbours that store it and may lack them. */
  offer(step: Step, journey: Journey, channel: Channel, to: (peer: SyncPeer) => boolean = () => true): void {
    const facts = journey.channel(channel)
    if (facts === undefined || !facts.durable) return
    for (const peer of this.#peers.values()) {
      if (!to(peer) || !storesChannel(peer.patterns, channel)) continue
      offerLive(peer, facts, this.#config.limits)
      this.#pump(step, journey, peer)
    }
  }

  onAhead(step: Step, journey: Journey, peer: PeerId): void {
    if (this.#catchUps.has(peer) || journey.session(peer) === undefined) return
    const run = new RootRun(peer)
    this.#catchUps.set(peer, { id: run.ask(step, journey), run })
  }

  #answer(
    step: Step,
    journey: Journey,
    from: SyncPeer,
    id: RequestId,
    message: Exclude<SyncRequest, { type: 'peers' }>,
  ): void {
    const { index } = this.#context
    switch (message.type) {
      case 'digests': {
        const of = answerDigests(step, journey, from, id, message, index, this.#beacons.marks())
        if (of === 'refused') return
        if (message.root > journey.root().version) journey.askAhead(step, from.peer)
        this.#rounds.get(from.peer)?.asked()
        if (of === 'behind') this.#start(step, journey, from)
        return
      }
      case 'entries':
        answerEntries(step, journey, from, id, message, index)
        return
      case 'push': {
        let isNews = false
        for (const envelope of message.envelopes) {
          if (!this.#peers.has(from.peer)) break
          isNews = this.#ingest(step, journey, from, envelope).isNews || isNews
        }
        if (isNews && pushesMore(step, from, message.envelopes)) this.#start(step, journey, from)
        answerSync(step, id, { type: 'noted' })
        return
      }
      case 'beacons': {
        const beacons = this.#beacons.newerThan(message.have, messageBudget(this.#config.limits))
        answerSync(step, id, { type: 'beacons', beacons })
      }
    }
  }

  #ingest(step: Step, journey: Journey, from: SyncPeer, envelope: Uint8Array): Given {
    const { monoMs } = step.now
    if (monoMs < from.deafUntilMonoMs) return { isNews: false, isIgnored: true }
    const { release, provable, verdict } = journey.ingest(step, envelope, { via: 'sync', peer: from.peer })
    const isNews = ACCEPTED.has(verdict)
    const cost = isNews ? 0 : IN_VAIN.has(verdict) ? 1 : 1 / OLD_TO_ONE
    if (!from.vain.take(monoMs, cost)) from.deafUntilMonoMs = monoMs + DEAF_MS
    if (provable && !from.forged.take(step.now.monoMs) && this.#peers.delete(from.peer)) {
      const text = 'hands over releases that nobody may publish, again and again; the connection is closed'
      step.emit({ kind: 'note', level: 'warn', code: 'TRUST_UNAUTHORISED', text, peer: from.peer })
      step.emit({ kind: 'hangUp', peer: from.peer, code: 'TRUST_UNAUTHORISED' })
    }
    if (release === undefined) return { isNews }
    from.knows.add(release.id)
    return { isNews, release: release.id }
  }

  /** A turn: everybody that is needed to compare each channel that is due, or one peer all the same. */
  #turn(step: Step, journey: Journey, all: boolean): void {
    const idle = [...this.#peers.values()].filter(({ peer }) => !this.#rounds.has(peer))
    const due = this.#due(step, journey, idle, all)
    for (const peer of choosePeers(due, idle, this.#config.random)) this.#start(step, journey, peer)
  }

  #due(step: Step, journey: Journey, idle: readonly SyncPeer[], all: boolean): Due[] {
    const before = all ? step.now.monoMs : step.now.monoMs - this.#config.limits.syncIntervalMs * DUE_SHARE
    const due: { readonly due: Due; readonly last: number }[] = []
    if (this.#allMonoMs > before) return []
    const consider = (key: string, item: Due) => {
      const last = this.#compared.get(key) ?? this.#allMonoMs
      if (last <= before) due.push({ due: item, last })
    }
    for (const pattern of this.#config.patterns) consider(`=${pattern}`, { pattern })
    // Whoever covers our patterns stores our channels: no need to go through thousands of them.
    if (this.#compared.size > 0 || !idle.some((peer) => coversAll(peer, this.#config.patterns)))
      for (const { channel, stored } of journey.channels()) if (stored) consider(channel, { channel })
    return due.sort((a, b) => (a.last === b.last ? 0 : a.last - b.last)).map((item) => item.due)
  }

  #start(step: Step, journey: Journey, peer: SyncPeer): void {
    if (this.#rounds.has(peer.peer) || !this.#peers.has(peer.peer)) return
    this.#rounds.set(peer.peer, new Round(step, journey, peer, this.#context))
  }

  #settle(step: Step, journey: Journey, round: Round, state: RoundState): void {
    if (state === 'going' || this.#rounds.get(round.peer) !== round) return
    this.#end(step, round.peer, state)
    if (state === 'broken') {
      const text = 'answers to a comparison out of turn; the connection is closed'
      step.emit({ kind: 'note', level: 'warn', code: 'NET_PROTOCOL', text, peer: round.peer })
      step.emit({ kind: 'hangUp', peer: round.peer, code: 'NET_PROTOCOL' })
      return
    }
    if (state === 'done') this.#conclude(step, journey, round)
    this.#pump(step, journey, round.with)
  }

  #end(step: Step, peer: PeerId, result: Exclude<RoundState, 'going'> | 'unanswered' | 'gone'): void {
    const round = this.#rounds.get(peer)
    if (round?.isIgnored === true) takeNewSalt(step, round.with)
    if (this.#rounds.delete(peer)) step.emit({ kind: 'count', metric: 'sync_rounds', by: 1, label: result })
  }

  #conclude(step: Step, journey: Journey, round: Round): void {
    const { monoMs } = step.now
    round.with.compared ||= round.isWhole
    this.#complete.note(round.with, round.isWhole, journey.session(round.peer)?.hello?.submit)
    this.#noteCompared(round.with, round.view(step, journey).rows(), monoMs)
    step.emit({ kind: 'observe', metric: 'sync_round', ms: monoMs - round.startMonoMs })
    if (round.goesOn(step, journey)) this.#start(step, journey, round.with)
  }

  /** A peer that stores all that we store is the common case, and needs no list of channels. */
  #noteCompared(peer: SyncPeer, rows: Iterable<{ readonly channel: Channel }>, monoMs: number): void {
    const { patterns } = this.#config
    if (coversAll(peer, patterns)) {
      this.#allMonoMs = monoMs
      this.#compared.clear()
      return
    }
    for (const { channel } of rows) this.#compared.set(channel, monoMs)
    for (const pattern of patterns)
      if (storesDue(peer, { pattern })) this.#compared.set(`=${pattern}`, monoMs)
  }

  #heard(step: Step, peer: SyncPeer): void {
    peer.unanswered = 0
    peer.heardMonoMs = step.now.monoMs
  }

  /**
   * Once: suspect, asked again at once. Twice: a black hole, so the connection ends and peers dial anew. One of whom other
   * things come is late: on a host that has too much to do a link made anew costs more than the answer did.
   */
  #unanswered(step: Step, journey: Journey, peer: SyncPeer, code: Code, alive: boolean): void {
    if (!this.#peers.has(peer.peer)) return
    peer.unanswered += 1
    if (peer.unanswered < (alive ? MAX_UNANSWERED_ALIVE : MAX_UNANSWERED)) {
      this.#start(step, journey, peer)
      return
    }
    const text = `no answer to sync, ${peer.unanswered} times (${code}); the connection is closed and dialled anew`
    step.emit({ kind: 'note', level: 'warn', code: 'NET_TIMEOUT', text, peer: peer.peer })
    step.emit({ kind: 'hangUp', peer: peer.peer, code: 'NET_TIMEOUT' })
    this.#peers.delete(peer.peer)
    this.#end(step, peer.peer, 'unanswered')
    this.#probe(step, journey)
  }

  /** Where one connection has died silently, others may have: ask those that were silent longest. */
  #probe(step: Step, journey: Journey): void {
    const idle = [...this.#peers.values()].filter(({ peer }) => !this.#rounds.has(peer))
    for (const peer of longestSilent(idle, step.now.monoMs)) this.#start(step, journey, peer)
  }

  /** One push at a time, and none beside a comparison: two streams would be one too many for the other side. */
  #pump(step: Step, journey: Journey, peer: SyncPeer): void {
    if (peer.pushing !== undefined || peer.offers.size === 0 || this.#rounds.has(peer.peer)) return
    const envelopes = nextOffers(peer, (release) => journey.envelope(release), this.#config.limits)
    if (envelopes.length > 0) peer.pushing = askSync(step, peer, { type: 'push', envelopes })
  }

  #plan(step: Step): void {
    const { limits, random } = this.#config
    this.#nextMonoMs = step.now.monoMs + limits.syncIntervalMs * (DUE_SHARE + 2 * (1 - DUE_SHARE) * random())
    step.wakeAt(this.#nextMonoMs)
  }
}

export const createSync = (config: CoreConfig, beacons: BeaconBook): Sync => new Sync(config, beacons)
