/** A core among members of its fleet that say anything in any order, some of it broken: it never throws and keeps to its bounds. */
import { randomOf } from '../../scripts/chaos/random.ts'
import { isLast, isNotice } from '../../src/codec/messages.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { createNode, type NodeCore } from '../../src/core/node.ts'
import { EMPTY_SNAPSHOT } from '../../src/core/snapshot.ts'
import { LIMITS, type Limits } from '../../src/limits.ts'
import type { Digest, Pattern, PeerId } from '../../src/model/ids.ts'
import type { AnyRequest, Protocol } from '../../src/model/messages.ts'
import type { ActivationOutcome, Effect, Event } from '../../src/runtime/ports.ts'
import { keyNamed } from '../../src/sim/keys.ts'
import { addressOf } from '../../src/sim/network.ts'
import { heartbeatsOf } from '../../src/sim/own-records.ts'
import { EPOCH_MS } from '../../src/sim/time.ts'
import { CONTENT, MEMBERS, type Member, ROOTS, SELF, signBeacon } from './fleet.ts'
import { Oracle } from './oracle.ts'
import { helloOf, openOf } from './sayings.ts'
import { Speech } from './speech.ts'

const STEPS = 80
/** Of all sequences so many begin with members that are admitted. */
const JOINED_SHARE = 0.8
const TIGHT_SHARE = 0.3
/** So many wakes in a row take so long at least where nobody says anything: a fetch looks every 100 ms. */
const WAKES = 40
const REST_MS = 200
/** So little that each bound is met within a sequence. */
const TIGHT: Limits = {
  ...LIMITS,
  ...{ maxChannels: 1, maxRelayedChannels: 1, maxServedAtOnce: 1, maxServed: 1, maxServedBySeed: 2 },
  ...{ maxStanding: 1, maxWantsPerSeed: 1, maxBridgeWanted: 1, maxBridgeItems: 2, maxBridgeSources: 1 },
  ...{ maxLeases: 1, maxUploads: 1, maxAnswered: 1, maxOffers: 1, maxHeartbeats: 1, maxRegions: 1 },
}

export interface Played {
  /** What was thrown, or undefined. */
  readonly fault: string | undefined
  /** See `Oracle.reached`. */
  readonly reached: ReadonlySet<string>
}

/**
 * @param submit the core is a seed
 * @param protocols those that members ask in, once they are admitted
 */
export function playSequence(seed: number, submit: boolean, protocols?: readonly Protocol[]): Played {
  const sequence = new Sequence(seed, submit, protocols)
  const { reached } = sequence.oracle
  try {
    sequence.play()
    return { fault: undefined, reached }
  } catch (error) {
    return { fault: String((error as Error).stack ?? error), reached }
  }
}

class Sequence {
  readonly oracle: Oracle
  readonly #random: ReturnType<typeof randomOf>
  readonly #speech: Speech
  readonly #node: NodeCore
  readonly #connected = new Set<PeerId>()
  readonly #ending = new Set<PeerId>()
  /** What the core wants done, and has not heard of yet. */
  #asked: EffectOf<'request'>[] = []
  #tickets: number[] = []
  #reads: Digest[] = []
  #served: number[] = []
  #activations: EffectOf<'activate'>[] = []
  #dials: EffectOf<'dial'>[] = []
  #wakeMonoMs = 0
  #monoMs = 0
  #lastId = 1_000_000

  constructor(seed: number, submit: boolean, protocols?: readonly Protocol[]) {
    const random = randomOf(seed)
    const limits = random() < TIGHT_SHARE ? TIGHT : LIMITS
    this.#random = random
    this.oracle = new Oracle(limits)
    this.#speech = new Speech(seed, random, protocols)
    this.#node = createNode({
      ...{
        self: SELF.id,
        root: ROOTS[0] as Uint8Array,
        region: SELF.region,
        zone: 'a',
        chain: () => SELF.chain,
      },
      ...{ patterns: [submit ? '**' : 'app/**'] as Pattern[], seeds: [addressOf((MEMBERS[1] as Member).id)] },
      ...{ submit, keepReleases: 3, soakMs: 30_000, materialize: true, random, limits },
      ...(submit ? { signBeacon } : {}),
      peerRecord: () => SELF.record,
      signHeartbeat: heartbeatsOf(keyNamed('fuzz self'), SELF.region, SELF.chain),
    })
  }

  play(): void {
    this.#hear({ kind: 'started', snapshot: EMPTY_SNAPSHOT })
    if (this.#random() < JOINED_SHARE) this.#begin()
    for (let step = 0; step < STEPS; step += 1) {
      this.#monoMs += this.#random() < 0.05 ? this.#random.between(0, 120_000) : this.#random.between(0, 500)
      for (const peer of this.#ending) if (this.#random() < 0.8) this.#leave(peer)
      this.#random.pick(this.#happenings)()
    }
    this.#rest()
  }

  /** Nobody says anything any more: a core that asks to be woken again and again at once goes round in a circle. */
  #rest(): void {
    const fromMs = this.#monoMs
    for (let wakes = 0; wakes < WAKES; wakes += 1) {
      this.#monoMs = Math.max(this.#monoMs, this.#wakeMonoMs)
      this.#hear({ kind: 'tick' })
    }
    const restMs = this.#monoMs - fromMs
    if (restMs < REST_MS) throw new Error(`a core must not: wake ${WAKES} times in ${restMs} ms of quiet`)
  }

  /** Members are admitted, and there is a release with its content: what comes then meets something alive. */
  #begin(): void {
    for (const member of MEMBERS) if (this.#random() < 0.8) this.#join(member)
    const from = MEMBERS.find(({ id }) => this.#connected.has(id))
    if (from === undefined) return
    for (const bytes of this.#speech.firstReleases()) this.#gossip(from, 'releases', bytes)
    this.#finishWrites()
  }

  get #happenings(): readonly (() => void)[] {
    const member = this.#random.pick(MEMBERS)
    if (!this.#connected.has(member.id)) return [() => this.#join(member)]
    const spoken = () => this.#ask(member, this.#speech.request(member, this.#wallMs))
    const topic = this.#random.pick(['releases', 'control'] as const)
    return [
      ...[spoken, spoken, spoken, spoken, () => this.#talk(member)],
      ...[() => this.#answerOne(), () => this.#answerOne(), () => this.#answerOne()],
      () => this.#gossip(member, topic, this.#speech.gossip(topic, member, this.#wallMs)),
      () => this.#hear({ kind: 'tick' }),
      () => this.#hear({ kind: 'tick' }),
      () => this.#finishWrites(),
      () => this.#finishOthers(),
      () => this.#disturb(member),
    ]
  }

  /** Whole milliseconds, where the monotonic clock has parts of them. */
  get #wallMs(): number {
    return EPOCH_MS + Math.floor(this.#monoMs)
  }

  #hear(event: Event): void {
    const now = { monoMs: this.#monoMs, wallMs: this.#wallMs }
    this.oracle.hears(event, now)
    const effects = this.#node.handle(event, now)
    for (const effect of effects) this.#note(effect)
    this.oracle.says(event, effects, now)
    this.oracle.shows(this.#node.view(now))
  }

  #note(effect: Effect): void {
    if (effect.kind === 'request' && !isNotice(effect.request)) this.#asked.push(effect)
    else if (effect.kind === 'persist') this.#tickets.push(effect.ticket)
    else if (effect.kind === 'read') this.#reads.push(effect.digest)
    else if (effect.kind === 'serveBlock') this.#served.push(effect.id)
    else if (effect.kind === 'activate') this.#activations.push(effect)
    else if (effect.kind === 'dial') this.#dials.push(effect)
    else if (effect.kind === 'wake') this.#wakeMonoMs = effect.atMonoMs
    else if (effect.kind === 'hangUp') this.#ending.add(effect.peer)
  }

  /** As an honest node joins: one that is not admitted is told so. */
  #join(member: Member): void {
    const direction = this.#random.pick(['inbound', 'outbound'] as const)
    const ownHost = this.#random() < 0.3
    this.#connected.add(member.id)
    this.#ending.delete(member.id)
    this.#hear({ kind: 'connected', peer: member.id, direction, address: addressOf(member.id), ownHost })
    if (direction === 'inbound') {
      const open = { type: 'open', ...openOf(this.#speech.rootVersion) } as const
      this.#ask(member, { protocol: 'admit', message: open })
      this.#answerAdmission()
      this.#ask(member, { protocol: 'admit', message: helloOf(member, this.#wallMs) })
    }
    this.#answerAdmission()
  }

  #answerAdmission(): void {
    const next = () => this.#asked.findIndex(({ request }) => request.protocol === 'admit')
    for (let at = next(); at >= 0; at = next())
      for (const effect of this.#asked.splice(at, 1)) this.#answer(effect, true)
  }

  #leave(peer: PeerId): void {
    this.#ending.delete(peer)
    if (!this.#connected.delete(peer)) return
    this.#hear({ kind: 'disconnected', peer })
    const lost = this.#asked.filter((effect) => effect.peer === peer)
    this.#asked = this.#asked.filter((effect) => effect.peer !== peer)
    for (const { id } of lost) this.#hear({ kind: 'requestFailed', id, code: 'NET_UNREACHABLE' })
  }

  #ask(member: Member, request: AnyRequest): void {
    this.#lastId += 1
    this.#hear({ kind: 'request', id: this.#lastId, peer: member.id, request })
  }

  /** Asked in turn, while the disk writes and some of what the core asks is answered. */
  #talk(member: Member): void {
    for (const request of this.#speech.talk()) {
      this.#ask(member, request)
      if (this.#random() < 0.8) this.#finishWrites()
      if (this.#random() < 0.5) this.#answerOne()
      if (this.#random() < 0.3) this.#finishOthers()
    }
  }

  #gossip(member: Member, topic: 'releases' | 'control', bytes: Uint8Array): void {
    this.#lastId += 1
    this.#hear({ kind: 'gossip', topic, from: member.id, id: `${this.#lastId}`, bytes })
  }

  #answerOne(): void {
    for (const effect of this.#asked.splice(Math.floor(this.#random() * this.#asked.length), 1))
      this.#answer(effect, false)
  }

  #answer(effect: EffectOf<'request'>, honest: boolean): void {
    const { id, peer, request } = effect
    const by = MEMBERS.find((member) => member.id === peer) as Member
    const reply = honest
      ? this.#speech.honestReply(request, by, this.#wallMs)
      : this.#speech.reply(request, by, this.#wallMs)
    if (reply === undefined) return this.#hear({ kind: 'requestFailed', id, code: 'NET_TIMEOUT' })
    if (!isLast(reply)) this.#asked.push(effect)
    this.#hear({ kind: 'reply', id, reply })
  }

  #finishWrites(): void {
    for (const ticket of this.#tickets.splice(0))
      this.#hear(
        this.#random() < 0.03
          ? { kind: 'persistFailed', ticket, code: 'STORE_FULL' }
          : { kind: 'persisted', ticket },
      )
  }

  /** What the disk, the wire and the hooks were to do. */
  #finishOthers(): void {
    for (const digest of this.#reads.splice(0)) {
      const bytes = this.#random() < 0.1 ? undefined : CONTENT.get(digest)
      this.#hear({ kind: 'blockRead', digest, bytes })
    }
    for (const id of this.#served.splice(0)) {
      const bytes = this.#random() < 0.1 ? 0 : LIMITS.maxBlockBytes
      if (bytes > 0) this.#hear({ kind: 'serving', id })
      this.#hear({ kind: 'served', id, bytes })
    }
    for (const { channel, release } of this.#activations.splice(0))
      this.#hear({ kind: 'activated', channel, release, outcome: this.#random.pick(OUTCOMES) })
    for (const { address } of this.#dials.splice(0))
      this.#hear({ kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
  }

  #disturb(member: Member): void {
    const digest = this.#random.pick([...CONTENT.keys()])
    this.#random.pick([
      () => this.#leave(member.id),
      () => this.#hear({ kind: 'misbehaved', peer: member.id, code: 'CODEC_MALFORMED' }),
      () => this.#hear({ kind: 'blockLost', digest }),
      () => this.#hear({ kind: 'collected', digests: [digest] }),
      () => this.#hear({ kind: 'storeMode', readOnly: this.#random() < 0.3 }),
    ])()
  }
}

const OUTCOMES: readonly ActivationOutcome[] = [
  { kind: 'healthy', changed: 1 },
  { kind: 'healthy', changed: 0 },
  { kind: 'unhealthy', code: 'ACTIVATE_UNHEALTHY', text: 'no' },
  { kind: 'failed', code: 'STORE_FULL', text: 'full' },
]
