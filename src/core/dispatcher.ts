/** One event in, effects out. What each event means for which stage stands here and nowhere else. */
import { sha256 } from '../codec/digest.ts'
import { decodeControlGossip } from '../codec/gossip.ts'
import { isMeshError } from '../errors.ts'
import type { Freshness } from '../model/beacon.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { Judgement } from '../trust/admission.ts'
import { onActivated, settleAll, settleCell, tickActivations } from './activate.ts'
import { type Announce, createAnnounce, type Gossip } from './announce.ts'
import type { Checks } from './checks.ts'
import type { CoreConfig } from './config.ts'
import type { Effect, GossipVerdict } from './effects.ts'
import type { Event, EventOf, Now, RequestId } from './events.ts'
import { Housekeeping, type PeersCompared, type UploadsUnderWay } from './housekeeping.ts'
import { writeEnvelope } from './ingest.ts'
import type { Heard, Journey } from './journey.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { OpenStep, StepCounter } from './open-step.ts'
import { OwnJourney } from './own-journey.ts'
import { restore } from './restore.ts'
import { RootBudget } from './roots/run.ts'
import { createRoots } from './roots.ts'
import { Serve } from './serve.ts'
import type { Session } from './session.ts'
import type { GatewayBook, KnownPeers, Said, Stage } from './stage.ts'
import { createState, type NodeState } from './state.ts'
import type { Step } from './step.ts'
import type { CoreChannelView, CoreFacts, CoreView, Readiness } from './view.ts'
import { type ChannelSources, channelViewOf, readinessOf, viewOf } from './view-of.ts'

/** The stages that others own the state of; tests put their own in. */
export interface Stages {
  readonly admit: Stage & {
    sessions(): Iterable<Session>
    session(peer: PeerId): Session | undefined
    own?(): Judgement | undefined
    onAnswered?(id: RequestId): void
  }
  readonly peers: Stage & KnownPeers
  readonly gateways: Stage & GatewayBook
  readonly freshness: Stage & {
    state(channel: Channel, journey: Journey, now: Now): Freshness
    page(digest: Digest): Uint8Array | undefined
    heardAny(): boolean
    lastHeard(): Pick<CoreView, 'beaconMonoMs' | 'heardBeacon'>
    silentKeys(journey: Journey, now: Now): number
  }
  readonly sync: Stage & PeersCompared
  readonly submit: Stage & { uploads?(): UploadsUnderWay }
  readonly bridge: Stage
}

export class Dispatcher implements CoreFacts {
  readonly #config: CoreConfig
  readonly #node: NodeState
  readonly #named: Stages
  /** In the order in which they hear of things. */
  readonly #stages: readonly Stage[]
  readonly #ledger: Ledger
  readonly #announce: Announce
  readonly #journey: OwnJourney
  readonly #housekeeping: Housekeeping
  readonly #serve: Serve
  readonly #counter = new StepCounter()
  /** Off gossip, by peer. */
  readonly #rootBytes = new RootBudget()
  /** Admitted in this step; the others hear of it once the event is through. */
  #admitted: PeerId[] = []
  /** Refused us in this step and said when to come back, or do not admit us, or we them. */
  #refused: { readonly peer: PeerId; readonly retryAfterMs: number | undefined }[] = []
  /** Goes round in the region since this step. */
  #said: Said[] = []

  constructor(config: CoreConfig, stages: Stages, checks: Checks) {
    this.#config = config
    this.#named = stages
    const { admit, peers, gateways, freshness, sync, submit, bridge } = stages
    this.#stages = [admit, peers, gateways, freshness, sync, submit, bridge]
    this.#node = createState(config, createRoots(config.root, config.limits, config.submit))
    this.#ledger = createLedger(this.#node)
    this.#announce = createAnnounce(config, checks)
    this.#journey = new OwnJourney(this.#node, this.#stages, {
      sessions: () => admit.sessions(),
      session: (peer) => admit.session(peer),
      gateways,
      patternsOf: (peer) => stages.peers.patterns?.(peer),
      hear: (step, topic, bytes, from) => this.#hear(step, { topic, bytes, from }),
      rootAdopted: () => this.#announce.forgetRejected(),
      fetchEnded: (step) => this.#housekeeping.collectSoon(step),
    })
    const content = this.#journey.fetch
    this.#serve = new Serve(config, {
      announced: (step, release, peer, of) => content.announced(step, this.#journey, release, peer, of),
      asked: (step, release, peer) => content.asked(step, this.#journey, release, peer),
      left: (step, digest) => content.left(step, this.#journey, digest),
      content,
      beaconPage: (digest) => stages.freshness.page(digest),
      address: (peer) => stages.peers.address?.(peer),
    })
    this.#housekeeping = new Housekeeping(this.#node, {
      sync: stages.sync,
      heardBeacon: () => stages.freshness.heardAny(),
      admitted: () => this.#journey.admitted(),
      review: (step, release) => this.#journey.review(step, release),
      uploads: () => stages.submit.uploads?.(),
      fetching: () => content.running(),
      reading: () => content.reading(),
    })
  }

  handle(event: Event, now: Now): readonly Effect[] {
    const step = new OpenStep(now, this.#config, this.#counter, (effect) => this.#seen(effect))
    this.#dispatch(step, event)
    for (let peer = this.#admitted.shift(); peer !== undefined; peer = this.#admitted.shift())
      this.#admit(step, peer)
    for (const { peer, retryAfterMs } of this.#refused.splice(0))
      this.#each((stage) => stage.onRefused?.(step, this.#journey, peer, retryAfterMs))
    for (let said = this.#said.shift(); said !== undefined; said = this.#said.shift())
      this.#saidOn(step, said)
    this.#housekeeping.afterEvent(step)
    return step.close()
  }

  view(now: Now): CoreView {
    return viewOf(this.#node, now, {
      ...this.#channelSources(now),
      sessions: [...this.#named.admit.sessions()],
      compared: (pattern) => this.#housekeeping.hasCompared(now, pattern),
      ...this.#named.freshness.lastHeard(),
      silentKeys: this.#named.freshness.silentKeys(this.#journey, now),
      own: this.#named.admit.own?.(),
      twin: this.#named.peers.twin(now.monoMs),
    })
  }

  channelView(channel: Channel, now: Now): CoreChannelView | undefined {
    return channelViewOf(this.#node, channel, now, this.#channelSources(now))
  }

  readiness(now: Now): Readiness {
    return readinessOf(this.#node, (pattern) => this.#housekeeping.hasCompared(now, pattern))
  }

  release(release: ReleaseId): Release | undefined {
    return this.#node.kept.get(release)?.release
  }

  envelope(release: ReleaseId): Uint8Array | undefined {
    return this.#node.kept.get(release)?.envelope
  }

  #channelSources(now: Now): ChannelSources {
    return {
      freshness: (cell) => this.#named.freshness.state(cell.state.channel, this.#journey, now),
      progress: (release) => this.#journey.fetch.progress(release),
    }
  }

  /** Every effect passes here before it leaves, whichever stage emits it. */
  #seen(effect: Effect): void {
    if (effect.kind === 'persist') this.#ledger.open(effect)
    else if (effect.kind === 'admit') this.#admitted.push(effect.peer)
    else if (effect.kind === 'hangUp' && (effect.retryAfterMs !== undefined || effect.judged))
      this.#refused.push({ peer: effect.peer, retryAfterMs: effect.retryAfterMs })
    else if (effect.kind === 'reply') this.#named.admit.onAnswered?.(effect.id)
    else if (effect.kind === 'publish') this.#said.push({ ...effect, how: 'own' })
  }

  #dispatch(step: Step, event: Event): void {
    switch (event.kind) {
      case 'started':
        return this.#started(step, event)
      case 'tick':
        return this.#tick(step)
      case 'connected':
        return this.#each((stage) => stage.onConnected?.(step, this.#journey, event))
      case 'disconnected':
        return this.#disconnected(step, event)
      case 'dialFailed':
        return this.#each((stage) => stage.onDialFailed?.(step, this.#journey, event))
      case 'gossip':
        return void this.#hear(step, event)
      case 'request':
        return this.#request(step, event)
      case 'reply':
      case 'requestFailed':
        return this.#answered(step, event)
      case 'misbehaved':
        // Another build's format is no reason to close: it was answered with the code.
        if (event.code === 'CODEC_UNSUPPORTED') return
        return step.emit({ kind: 'hangUp', peer: event.peer, code: event.code })
      case 'persisted':
        return this.#persisted(step, event)
      case 'persistFailed':
        return this.#persistFailed(step, event)
      case 'serving':
      case 'served':
        return this.#serve.onServed(step, event)
      case 'collected':
        this.#housekeeping.onCollected(step)
        this.#gone(step, event.digests)
        return this.#each((stage) => stage.onBlocksLost?.(step, this.#journey, event.digests))
      case 'blockRead':
      case 'blockLost':
        return this.#block(step, event)
      case 'envelopeLost':
        return writeEnvelope(this.#node, step, event.release)
      case 'activated':
        return this.#activated(step, event)
      case 'storeMode':
        this.#node.readOnly = event.readOnly ? (event.code ?? 'STORE_FULL') : undefined
        this.#node.isShort = event.short === true
        this.#journey.fetch.onStoreMode(step, this.#journey, event.readOnly, event.short)
        this.#housekeeping.onStoreMode(step)
        return settleAll(this.#node, step)
    }
  }

  #each(call: (stage: Stage) => void): void {
    for (const stage of this.#stages) call(stage)
  }

  #started(step: Step, event: EventOf<'started'>): void {
    restore(this.#node, step, event)
    this.#each((stage) => stage.onStarted?.(step, this.#journey, event))
    this.#housekeeping.onStarted(step)
    this.#journey.resume(step)
  }

  #tick(step: Step): void {
    this.#counter.spend()
    this.#each((stage) => stage.onTick?.(step, this.#journey))
    this.#journey.fetch.onTick(step, this.#journey)
    this.#serve.onTick(step, this.#journey)
    tickActivations(this.#node, step)
    this.#housekeeping.onTick(step)
  }

  #admit(step: Step, peer: PeerId): void {
    this.#each((stage) => stage.onAdmitted?.(step, this.#journey, peer))
    this.#journey.fetch.onAdmitted(step, this.#journey, peer)
  }

  #disconnected(step: Step, event: EventOf<'disconnected'>): void {
    const session = this.#journey.session(event.peer)
    this.#each((stage) => stage.onDisconnected?.(step, this.#journey, event, session))
    this.#serve.onDisconnected(event.peer)
    this.#journey.fetch.onDisconnected(step, this.#journey, event.peer)
    this.#announce.forgetPeer(event.peer)
  }

  #saidOn(step: Step, said: Said): void {
    this.#each((stage) => stage.onSaid?.(step, this.#journey, said))
  }

  /** A message of a topic, off gossip or over the bridge. */
  #hear(step: Step, message: Gossip): Heard {
    const heard = message.topic === 'releases' ? this.#release(step, message) : this.#control(step, message)
    const { topic, bytes } = message
    const how = heard.verdict === 'accept' ? 'relayed' : heard.known ? 'known' : undefined
    // What the bridge brought is said by the bridge.
    if (how === undefined || message.id === undefined) return heard
    const said = { topic, bytes, how } as const
    if (topic === 'control' || heard.id === undefined) this.#said.push(said)
    else this.#said.push({ ...said, release: heard.id as string as ReleaseId })
    return heard
  }

  #release(step: Step, message: Gossip): Heard {
    const announced = this.#announce.open(step, message)
    if ('verdict' in announced) return announced
    const source = { via: 'gossip', peer: message.from } as const
    const ingested = this.#journey.take(step, announced.envelope, source, announced.content)
    const heard = this.#announce.conclude(step, message, announced, ingested)
    if (ingested.verdict === 'AHEAD') this.#journey.askAhead(step, message.from)
    return heard
  }

  #control(step: Step, message: Gossip): Heard {
    const id = sha256(message.bytes)
    const refused = this.#announce.refuses(step, message)
    if (refused !== undefined) return { verdict: refused, id, known: false }
    let verdict: GossipVerdict
    let known = false
    let notNow = false
    let urgent = false
    try {
      const { kind, envelope } = decodeControlGossip(message.bytes, this.#config.limits)
      urgent = kind === 'root'
      verdict = this.#controlVerdict(step, kind, envelope, message.from)
      known = verdict === 'ignore'
    } catch (error) {
      if (!isMeshError(error)) throw error
      step.emit({ kind: 'note', level: 'warn', code: error.code, text: error.message, peer: message.from })
      verdict = error.code === 'CODEC_MALFORMED' ? 'reject' : 'ignore'
      // Another build may know it, or allow more: whoever brings it over a border is not to blame.
      notNow = verdict === 'ignore'
    }
    this.#announce.verdict(step, message, verdict, urgent)
    return { verdict, id, known, notNow, blameless: notNow }
  }

  /** A root that does not fit may still be right for others, who know more: only what is no root at all is rejected. */
  #controlVerdict(
    step: Step,
    kind: 'root' | 'beacon' | 'heartbeat',
    envelope: Uint8Array,
    from: PeerId,
  ): GossipVerdict {
    if (kind !== 'root') {
      for (const stage of this.#stages) {
        const verdict = stage.onControl?.(step, this.#journey, kind, envelope, from)
        if (verdict !== undefined) return verdict
      }
      return 'ignore'
    }
    // The largest and costliest of documents to read, and the rarest.
    if (!this.#rootBytes.spend(from, envelope.length, step.now.monoMs, this.#config.limits)) {
      const text = 'more root bytes by gossip than a peer may send in a minute; the rest is not read'
      step.emit({ kind: 'note', level: 'debug', code: 'LIMIT_RATE', text, peer: from })
      return 'ignore'
    }
    const adoption = this.#journey.adoptRoot(step, envelope, from, 'gossip')
    if (adoption.kind === 'gap') this.#journey.askAhead(step, from)
    return adoption.kind === 'adopted' ? 'accept' : 'ignore'
  }

  #request(step: Step, event: EventOf<'request'>): void {
    for (const stage of this.#stages) if (stage.onRequest?.(step, this.#journey, event)) return
    if (this.#serve.onRequest(step, this.#journey, event)) return
    const message = { type: 'refused', code: 'NET_PROTOCOL', text: 'this node does not answer that' } as const
    step.emit({ kind: 'reply', id: event.id, reply: { protocol: event.request.protocol, message } })
  }

  #answered(step: Step, event: EventOf<'reply' | 'requestFailed'>): void {
    const mine = (stage: Pick<Stage, 'onReply' | 'onRequestFailed'>): boolean | undefined =>
      event.kind === 'reply'
        ? stage.onReply?.(step, this.#journey, event.id, event.reply)
        : stage.onRequestFailed?.(step, this.#journey, event.id, event.code, event.alive === true)
    for (const stage of [...this.#stages, this.#journey.fetch]) if (mine(stage)) return
  }

  #persisted(step: Step, event: EventOf<'persisted'>): void {
    const entry = this.#ledger.close(event)
    for (const digest of entry.blocks) {
      this.#journey.fetch.onBlock(step, this.#journey, digest)
      this.#serve.onBlock(step, this.#journey, digest)
    }
    for (const release of entry.whole)
      if (entry.doubtful) this.#journey.recheck(step, release)
      else this.#journey.whole(step, release)
    this.#housekeeping.onWritten(step, event, entry)
    this.#each((stage) => stage.onPersisted?.(step, this.#journey, event))
    for (const channel of entry.channels) this.#journey.durable(step, channel)
  }

  #persistFailed(step: Step, event: EventOf<'persistFailed'>): void {
    const entry = this.#ledger.fail(event)
    this.#journey.undoSubmission(event.ticket, entry.channels)
    this.#journey.fetch.onWriteFailed(step, entry.blocks, entry.whole)
    this.#housekeeping.onWriteFailed(step, event, entry)
    this.#each((stage) => stage.onPersistFailed?.(step, this.#journey, event))
    for (const channel of entry.channels) this.#settle(step, channel)
  }

  #block(step: Step, event: EventOf<'blockRead' | 'blockLost'>): void {
    if (event.kind === 'blockLost') {
      const counted = this.#node.blocks.has(event.digest)
      this.#housekeeping.onBlockLost(step, counted)
      // Said of whatever is read in vain, such as what is still on its way: nothing has counted on that.
      if (!counted) return
    }
    if (event.kind === 'blockLost' || event.bytes === undefined) this.#gone(step, [event.digest])
    if (event.kind === 'blockRead') {
      this.#each((stage) => stage.onBlockRead?.(step, this.#journey, event))
      this.#journey.fetch.onBlockRead(step, this.#journey, event)
    } else this.#each((stage) => stage.onBlocksLost?.(step, this.#journey, [event.digest]))
  }

  /** Fetches and what is being written as whole may have counted on these blocks. */
  #gone(step: Step, digests: readonly Digest[]): void {
    for (const digest of digests) this.#node.blocks.delete(digest)
    if (digests.length > 0) this.#ledger.doubt()
    this.#journey.fetch.onBlocksLost(step, this.#journey, digests)
  }

  #activated(step: Step, event: EventOf<'activated'>): void {
    const damaged = onActivated(this.#node, step, event)
    if (damaged !== undefined) this.#journey.refetch(step, damaged, true)
    this.#housekeeping.collectSoon(step)
    this.#settle(step, event.channel)
  }

  #settle(step: Step, channel: Channel): void {
    const cell = this.#node.cells.get(channel)
    if (cell !== undefined) settleCell(this.#node, step, cell)
  }
}
