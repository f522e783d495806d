/**
 * A node that is kept from updates says so. Seeds sign beacons of what is newest; nodes judge by them whether they are
 * behind, cut off, or whether a clock or a delay makes it impossible to say. Beacons change reports and start a sync,
 * never order or floor, so their keys may live on seeds.
 */
import { encodeControlGossip } from '../codec/gossip.ts'
import { MAX_TIME_MS } from '../codec/ids.ts'
import type { BeaconEntry, ChannelHash, Freshness as State } from '../model/beacon.ts'
import type { Channel, Digest, KeyId, PeerId } from '../model/ids.ts'
import type { AnyReply, BeaconMark } from '../model/messages.ts'
import { comparePlaces } from '../model/place.ts'
import type { TrustRoot } from '../model/root.ts'
import { ChannelHashes } from './channel-hashes.ts'
import type { CoreConfig } from './config.ts'
import type { GossipVerdict } from './effects.ts'
import type { EventOf, Now, RequestId } from './events.ts'
import { BeaconCache } from './freshness/beacon-cache.ts'
import { type BeaconCheck, checkBeacon } from './freshness/beacon-check.ts'
import { BeaconKeys, type Heard, isClockOrDelay, tooFarAhead } from './freshness/beacon-keys.ts'
import { BeaconPages, pageBits, pageIndex } from './freshness/beacon-pages.ts'
import { BeaconWants, type MissingPage } from './freshness/beacon-wants.ts'
import { DerivedPages } from './freshness/derived-pages.ts'
import { keysSince, NO_KEYS } from './freshness/keys-since.ts'
import { Lacking } from './freshness/lacking.ts'
import { FreshnessLog } from './freshness/notes.ts'
import { ownBeacon } from './freshness/own-beacon.ts'
import type { ChannelFacts, Journey } from './journey.ts'
import { EVERYTHING } from './session.ts'
import type { OrderedRelease, Stage } from './stage.ts'
import type { Step } from './step.ts'

/** How often states are looked at for a log line: a quarter of a beacon. */
const LOOKS_PER_BEACON = 4

export class Freshness implements Stage {
  readonly #config: CoreConfig
  readonly #keys: BeaconKeys
  readonly #wants = new BeaconWants()
  readonly #hashes = new ChannelHashes()
  readonly #own: BeaconPages
  readonly #pages = new BeaconCache()
  readonly #derived: DerivedPages
  /** When a current page that tells of the channel was last at hand. */
  readonly #pageHad = new Map<Channel, number>()
  readonly #lacking: Lacking
  #named = NO_KEYS
  #startMonoMs = 0
  #nextSignMonoMs = 0
  #nextLookMonoMs = 0
  #differs = false
  readonly #log = new FreshnessLog()

  constructor(config: CoreConfig) {
    this.#config = config
    this.#lacking = new Lacking(config.limits.beaconGraceMs)
    this.#keys = new BeaconKeys(config.limits)
    this.#own = new BeaconPages(this.#hashes, config.limits)
    this.#derived = new DerivedPages(this.#keys, this.#pages, this.#hashes, config.limits)
  }

  /** A page of a beacon, while current and for two beacons more: serve answers requests for it as for a block. */
  page(digest: Digest): Uint8Array | undefined {
    return this.#pages.bytes(digest)
  }

  /** Some beacon has come in this run, since the root names these keys. */
  heardAny(): boolean {
    return [...this.#keys.all()].some(({ receivedMonoMs }) => receivedMonoMs !== undefined)
  }

  /** When the newest beacon came, of whichever key; the start of the process where none has yet. */
  lastHeard(): ReturnType<BeaconKeys['lastHeard']> {
    return this.#keys.lastHeard()
  }

  /** Keys that the root names, other than our own, of which nothing was heard for as long as the root allows. */
  silentKeys(journey: Journey, now: Now): number {
    const { keys, maxAgeS } = journey.root().freshness
    const others = keys.filter((key) => key !== this.#config.signBeacon?.key)
    return others.filter((key) => this.#keys.isKeySilent(key, maxAgeS * 1_000, now)).length
  }

  marks(): readonly BeaconMark[] {
    return [...this.#keys.all()].map(({ beacon: { key, at } }) => ({ key, at }))
  }

  newerThan(have: readonly BeaconMark[], maxBytes: number): readonly Uint8Array[] {
    return this.#keys.newerThan(have, maxBytes)
  }

  /** Stored channels of which beacons have named something greater for longer than it may be on its way. */
  late(now: Pick<Now, 'monoMs'>): Iterable<Channel> {
    return this.#lacking.late(now)
  }

  takeDiffers(): boolean {
    const differs = this.#differs
    this.#differs = false
    return differs
  }

  /** True: some beacon names something that is not here. Keeps since when. */
  lacks({ now }: Step, journey: Journey): boolean {
    const { version, freshness } = journey.root()
    const named = this.#keys.within(freshness.maxAgeS * 1_000, now).map(({ beacon }) => beacon.root)
    this.#lacking.lookAtRoot(version, named, now)
    let behind = named.some((root) => root > version) || this.#namesUnknown(journey)
    for (const facts of journey.channels())
      if (facts.stored && this.#compare(now, journey, facts)) behind = true
    return behind
  }

  onStarted(step: Step, journey: Journey, { snapshot }: EventOf<'started'>): void {
    this.#startMonoMs = step.now.monoMs
    this.#keys.start(step.now.monoMs)
    for (const root of journey.roots()) this.#named = keysSince(this.#named, root)
    for (const { envelope } of snapshot.beacons) {
      const check = this.#check(journey, envelope)
      if (check.kind === 'valid') this.#keys.put(check.beacon, envelope, undefined)
    }
    this.#nextSignMonoMs = step.now.monoMs
    this.onTick(step, journey)
  }

  onTick(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    const { beaconIntervalMs } = this.#config.limits
    if (this.#config.signBeacon !== undefined) {
      if (monoMs >= this.#nextSignMonoMs) {
        this.#nextSignMonoMs = monoMs + beaconIntervalMs
        this.#sign(step, journey, this.#config.signBeacon)
      }
      step.wakeAt(this.#nextSignMonoMs)
    }
    for (const one of this.#keys.nextTurns(monoMs))
      this.#accept(step, journey, { ...one, receivedMonoMs: monoMs })
    step.wakeAt(this.#keys.nextTurnMonoMs(monoMs))
    this.#pump(step, journey)
    if (monoMs >= this.#nextLookMonoMs) {
      this.#nextLookMonoMs = monoMs + beaconIntervalMs / LOOKS_PER_BEACON
      this.#look(step, journey)
    }
    step.wakeAt(this.#nextLookMonoMs)
  }

  onControl(
    step: Step,
    journey: Journey,
    kind: 'beacon' | 'heartbeat',
    envelope: Uint8Array,
    from: PeerId,
  ): GossipVerdict | undefined {
    if (kind !== 'beacon') return undefined
    return this.#judge(step, journey, envelope, from)
  }

  /** By sync. What came from another region so is news to this one: where the bridge is down nobody else says it here. */
  take(step: Step, journey: Journey, envelope: Uint8Array, from: PeerId): void {
    const verdict = this.#judge(step, journey, envelope, from)
    const region = journey.session(from)?.hello?.region
    if (verdict !== 'accept' || region === undefined || region === journey.region) return
    step.emit({ kind: 'publish', topic: 'control', bytes: encodeControlGossip({ kind: 'beacon', envelope }) })
  }

  onReply(step: Step, journey: Journey, id: RequestId, reply: AnyReply): boolean {
    const got = this.#wants.take(id, reply)
    if (got === undefined) return false
    if (got.bytes !== undefined) this.#takePage(step, journey, got.digest, got.bytes, got.peer)
    this.#pump(step, journey)
    return true
  }

  onRequestFailed(step: Step, journey: Journey, id: RequestId): boolean {
    if (this.#wants.take(id, undefined) === undefined) return false
    this.#pump(step, journey)
    return true
  }

  onOrdered(step: Step, journey: Journey, { stored, release }: OrderedRelease): void {
    const facts = stored ? journey.channel(release.header.channel) : undefined
    if (facts !== undefined) this.#compare(step.now, journey, facts)
  }

  onRoot(step: Step, journey: Journey, root: TrustRoot): void {
    const { since } = this.#named
    this.#named = keysSince(this.#named, root)
    if (this.#named.since !== since) {
      this.#keys.reset()
      this.#lacking.reset()
      this.#log.reset()
      this.#pages.keep(this.#keys.served())
      // What this seed said before counts for nobody who has the root, as what others said does not here.
      this.#nextSignMonoMs = step.now.monoMs
      step.wakeAt(step.now.monoMs)
    }
    this.#refresh(step, journey)
  }

  /** What may be said of a channel; all but `fresh` and `unjudged` make it `stale`. */
  state(channel: Channel, journey: Journey, now: Now): State {
    const { keys, maxAgeS } = journey.root().freshness
    if (keys.length === 0) return 'unjudged'
    const whole = this.#nodeState(journey, now)
    if (whole === 'silent' || whole === 'behind') return whole
    const had = Math.max(this.#startMonoMs, this.#pageHad.get(channel) ?? 0)
    if (now.monoMs - had > maxAgeS * 1_000) return 'silent'
    const facts = journey.channel(channel)
    if (facts === undefined) return 'unjudged'
    if (this.#lacking.isLate(facts, now)) return 'behind'
    const named = this.#entriesOn(this.#pagesFor(journey, channel, now), channel)
    return named.length === 0 ? 'unjudged' : whole
  }

  /** What holds for every channel alike. */
  #nodeState(journey: Journey, now: Now): State {
    const { maxAgeS, maxSkewS } = journey.root().freshness
    const { limits } = this.#config
    if (this.#keys.isSilent(maxAgeS * 1_000, now)) return 'silent'
    if (this.#lacking.isRootLate(journey.root().version, now)) return 'behind'
    const heard = this.#keys.within(maxAgeS * 1_000, now)
    return isClockOrDelay(heard, (maxAgeS + maxSkewS) * 1_000, now, limits) ? 'clock-or-delay' : 'fresh'
  }

  /** Current pages of keys heard lately where the channel would be named; not all of them are at hand. */
  #pagesFor(journey: Journey, channel: Channel, now: Now): Digest[] {
    const heard = this.#keys.within(journey.root().freshness.maxAgeS * 1_000, now)
    return heard.flatMap((one) => this.#pageOf(one, this.#hashes.of(channel)) ?? [])
  }

  #entriesOn(pages: readonly Digest[], channel: Channel): BeaconEntry[] {
    const hash = this.#hashes.of(channel)
    return pages.flatMap((digest) => this.#pages.entries(digest)?.get(hash) ?? [])
  }

  #pageOf({ beacon }: Heard, hash: ChannelHash): Digest | undefined {
    const bits = pageBits(beacon.pages.length, this.#config.limits.maxBeaconPageBits)
    return bits === undefined ? undefined : beacon.pages[pageIndex(hash, bits)]
  }

  #check(journey: Journey, envelope: Uint8Array): BeaconCheck {
    const trust = { root: journey.root(), since: this.#named.since, blames: journey.isRootCertain() }
    const isSaid = (key: KeyId) => this.#log.isOfNewerBuild(key)
    return checkBeacon(envelope, trust, (key) => this.#keys.at(key), isSaid, this.#config.limits)
  }

  #judge(step: Step, journey: Journey, envelope: Uint8Array, from: PeerId): GossipVerdict {
    const check = this.#check(journey, envelope)
    if (check.kind === 'reject') {
      step.emit({ kind: 'note', level: 'warn', code: check.code, text: check.text, peer: from })
      return 'reject'
    }
    if (check.kind === 'unsupported') {
      this.#log.newerBuild(step, check.key)
      return 'ignore'
    }
    // A key of a root we do not have yet: who took the beacon in has that, and the beacon comes again. Nobody else is asked:
    // no signature says that there is such a root.
    if (check.kind === 'ignore') {
      const root = check.beacon?.root ?? 0
      if (root > journey.root().version) journey.askAhead(step, from)
      return 'ignore'
    }
    const valid = { beacon: check.beacon, envelope }
    // After the signature: forged ones take no honest key's turn.
    if (this.#keys.takesTurn(valid, step.now.monoMs)) {
      this.#accept(step, journey, { ...valid, receivedMonoMs: step.now.monoMs })
      return 'accept'
    }
    step.wakeAt(this.#keys.nextTurnMonoMs(step.now.monoMs))
    return 'ignore'
  }

  #accept(step: Step, journey: Journey, { beacon, envelope, receivedMonoMs }: Omit<Heard, 'pages'>): void {
    this.#keys.put(beacon, envelope, receivedMonoMs)
    const writes = [{ kind: 'beacon', key: beacon.key, at: beacon.at, envelope }] as const
    step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: false })
    this.#pages.keep(this.#keys.served())
    this.#refresh(step, journey)
    this.#pump(step, journey)
  }

  /** Compares own channels with every current page that is at hand, and wants those that are not. */
  #refresh(step: Step, journey: Journey): void {
    const heard = this.#keys.within(journey.root().freshness.maxAgeS * 1_000, step.now)
    const missing: MissingPage[] = []
    for (const facts of journey.channels()) {
      if (!facts.stored) continue
      const hash = this.#hashes.of(facts.channel)
      for (const one of heard) {
        const digest = this.#pageOf(one, hash)
        if (digest === undefined) continue
        if (!this.#pages.has(digest)) missing.push({ digest, channel: facts.channel })
        else if (this.#pages.tellsOf(digest, hash, this.#config.limits))
          this.#pageHad.set(facts.channel, step.now.monoMs)
      }
    }
    this.#wantAll(step, heard, missing)
    if (this.lacks(step, journey)) this.#say(step)
  }

  /** Asks for the pages that are due, but for those that can be made here by now. */
  #pump(step: Step, journey: Journey): void {
    const made = this.#wants.newlyDue(step.now.monoMs).filter((digest) => this.#derived.make(journey, digest))
    for (const digest of made) this.#wants.done(digest)
    if (made.length > 0) this.#refresh(step, journey)
    this.#wants.pump(step, journey)
  }

  /** A node that stores everything wants every page: channels it has never heard of are on them, too. */
  #wantAll(step: Step, heard: readonly Heard[], missing: MissingPage[]): void {
    if (this.#config.patterns.includes(EVERYTHING))
      for (const { beacon } of heard)
        for (const digest of beacon.pages)
          if (!this.#pages.has(digest)) missing.push({ digest, channel: undefined })
    this.#wants.want(step, this.#pages.isFull(this.#config.limits) ? [] : missing)
  }

  /** Where everything is stored, a name on a page that is unknown here is something we lack. */
  #namesUnknown(journey: Journey): boolean {
    if (!this.#config.patterns.includes(EVERYTHING)) return false
    const known = new Set<ChannelHash>()
    for (const { channel } of journey.channels()) known.add(this.#hashes.of(channel))
    for (const digest of this.#keys.current())
      for (const hash of this.#pages.entries(digest)?.keys() ?? []) if (!known.has(hash)) return true
    return false
  }

  /** True: a page names something of this channel that is not here. Keeps since when a greater place is named. */
  #compare(now: Now, journey: Journey, facts: ChannelFacts): boolean {
    if (!this.#pageHad.has(facts.channel)) this.#pageHad.set(facts.channel, now.monoMs)
    const { top, ids } = facts.floor
    const own = facts.held ? 'held' : (ids[0] ?? 'none')
    const pages = this.#pagesFor(journey, facts.channel, now)
    const named = this.#entriesOn(pages, facts.channel)
    const hasPages = pages.length > 0 && pages.every((digest) => this.#pages.has(digest))
    const tops = named.map((entry) => entry.top)
    this.#lacking.lookAt(facts, tops, hasPages, now)
    return named.some((entry) => {
      const order = comparePlaces(entry.top, top)
      return order > 0 || (order === 0 && entry.target !== own)
    })
  }

  /** Sync looks for this at its next tick. */
  #say(step: Step): void {
    this.#differs = true
    step.wakeAt(step.now.monoMs)
  }

  #takePage(step: Step, journey: Journey, digest: Digest, bytes: Uint8Array, from: PeerId): void {
    const problem = this.#pages.take(digest, bytes, this.#config.limits)
    if (problem !== undefined) {
      step.emit({ kind: 'note', level: 'warn', code: problem.code, text: problem.text, peer: from })
      return
    }
    this.#wants.done(digest)
    this.#refresh(step, journey)
  }

  #sign(step: Step, journey: Journey, signer: NonNullable<CoreConfig['signBeacon']>): void {
    const { key } = signer
    const root = journey.root()
    const { keys, maxAgeS, maxSkewS } = root.freshness
    if (!keys.includes(key)) return this.#log.unnamed(step, key, root.version)
    // Only a later `at` is news, also after a clock that was ahead has been set right.
    const at = Math.max(step.now.wallMs, this.#keys.at(key) + 1)
    if (at > MAX_TIME_MS) return this.#log.spent(step, key)
    this.#log.ownAhead(step, key, at - step.now.wallMs, (maxAgeS + maxSkewS) * 1_000)
    const pages = this.#own.build(journey)
    this.#log.leftOut(step, this.#own.leftOut())
    for (const { digest, bytes, page } of pages) this.#pages.put(digest, bytes, page)
    const digests = pages.map(({ digest }) => digest)
    const { beacon, envelope } = ownBeacon(signer, root, at, digests)
    // Where others are named, one that nobody is there to hear says nothing: a seed cut off from all would never tell.
    const counts = root.freshness.keys.length === 1 || [...journey.admitted()].length > 0
    const receivedMonoMs = counts ? step.now.monoMs : this.#keys.get(key)?.receivedMonoMs
    this.#accept(step, journey, { beacon, envelope, receivedMonoMs })
    const bytes = encodeControlGossip({ kind: 'beacon', envelope })
    step.emit({ kind: 'publish', topic: 'control', bytes })
  }

  /** Log lines where something changed since the last look. */
  #look(step: Step, journey: Journey): void {
    const { keys, maxAgeS } = journey.root().freshness
    if (keys.length === 0) return
    const state = this.#nodeState(journey, step.now)
    this.#log.node(step, state)
    // Where the node can say nothing, what was said of its channels stands.
    for (const facts of state === 'fresh' ? journey.channels() : []) {
      if (!facts.stored) continue
      const its = this.state(facts.channel, journey, step.now)
      if (its === 'behind' || (its !== 'silent' && !this.#lacking.lacks(facts)))
        this.#log.channel(step, facts.channel, its === 'behind')
    }
    const heard = this.#keys.within(maxAgeS * 1_000, step.now)
    this.#log.ahead(step, tooFarAhead(heard, step.now, this.#config.limits))
  }
}

export const createFreshness = (config: CoreConfig): Freshness => new Freshness(config)
