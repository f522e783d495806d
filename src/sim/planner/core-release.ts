/**
 * A release through the product's own cores: real encoding, real signatures, the real bridge and exchange of blocks, on
 * virtual time and the planner's network. What the abstract model says must agree with this wherever both can run.
 */
import type { Effect, EffectOf } from '../../core/effects.ts'
import type { Event } from '../../core/events.ts'
import { EMPTY_SNAPSHOT } from '../../core/snapshot.ts'
import { LIMITS } from '../../limits.ts'
import type { Digest, PeerId } from '../../model/ids.ts'
import type { AnyRequest, PublishReply } from '../../model/messages.ts'
import { peerOf } from '../../model/names.ts'
import type { Made } from '../fleet.ts'
import { addressOf } from '../network.ts'
import { EPOCH_MS } from '../time.ts'
import { Carrier } from './core-carrier.ts'
import { buildCores, type CoreNode, releaseOf, UPTIME_MS } from './core-fleet.ts'
import { CoreGossip } from './core-gossip.ts'
import { draw, exponential, PURPOSE } from './draw.ts'
import { buildFleet, CONNECTIONS, type Fleet, ORIGIN, PLACES } from './fleet.ts'
import { FIRST_OF_MODEL, Network } from './network.ts'
import { HOST, type Question } from './question.ts'
import { RollingHash } from './rolling-hash.ts'
import { isSmall } from './run-one.ts'
import { perNode, type RunResult } from './run-result.ts'
import { nsOfTicks, TICKS_PER_MS, ticksOfMs } from './ticks.ts'
import { Wheel } from './wheel.ts'

const ACTION = FIRST_OF_MODEL
const LETTER = FIRST_OF_MODEL + 1
const WAKE = FIRST_OF_MODEL + 2

/** Links, admission and heartbeats until every region knows its gateways and they know one another. */
const SETTLE_TICKS = ticksOfMs(15_000)
const GIVE_UP_TICKS = ticksOfMs(30_000)
/** A stream of many packets mends a loss in one round trip, behind others that are under way: as the abstract model has it. */
const linksFor = (question: Question): Question =>
  isSmall(question.bytes) ? question : { ...question, loss: 0 }
const PERSIST_MS = 0.5
/** With the write after it as long as in the abstract model. */
const BLOCK_CHECK_MS = HOST.blockMs - PERSIST_MS
const PROCESSING_TICKS = ticksOfMs(HOST.hopMs)
const PROCESSING_SPREAD_TICKS = ticksOfMs(HOST.hopSpreadMs)
const TOOL = '12D3KooWtool' as PeerId
const TOOL_REQUEST = 1

export class CoreRelease {
  readonly #question: Question
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #nodes: readonly CoreNode[]
  readonly #carrier: Carrier
  readonly #gossip: CoreGossip
  readonly #made: Made
  readonly #hash = new RollingHash()
  readonly #actions = new Map<number, () => void>()
  readonly #wakes: Int32Array
  readonly #looks: Uint32Array
  /** By node: pages and blocks on its disk. */
  readonly #disks: readonly Map<Digest, Uint8Array>[]
  /** When each node ordered it, and when it had the whole and was to run it; −1 before. */
  readonly #orderedAt: Int32Array
  readonly #wholeAt: Int32Array
  #nextAction = 0
  readonly #entered: Float64Array
  #leftHomeBytes = 0
  #receivedBytes = 0
  #originBytes = 0
  #payloadBytes = 0

  /** @param blockBytes of its blocks, the last apart */
  constructor(question: Question, blockBytes: number = LIMITS.maxBlockBytes) {
    this.#question = question
    this.#fleet = buildFleet(question)
    const { trust, nodes } = buildCores(this.#fleet, question)
    this.#nodes = nodes
    this.#made = releaseOf(trust, question.bytes, blockBytes)
    this.#wheel = new Wheel(this.#fleet.size * 64)
    this.#network = new Network(
      ...([this.#fleet, linksFor(question), this.#wheel] as const),
      (letter) => this.#carrier.bytesOf(letter),
      (to, from, letter) => this.#carrier.open(letter, to, from),
    )
    const shared = {
      peers: nodes.map(({ peer }) => peer),
      handle: (node: number, event: Event) => this.#handle(node, event),
      later: (ms: number, action: () => void) => this.#later(ms, action),
      processingMs: (node: number) => this.#processingMs(node),
      onContent: (from: number, to: number, bytes: number) => {
        // Beacons cross borders too; only what carries the content is a copy of the release.
        if (bytes < question.bytes) return
        this.#payloadBytes = bytes
        this.#count(from, to, bytes)
      },
    }
    this.#carrier = new Carrier({
      ...{ ...shared, network: this.#network, letterKind: LETTER, blockCheckMs: BLOCK_CHECK_MS },
      onBlock: (from, to, bytes) => this.#count(from, to, bytes),
    })
    this.#gossip = new CoreGossip({
      ...{ ...shared, fleet: this.#fleet, carrier: this.#carrier },
    })
    this.#wakes = new Int32Array(this.#fleet.size).fill(-1)
    this.#entered = new Float64Array(this.#fleet.regions)
    this.#looks = new Uint32Array(this.#fleet.size)
    this.#disks = nodes.map(() => new Map<Digest, Uint8Array>())
    this.#orderedAt = new Int32Array(this.#fleet.size).fill(-1)
    this.#wholeAt = new Int32Array(this.#fleet.size).fill(-1)
  }

  run(): RunResult {
    for (const { at } of this.#nodes) this.#handle(at, { kind: 'started', snapshot: EMPTY_SNAPSHOT })
    this.#join()
    this.#until(SETTLE_TICKS, () => false)
    const { traffic } = this.#network
    traffic.control = 0
    this.#submit()
    this.#until(this.#wheel.tick + GIVE_UP_TICKS, () => !this.#doneAt.includes(-1))
    return this.#result()
  }

  /** Content attached to its gossip is there once it is ordered. */
  get #doneAt(): Int32Array {
    return isSmall(this.#question.bytes) ? this.#orderedAt : this.#wholeAt
  }

  /** The links of the abstract model's fleet; what else the cores want they dial themselves. */
  #join(): void {
    const { neighbours, originMesh, size } = this.#fleet
    for (let node = 1; node < size; node++)
      for (const peer of neighbours.subarray(node * PLACES, node * PLACES + CONNECTIONS))
        if (peer > node) this.#carrier.link(node, peer)
    for (const peer of originMesh) this.#carrier.link(peer, ORIGIN)
  }

  #until(tick: number, done: () => boolean): void {
    const wheel = this.#wheel
    // The event that ends it is handled too: one dropped would be a wake or a letter that never comes.
    while (!done() && wheel.tick <= tick && wheel.next()) {
      const { kind, a, b, c } = wheel
      this.#hash.add(wheel.tick, a, kind, b)
      if (this.#network.handles()) continue
      if (kind === ACTION) this.#act(a)
      else if (kind === LETTER) this.#carrier.open(c, a, b)
      else if (this.#wakes[a] === wheel.tick) this.#handle(a, { kind: 'tick' })
    }
  }

  #act(action: number): void {
    const found = this.#actions.get(action)
    this.#actions.delete(action)
    found?.()
  }

  #later(ms: number, action: () => void): void {
    const number = this.#nextAction++
    this.#actions.set(number, action)
    this.#wheel.push(this.#wheel.tick + ticksOfMs(ms), ACTION, number, 0, 0, 0)
  }

  #processingMs(node: number): number {
    const n = this.#looks[node] as number
    this.#looks[node] = n + 1
    const drawn = draw(this.#question.seed, node, PURPOSE.processing, n)
    return (PROCESSING_TICKS + exponential(drawn, PROCESSING_SPREAD_TICKS)) / TICKS_PER_MS
  }

  #now() {
    const ms = nsOfTicks(this.#wheel.tick) / 1e6
    return { monoMs: UPTIME_MS + ms, wallMs: EPOCH_MS + UPTIME_MS + Math.floor(ms) }
  }

  #handle(node: number, event: Event): void {
    const { core } = this.#nodes[node] as CoreNode
    for (const effect of core.handle(event, this.#now())) this.#perform(node, effect)
  }

  #perform(node: number, effect: Effect): void {
    switch (effect.kind) {
      case 'wake': {
        const tick = Math.max(this.#wheel.tick, ticksOfMs(effect.atMonoMs - UPTIME_MS))
        this.#wakes[node] = tick
        return this.#wheel.push(tick, WAKE, node, 0, 0, 0)
      }
      case 'dial':
        return this.#carrier.dial(node, peerOf(effect.address))
      case 'hangUp':
        return this.#carrier.hangUp(node, effect.peer)
      case 'request':
        return this.#carrier.ask(node, effect)
      case 'reply':
        return this.#reply(node, effect)
      case 'publish':
        return this.#gossip.publish(node, effect.topic, effect.bytes)
      case 'verdict':
        return this.#gossip.judge(node, effect)
      case 'persist':
        for (const write of effect.writes)
          if (write.kind === 'block') this.#disks[node]?.set(write.digest, write.bytes)
        return this.#later(PERSIST_MS, () => this.#handle(node, { kind: 'persisted', ticket: effect.ticket }))
      case 'read':
        return this.#later(0, () => this.#read(node, effect.digest))
      case 'serveBlock':
        return this.#serve(node, effect)
      case 'activate': {
        const { channel, release } = effect
        if (this.#wholeAt[node] === -1) this.#wholeAt[node] = this.#wheel.tick
        return this.#later(1, () =>
          this.#handle(node, {
            kind: 'activated',
            channel,
            release,
            outcome: { kind: 'healthy', changed: 1 },
          }),
        )
      }
      case 'count':
        if (effect.metric === 'ordered' && this.#orderedAt[node] === -1)
          this.#orderedAt[node] = this.#wheel.tick
        return
      default:
        return
    }
  }

  #read(node: number, digest: Digest): void {
    this.#handle(node, { kind: 'blockRead', digest, bytes: this.#disks[node]?.get(digest) })
  }

  #serve(node: number, { id, digest }: EffectOf<'serveBlock'>): void {
    const bytes = this.#disks[node]?.get(digest)
    const busyMs = bytes === undefined ? 0 : this.#carrier.serve(node, id, bytes)
    if (bytes === undefined) this.#carrier.answer(node, id, { protocol: 'blocks', message: { type: 'gone' } })
    else this.#handle(node, { kind: 'serving', id })
    this.#later(busyMs, () => this.#handle(node, { kind: 'served', id, bytes: bytes?.byteLength ?? 0 }))
  }

  /** Hands the release to the origin as the tool does: submit, then what it lacks. */
  #submit(): void {
    const address = addressOf(TOOL)
    this.#handle(ORIGIN, {
      ...{ kind: 'connected', peer: TOOL, direction: 'inbound', ownHost: false },
      address,
    })
    this.#say({ protocol: 'publish', message: { type: 'submit', envelope: this.#made.envelope } })
  }

  #say(request: AnyRequest): void {
    this.#handle(ORIGIN, { kind: 'request', id: TOOL_REQUEST, peer: TOOL, request })
  }

  #reply(node: number, { id, reply }: Extract<Effect, { kind: 'reply' }>): void {
    if (node !== ORIGIN || id !== TOOL_REQUEST) return this.#carrier.answer(node, id, reply)
    const said = reply.message as PublishReply
    if (said.type !== 'need') return
    const release = this.#made.id
    const bytesOf = (digest: Digest): Uint8Array => this.#made.content.get(digest) as Uint8Array
    for (const digest of said.pages)
      this.#later(0, () =>
        this.#say({ protocol: 'publish', message: { type: 'page', release, bytes: bytesOf(digest) } }),
      )
    for (const digest of said.blocks)
      this.#later(0, () =>
        this.#say({ protocol: 'publish', message: { type: 'block', release, bytes: bytesOf(digest) } }),
      )
  }

  #count(from: number, to: number, bytes: number): void {
    this.#receivedBytes += bytes
    if (from === ORIGIN) this.#originBytes += bytes
    const region = this.#fleet.regionOf[to] as number
    const left = this.#fleet.regionOf[from] as number
    if (region === left) return
    this.#entered[region] = (this.#entered[region] as number) + bytes
    if (left === this.#fleet.regionOf[ORIGIN]) this.#leftHomeBytes += bytes
  }

  #result(): RunResult {
    const { traffic } = this.#network
    const from = this.#orderedAt[ORIGIN] as number
    const times = [...this.#doneAt.subarray(1)].filter((tick) => tick !== -1)
    return {
      model: 'core',
      timesMs: Float64Array.from(times, (tick) => (tick - from) / TICKS_PER_MS).sort(),
      ofLine: undefined,
      unfinished: this.#fleet.size - 1 - times.length,
      blockBytes: undefined,
      payloadBytes: isSmall(this.#question.bytes) ? this.#payloadBytes : this.#question.bytes,
      originBytes: this.#originBytes,
      enteredBytes: [...this.#entered.subarray(1)],
      leftHomeBytes: this.#leftHomeBytes,
      receivedBytesPerNode: perNode(this.#receivedBytes, times.length),
      controlBytesPerNode: traffic.control / (this.#fleet.size - 1),
      events: this.#wheel.count,
      hash: this.#hash.hex,
    }
  }
}
