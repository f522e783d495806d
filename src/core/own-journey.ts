/** The node as its stages see it, and what follows when a release is ordered, durable or whole, or a root adopted. */
import { encodeControlGossip } from '../codec/gossip.ts'
import type { Code } from '../errors.ts'
import type { Channel, Digest, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import type { Place } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Adoption } from '../trust/chain.ts'
import { epochOf } from '../trust/epoch.ts'
import { cameAfterAll, settleAll, settleCell } from './activate.ts'
import type { Ticket, Topic } from './events.ts'
import { Fetch } from './fetch.ts'
import { fetchedOf, isAwaited, sayFailed } from './fetched.ts'
import { type Content, dropUnneeded, ingest, type Outcome } from './ingest.ts'
import { releaseGossip } from './inline.ts'
import type { ChannelFacts, Heard, Ingested, Journey, KeptOut, Source } from './journey.ts'
import { isYoung } from './onward.ts'
import { placeOf } from './order.ts'
import type { OverLimit } from './over-limit.ts'
import { observeDelay } from './publish-delay.ts'
import { raiseEpochs } from './raise-epochs.ts'
import { noteRefused } from './roots/refused.ts'
import { type AdmittedSession, isAdmitted, type Session } from './session.ts'
import type { GatewayBook, Stage } from './stage.ts'
import { type Cell, factsOf, isDurable, type Kept, keptOut, type NodeState } from './state.ts'
import type { Step } from './step.ts'
import { undoSubmission } from './undo-submission.ts'
import { unwhole } from './unwhole.ts'
import type { Write } from './writes.ts'

export interface JourneyHooks {
  readonly gateways: GatewayBook
  patternsOf(peer: PeerId): readonly Pattern[] | undefined
  hear(step: Step, topic: Topic, bytes: Uint8Array, from: PeerId): Heard
  sessions(): Iterable<Session>
  session(peer: PeerId): Session | undefined
  rootAdopted(): void
  fetchEnded(step: Step): void
}

export class OwnJourney implements Journey {
  readonly fetch: Fetch
  readonly #node: NodeState
  readonly #stages: readonly Stage[]
  readonly #hooks: JourneyHooks
  /**
   * Submissions on their way to disk: what is said of them on the topic once they are whole. It holds a whole small release,
   * and goes with what is kept of it: one that is replaced on the way is never whole.
   */
  readonly #toSay = new WeakMap<Kept, { readonly bytes: Uint8Array; readonly inline: boolean }>()

  /** Named by another seed, to be fetched: see `#pull`. */
  readonly #toPull = new Set<ReleaseId>()

  constructor(node: NodeState, stages: readonly Stage[], hooks: JourneyHooks) {
    this.#node = node
    this.#stages = stages
    this.#hooks = hooks
    this.fetch = new Fetch(node.config, {
      failed: (step, channel, release, ...what) => {
        sayFailed(node, step, channel, release, ...what)
        this.#tellOver(step, release, this.fetch.refusal(release))
      },
      isAwaited: (channel, release) => {
        const cell = node.cells.get(channel)
        return cell !== undefined && isAwaited(cell, release)
      },
      lacks: (step, release) => unwhole(node, step, release),
      ended: (step) => hooks.fetchEnded(step),
    })
  }

  get region(): string {
    return this.#node.config.region
  }

  patternsOf(peer: PeerId): readonly Pattern[] | undefined {
    return this.session(peer)?.hello?.patterns ?? this.#hooks.patternsOf(peer)
  }

  gateways(region: string): readonly PeerId[] {
    return this.#hooks.gateways.of(region)
  }

  regions(): readonly string[] {
    const linked = [...this.admitted()].map(({ hello }) => hello.region)
    return [...new Set([...this.#hooks.gateways.regions(), ...linked])].sort()
  }

  stands(peer: PeerId): boolean {
    return this.#hooks.gateways.stands(peer)
  }

  keeps(peer: PeerId): boolean {
    return this.#hooks.gateways.keeps(peer)
  }

  heartbeats(): readonly Uint8Array[] {
    return this.#hooks.gateways.heartbeats()
  }

  hear(step: Step, topic: Topic, bytes: Uint8Array, from: PeerId): Heard {
    return this.#hooks.hear(step, topic, bytes, from)
  }

  get fleetId() {
    return this.#node.roots.fleetId()
  }

  root(): TrustRoot {
    return this.#node.roots.current()
  }

  *roots(): Iterable<TrustRoot> {
    for (const { root } of this.#node.roots.all().values()) yield root
  }

  isRootCertain(): boolean {
    const { roots } = this.#node
    const { version } = roots.current()
    // A fork is told by the root before; the first one is what the fleet is named after.
    return roots.undisputed(version) !== undefined && (version === 1 || roots.kept(version - 1) !== undefined)
  }

  rootDigest(): Digest {
    return this.#node.roots.chain().currentDigest
  }

  rootEnvelope(version: number): Uint8Array | undefined {
    return this.#node.roots.all().get(version)?.envelope
  }

  rootOnDisk(version: number): 'yes' | 'writing' | Code {
    return this.#node.unsavedRoots.get(version) ?? 'yes'
  }

  lacksRootAfter(): number {
    return this.#node.roots.lacksAfter()
  }

  /** Durable before what it raises, which may be thousands of files; said on the control topic unless gossip brought it. */
  adoptRoot(step: Step, envelope: Uint8Array, from: PeerId | undefined, via?: 'gossip'): Adoption {
    const { roots } = this.#node
    const before = roots.unreadable()
    const adoption = roots.adopt(envelope)
    if (adoption.kind !== 'adopted') {
      if (adoption.kind === 'old') this.#fillRoots(step, envelope)
      noteRefused(step, adoption, from, adoption.text === before)
      return adoption
    }
    const { root } = adoption
    raiseEpochs(this.#node, root)
    const writes: Write[] = [{ kind: 'root', version: root.version, envelope }]
    step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: true })
    step.emit({ kind: 'note', level: 'info', code: 'ROOT_ADOPTED', text: `root ${root.version} is current` })
    this.#hooks.rootAdopted()
    for (const stage of this.#stages) stage.onRoot?.(step, this, root)
    if (via !== 'gossip')
      step.emit({ kind: 'publish', topic: 'control', bytes: encodeControlGossip({ kind: 'root', envelope }) })
    settleAll(this.#node, step)
    return adoption
  }

  /** Below the current root some lack, by damage or since a seed began with it: they are kept and given to others, and decide nothing here before the next start. */
  #fillRoots(step: Step, envelope: Uint8Array): void {
    const writes: Write[] = this.#node.roots
      .fill(envelope)
      .map((kept) => ({ kind: 'root', version: kept.root.version, envelope: kept.envelope }))
    if (writes.length > 0) step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: true })
  }

  ingest(step: Step, envelope: Uint8Array, source: Source, hold?: 'judge-only'): Ingested {
    if (hold === 'judge-only') return ingest(this.#node, step, envelope, source, { judgeOnly: true })
    const outcome = this.take(step, envelope, source, undefined)
    if (outcome.verdict === 'AHEAD' && source.peer !== undefined) this.askAhead(step, source.peer)
    return outcome
  }

  ingestWhole(step: Step, envelope: Uint8Array, content: Content, source: Source): Outcome {
    const ingested = ingest(this.#node, step, envelope, source, { content, undoable: true })
    const outcome = this.#ordered(step, envelope, source, ingested)
    const { release, ticket } = outcome
    const kept = release === undefined ? undefined : this.#node.kept.get(release.id)
    if (kept === undefined || ticket === 0) return outcome
    const bytes = releaseGossip(kept.release, envelope, content, this.#node.config.limits)
    this.#toSay.set(kept, { bytes, inline: bytes.length > envelope.length + 64 })
    return outcome
  }

  undoSubmission(ticket: Ticket, channels: readonly Channel[]): void {
    undoSubmission(this.#node, ticket, channels, (kept) => this.#toSay.delete(kept))
  }

  /** A release off the network. Content counts where it makes the target whole; a duplicate's may be wanted by fetch. */
  take(step: Step, envelope: Uint8Array, source: Source, content: Content | undefined): Outcome {
    const options = content === undefined ? {} : { content, onlyForTarget: true }
    const outcome = ingest(this.#node, step, envelope, source, options)
    if (outcome.whole || outcome.verdict !== 'DUPLICATE')
      return this.#ordered(step, envelope, source, outcome)
    let fills = false
    for (const [digest, bytes] of content ?? []) fills = this.fetch.offer(step, this, digest, bytes) || fills
    if (content !== undefined && outcome.release !== undefined)
      fills = this.fetch.cameEarly(outcome.release.id, content) || fills
    return { ...outcome, fills }
  }

  #ordered(step: Step, envelope: Uint8Array, source: Source, outcome: Outcome): Outcome {
    const { verdict, release, over } = outcome
    if (release !== undefined) this.#tellOver(step, release.id, over)
    if (release === undefined || (verdict !== 'NEW' && verdict !== 'TWIN' && verdict !== 'CONCURRENT'))
      return outcome
    const stored = this.#node.cells.get(release.header.channel)?.stored === true
    if (source.via === 'gossip' || isYoung(release, step.now)) this.fetch.heard(release.id)
    if (verdict === 'NEW' && stored && !outcome.whole) this.fetch.awaits(release.id)
    const ordered = { release, envelope, verdict, source, stored }
    for (const stage of this.#stages) stage.onOrdered?.(step, this, ordered)
    return outcome
  }

  #tellOver(step: Step, release: ReleaseId, over: OverLimit | undefined): void {
    if (over !== undefined) for (const stage of this.#stages) stage.onOverLimit?.(step, this, release, over)
  }

  /** Only the peer that named the root is asked for it, once a minute. */
  askAhead(step: Step, peer: PeerId): void {
    if (!this.#node.roots.mayAsk(peer, step.now.monoMs)) return
    for (const stage of this.#stages) stage.onAhead?.(step, this, peer)
  }

  *channels(): Iterable<ChannelFacts> {
    for (const cell of this.#node.cells.values()) yield factsOf(cell)
  }

  channel(channel: Channel): ChannelFacts | undefined {
    const cell = this.#node.cells.get(channel)
    return cell === undefined ? undefined : factsOf(cell)
  }

  keptOut(channel: Channel): KeptOut | undefined {
    // one kept for its floor alone takes nothing: the content would be given up again
    if (this.#node.cells.get(channel)?.stored === false) return 'patterns'
    return keptOut(this.#node, channel)
  }

  envelope(release: ReleaseId): Uint8Array | undefined {
    return this.#node.kept.get(release)?.envelope
  }

  channelOf(release: ReleaseId): Channel | undefined {
    return this.#node.kept.get(release)?.channel
  }

  isWhole(release: ReleaseId): boolean {
    return this.#node.whole.has(release)
  }

  overLimit(release: ReleaseId): OverLimit | undefined {
    return this.#node.kept.has(release) ? this.fetch.refusal(release) : this.#node.overLimits.of(release)
  }

  hasBlock(digest: Digest): boolean {
    return this.#node.blocks.has(digest)
  }

  get readOnly(): Code | undefined {
    return this.#node.readOnly
  }

  get takesNoBlocks(): boolean {
    return this.#node.readOnly !== undefined || this.#node.isShort
  }

  sessions(): Iterable<Session> {
    return this.#hooks.sessions()
  }

  *admitted(): Iterable<AdmittedSession> {
    for (const session of this.#hooks.sessions()) if (isAdmitted(session)) yield session
  }

  session(peer: PeerId): Session | undefined {
    return this.#hooks.session(peer)
  }

  place(release: Release): Place {
    return placeOf(release, epochOf(this.root(), release.header.channel))
  }

  hand(step: Step, pages: readonly Uint8Array[]): void {
    this.fetch.hand(step, this, pages)
  }

  handed(release: Release): readonly Uint8Array[] {
    return this.fetch.handed(release)
  }

  stuckChannels(monoMs: number, ms: number): ReadonlySet<Channel> {
    return new Set(this.fetch.stuck(monoMs, ms).map(({ channel }) => channel))
  }

  fetchFrom(step: Step, release: ReleaseId, peer: PeerId): boolean {
    const kept = this.#node.kept.get(release)
    const cell = kept === undefined ? undefined : this.#node.cells.get(kept.channel)
    if (kept === undefined || cell?.stored !== true) return false
    if (isDurable(cell)) this.fetch.start(step, this, kept.release)
    else this.#toPull.add(release)
    this.fetch.announced(step, this, release, peer, { whole: true })
    return true
  }

  /** Fetched once order is on disk, or `whole` would come before envelope and floor, and be acknowledged without them. */
  #pull(step: Step, cell: Cell): void {
    for (const release of this.#toPull) {
      const kept = this.#node.kept.get(release)
      if (kept !== undefined && kept.channel !== cell.state.channel) continue
      this.#toPull.delete(release)
      if (kept !== undefined) this.fetch.start(step, this, kept.release)
    }
  }

  /** Stored content turned out to be damaged. With `check` every block is read; what is bad or gone is fetched anew. */
  refetch(step: Step, release: ReleaseId, check: boolean): void {
    const kept = this.#node.kept.get(release)
    if (kept === undefined) return
    this.fetch.stop(step, release)
    this.fetch.start(step, this, kept.release, check ? 'check' : 'new')
  }

  /** A block was lost, and may be one of its own: it counts as whole until its pages are read and name what is gone. */
  review(step: Step, release: ReleaseId): void {
    const kept = this.#node.kept.get(release)
    if (kept !== undefined) this.fetch.start(step, this, kept.release, 'review')
  }

  /**
   * A block was lost while `whole` was being written, and may be one of its own: collection met an upload or a fetch that
   * counted on it. The record is taken back, the manifest read again, what is missing fetched, and `whole` written anew.
   */
  recheck(step: Step, release: ReleaseId): void {
    unwhole(this.#node, step, release)
    this.refetch(step, release, false)
  }

  /** After start: what is active is checked on disk, what is missing fetched, what is whole activated. */
  resume(step: Step): void {
    for (const cell of this.#node.cells.values()) {
      cell.restoring = cell.stored && cell.state.active !== undefined
      this.#fetchTarget(step, cell)
      settleCell(this.#node, step, cell)
    }
  }

  /** The ordered state of a channel is on disk. */
  durable(step: Step, channel: Channel): void {
    const cell = this.#node.cells.get(channel)
    if (cell === undefined || !isDurable(cell)) return
    // what a submission replaces stays until that is on disk
    const writes = dropUnneeded(this.#node, cell)
    if (writes.length > 0) step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: false })
    for (const stage of this.#stages) stage.onDurable?.(step, this, channel)
    this.#fetchTarget(step, cell)
    this.#pull(step, cell)
    settleCell(this.#node, step, cell)
  }

  /** A newer target ends an older fetch; its blocks stay. What is fetched beside it, and for how long: `fetched.ts`. */
  #fetchTarget(step: Step, cell: Cell): void {
    const { heads } = cell.state
    const needed = fetchedOf(cell)
    for (const release of this.fetch.running(cell.state.channel)) {
      if (needed.has(release) || heads.some((head) => head.id === release)) continue
      this.fetch.stop(step, release)
    }
    for (const release of needed) {
      const kept = release === undefined ? undefined : this.#node.kept.get(release)
      if (kept !== undefined && cell.stored) this.fetch.start(step, this, kept.release)
    }
  }

  /** Every byte of a release is on disk: say so, then let it become active. */
  whole(step: Step, release: ReleaseId): void {
    const kept = this.#node.kept.get(release)
    if (kept === undefined) return
    const { channel } = kept.release.header
    const ms = this.fetch.onWhole(step, release)
    if (ms !== undefined) step.emit({ kind: 'observe', metric: 'fetch', ms })
    observeDelay(this.#node, step, 'publish_to_whole', kept.release.header)
    const own = this.#toSay.get(kept)
    this.#toSay.delete(kept)
    if (own !== undefined) step.emit({ kind: 'publish', topic: 'releases', bytes: own.bytes })
    // What gossip carried whole need not be offered: the neighbours got it the same way.
    if (own?.inline === false) this.fetch.onSubmitted(step, release, channel)
    for (const stage of this.#stages) stage.onWhole?.(step, this, channel, release)
    const cell = this.#node.cells.get(channel)
    if (cell === undefined) return
    cameAfterAll(cell, release)
    if (isDurable(cell)) settleCell(this.#node, step, cell)
  }
}
