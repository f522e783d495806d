/**
 * A large release in the abstract model: its header goes by gossip; the manifest is the first block, and each other block
 * enters a region through one elected gateway, and inside everyone pulls random blocks from neighbours (docs/protocol.md). Time begins
 * when the origin has accepted the whole, which is when the header leaves it.
 */
import { LIMITS } from '../../limits.ts'
import { Asked, NOTHING } from './asked.ts'
import { BorderWants } from './border-wants.ts'
import type { BlockSizes } from './border-window.ts'
import { Brought } from './brought.ts'
import { Busy } from './busy.ts'
import { Checks } from './checks.ts'
import { ABROAD_TICKS, DETECT_TICKS, deathsOf } from './deaths.ts'
import { Entry } from './entry.ts'
import { buildFleet, type Fleet, ORIGIN, PLACES, placeOf } from './fleet.ts'
import { type Heard, hearOf, withHeader } from './header.ts'
import { Holdings, MANIFEST, manifestBytes } from './holdings.ts'
import { FIRST_OF_MODEL, Network } from './network.ts'
import { News } from './news.ts'
import { DOUBT_TICKS } from './origin-copies.ts'
import { OriginDeath } from './origin-death.ts'
import { HOST, type Question } from './question.ts'
import { RollingHash } from './rolling-hash.ts'
import { perNode, type RunResult } from './run-result.ts'
import { Shares } from './shares.ts'
import { stuckTicks } from './stuck.ts'
import { TICKS_PER_MS, ticksOfMs } from './ticks.ts'
import { Uploads } from './uploads.ts'
import { Wheel } from './wheel.ts'

const WANT = FIRST_OF_MODEL
const BUSY = FIRST_OF_MODEL + 1
const SENT = FIRST_OF_MODEL + 2
const FLUSH = FIRST_OF_MODEL + 3
const HAVE = FIRST_OF_MODEL + 4
const CHECKED = FIRST_OF_MODEL + 5
const RETRY = FIRST_OF_MODEL + 6
const TIMEOUT = FIRST_OF_MODEL + 7
const DIE = FIRST_OF_MODEL + 8
const DETECT = FIRST_OF_MODEL + 9
const REPAIR = FIRST_OF_MODEL + 10
const BORDER_WANT = FIRST_OF_MODEL + 11
const BORDER_TURN = FIRST_OF_MODEL + 12
const HEADER = FIRST_OF_MODEL + 13
const REDIRECT = FIRST_OF_MODEL + 14
const AGAIN = FIRST_OF_MODEL + 15
const WORKED_ON = FIRST_OF_MODEL + 16
const PUT_OFF = FIRST_OF_MODEL + 17
const DETECT_ABROAD = FIRST_OF_MODEL + 18

const WANT_BYTES = 40
const BUSY_BYTES = 30
const TIMEOUT_TICKS = ticksOfMs(LIMITS.blockSilenceMs)
const AVOID_TICKS = ticksOfMs(LIMITS.avoidPeerMs)
const REPAIR_TICKS = ticksOfMs(LIMITS.repairMs)
/** Every fourth look asks again elsewhere: once a second. */
const AGAIN_EVERY = 4

const NEVER = -1

export class LargeRelease {
  readonly #question: Question
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #holdings: Holdings
  readonly #uploads: Uploads
  readonly #entry: Entry
  readonly #border: BorderWants
  readonly #busy: Busy
  readonly #originDeath: OriginDeath
  readonly #hash = new RollingHash()
  /** The manifest is the first of them. */
  readonly #blocks: number
  readonly #sizes: BlockSizes
  readonly #manifestBytes: number
  readonly #checks: Checks
  readonly #news: News
  /** Before a node has the header it can ask for nothing. */
  readonly #heard: Heard
  readonly #asked: Asked
  readonly #brought: Brought
  readonly #shares: Shares
  readonly #dead: Uint8Array
  readonly #doneAt: Int32Array
  /** They were given the manifest before they heard of the release. */
  readonly #early = new Set<number>()
  #missing: number
  #received = 0
  #lastTick = 0

  /**
   * @param blockBytes at most so large; simulated blocks may be larger than real ones where a fleet is
   * @param realBytes of the blocks that these stand for
   */
  constructor(question: Question, blockBytes: number = LIMITS.maxBlockBytes, realBytes = blockBytes) {
    this.#question = question
    this.#fleet = buildFleet(question)
    const { size } = this.#fleet
    const content = Math.max(1, Math.ceil(question.bytes / blockBytes))
    this.#blocks = content + 1
    this.#checks = new Checks(size, (question.host ?? HOST).blockMs)
    const simulated = Math.ceil(question.bytes / content)
    this.#sizes = { simulated, real: Math.min(simulated, realBytes) }
    this.#manifestBytes = manifestBytes(question.bytes)
    this.#wheel = new Wheel(size * 16)
    this.#network = new Network(
      this.#fleet,
      // A stream of many packets mends a loss in one round trip, behind others that are under way.
      { ...question, loss: 0 },
      this.#wheel,
      (block) => (block === MANIFEST ? this.#manifestBytes : simulated),
      (to, from, block) => this.#arrive(to, from, block),
    )
    this.#holdings = new Holdings(this.#fleet, this.#blocks, question.seed)
    this.#uploads = new Uploads(this.#fleet, this.#wheel, this.#network, SENT)
    this.#entry = new Entry(this.#fleet, this.#blocks, question.seed)
    const parts = {
      ...{ fleet: this.#fleet, wheel: this.#wheel, network: this.#network, entry: this.#entry },
      ...{ holdings: this.#holdings, uploads: this.#uploads },
    }
    this.#asked = new Asked(parts)
    this.#brought = new Brought(this.#fleet)
    this.#shares = new Shares(parts, this.#blocks)
    this.#border = new BorderWants(
      {
        ...parts,
        isInTime: (place) => this.#asked.isInTime(place, DOUBT_TICKS),
        serve: (node, to, block) => this.#serve(node, to, block),
        near: (node) => this.#asked.underWay(node),
      },
      this.#blocks,
      this.#sizes,
      question.seed,
      { want: BORDER_WANT, turn: BORDER_TURN, redirect: REDIRECT, again: AGAIN, putOff: PUT_OFF },
    )
    this.#busy = new Busy(size)
    this.#originDeath = new OriginDeath(question, this.#fleet.upNsPerByte[ORIGIN] as number, this.#blocks)
    this.#news = new News(parts, this.#blocks, { flush: FLUSH, have: HAVE })
    this.#heard = hearOf(question)
    this.#dead = new Uint8Array(size)
    this.#doneAt = new Int32Array(size).fill(NEVER)
    this.#missing = size - 1
  }

  run(onProgress: (done: number) => void): RunResult {
    this.#start()
    const wheel = this.#wheel
    const stuck = stuckTicks(this.#fleet, this.#question, this.#sizes)
    let step = 0
    while (this.#missing > 0 && wheel.next() && wheel.tick < this.#lastTick + stuck) {
      this.#hash.add(wheel.tick, wheel.a, wheel.kind, wheel.c)
      if (!this.#network.handles()) this.#handle()
      if ((++step & 0x3ffff) === 0) onProgress(this.#received / (this.#blocks * this.#fleet.size))
    }
    return this.#result()
  }

  #start(): void {
    this.#holdings.fill(ORIGIN)
    if (this.#manifestBytes <= LIMITS.maxHandedBytes) this.#border.handOut()
    const { failures } = this.#question
    for (const [tick, node] of deathsOf(this.#question, this.#fleet))
      this.#wheel.push(tick, DIE, node, 0, 0, 0)
    if (failures.gateway || failures.churn > 0 || failures.originAfterPayloads !== undefined)
      for (const gateway of this.#fleet.gateways.flat())
        this.#wheel.push(REPAIR_TICKS, REPAIR, gateway, 0, 0, 0)
    if (this.#originDeath.tick !== undefined) this.#wheel.push(this.#originDeath.tick, DIE, ORIGIN, 0, 0, 0)
    for (let node = 1; node < this.#fleet.size; node++)
      this.#wheel.push(this.#heard.ticks[node] as number, HEADER, node, 0, 0, 0)
  }

  #handle(): void {
    const { kind, a: node, b: from, c, d } = this.#wheel
    if (kind === DETECT || kind === DETECT_ABROAD) return this.#detect(node, kind === DETECT_ABROAD)
    if (this.#dead[node] === 1 && kind !== WANT) return
    // Nobody answers: who asked finds out by the clock.
    if (this.#dead[node] === 1)
      return this.#wheel.push(this.#wheel.tick + TIMEOUT_TICKS, TIMEOUT, from, node, c, 0)
    switch (kind) {
      case WANT:
        return this.#serve(node, from, c)
      case BUSY:
        return this.#avoid(node, from, c, this.#busy.ticks(node, this.#holdings.draw(node)))
      case SENT:
        this.#uploads.next(node)
        return this.#border.onLeft(node, from)
      case FLUSH:
        return this.#news.flush(node)
      case HAVE:
        return this.#hear(node, from, d, c)
      case CHECKED:
        return this.#keep(node, from, c)
      case RETRY:
        return this.#choose(node)
      case TIMEOUT:
        return this.#avoid(node, from, c, AVOID_TICKS)
      case DIE:
        return node === ORIGIN ? this.#checkOrigin() : this.#die(node)
      case REPAIR:
        return this.#repair(node, c)
      case BORDER_WANT:
        return this.#border.onWant(node, from, c)
      case BORDER_TURN:
        return this.#border.onTurn(node)
      case HEADER:
        return this.#open(node)
      case REDIRECT:
        return this.#redirect(node, c, d)
      case AGAIN:
        return this.#border.askAgain(node, c)
      case PUT_OFF:
        return this.#border.onPutOff(node, from, c, d)
      case WORKED_ON:
        return this.#deliver(node, from, c)
    }
  }

  /** The header is there: now it knows what to ask for. */
  #open(node: number): void {
    if (this.#early.delete(node)) this.#keep(node, ORIGIN, MANIFEST)
    else this.#border.onHeader(node)
    this.#choose(node)
  }

  /** What a fetcher lacks of its own is asked of whoever the origin gave it to: other regions wait for it here. */
  #redirect(node: number, block: number, holder: number): void {
    const edge = this.#entry.fetcher(0, block) === node ? placeOf(this.#fleet, node, holder) : -1
    if (edge !== -1 && !this.#asked.isGone(edge)) this.#holdings.tell(node, edge - node * PLACES, block)
    this.#border.onRedirect(node, block)
    this.#choose(node)
  }

  /** Sent here by the origin it may be before the block is: then it waits for that. */
  #serve(node: number, from: number, block: number): void {
    if (!this.#holdings.has(node, block)) return this.#border.onWant(node, from, block)
    if (this.#brought.settle(node, from, block)) return this.#uploads.hand(node, from, block)
    if (!this.#uploads.offer(node, from, block)) this.#network.control(node, from, BUSY_BYTES, BUSY, block, 0)
  }

  /** The last byte of a block is there: cores that are shared have to get round to it. */
  #arrive(node: number, from: number, block: number): void {
    const { cores } = this.#heard
    if (cores === undefined) return this.#deliver(node, from, block)
    this.#wheel.push(cores.work(this.#wheel.tick), WORKED_ON, node, from, block, 0)
  }

  /** The check comes first. */
  #deliver(node: number, from: number, block: number): void {
    if (this.#dead[node] === 1 || (this.#dead[from] === 1 && this.#uploads.isCut(from, node, block))) return
    const edge = placeOf(this.#fleet, node, from)
    const awaited = edge === -1 ? NOTHING : this.#asked.come(edge, block)
    if (awaited !== NOTHING) {
      this.#busy.answered(node, awaited)
      this.#border.onTurn(node)
    } else if (from === ORIGIN) this.#border.onServed(node, block)
    else if (edge === -1) this.#border.onCame(node, from, block)
    this.#received++
    this.#border.onTaken(from, block)
    if (from === ORIGIN) this.#originDeath.onBlockOut(block)
    this.#checkOrigin()
    const bytes = this.#network.bytesOf(block)
    this.#wheel.push(this.#checks.done(node, bytes, this.#wheel.tick), CHECKED, node, from, block, 0)
    this.#choose(node)
  }

  #keep(node: number, from: number, block: number): void {
    const { tick } = this.#wheel
    // Only the manifest is given to anybody unasked.
    if ((this.#heard.ticks[node] as number) > tick) return void this.#early.add(node)
    if (this.#holdings.has(node, block)) return
    this.#holdings.acquire(node, block)
    this.#lastTick = tick
    if (this.#holdings.count[node] === this.#blocks) {
      this.#doneAt[node] = tick
      this.#missing--
    }
    this.#brought.onBlock(node, from, block)
    this.#border.onBlock(node, block)
    this.#news.onBlock(node, block)
    // Whoever brings nothing in any more may ask for more at once.
    if (this.#shares.onBlock(node, block)) this.#choose(node)
    if (block !== MANIFEST) return
    this.#border.onManifest(node)
    this.#shares.onManifest(node)
    this.#choose(node)
  }

  #hear(node: number, teller: number, from: number, to: number): void {
    const edge = placeOf(this.#fleet, node, teller)
    if (edge === -1 || this.#asked.isGone(edge)) return
    this.#holdings.hear(node, edge - node * PLACES, teller, from, to)
    this.#choose(node)
  }

  /** Wants one random block of each idle neighbour that has one; the manifest before any other. */
  #choose(node: number): void {
    if ((this.#heard.ticks[node] as number) > this.#wheel.tick) return
    while (this.#asked.underWay(node) < this.#shares.most(node)) {
      const { idle } = this.#asked
      const many = this.#asked.findIdle(node)
      if (many === 0) return
      const block = this.#border.choose(node, idle, many)
      if (block === -1) return
      let holders = 0
      for (let n = 0; n < many; n++) {
        const edge = idle[n] as number
        if (this.#holdings.hasTold(node, edge, block)) idle[holders++] = edge
      }
      const edge = idle[this.#holdings.draw(node) % holders] as number
      this.#asked.ask(node, edge, block)
      const neighbour = this.#fleet.neighbours[node * PLACES + edge] as number
      this.#network.control(node, neighbour, WANT_BYTES, WANT, block, 0)
    }
  }

  /** A neighbour is busy, or does not answer: its block is looked for elsewhere, itself left alone for a while. */
  #avoid(node: number, neighbour: number, block: number, ticks: number): void {
    const edge = placeOf(this.#fleet, node, neighbour)
    if (edge === -1 || !this.#asked.avoid(edge, block, ticks)) return
    this.#wheel.push(this.#wheel.tick + ticks, RETRY, node, 0, 0, 0)
    this.#choose(node)
  }

  #checkOrigin(): void {
    const sentBytes = this.#network.traffic.sent[ORIGIN] as number
    if (this.#originDeath.isDue(this.#wheel.tick, sentBytes)) this.#die(ORIGIN)
  }

  #die(node: number): void {
    if (this.#dead[node] === 1) return
    const { tick } = this.#wheel
    this.#dead[node] = 1
    if (node !== ORIGIN && this.#doneAt[node] === NEVER) this.#missing--
    for (const [to, what] of this.#uploads.drop(node))
      if (placeOf(this.#fleet, to, node) !== -1)
        this.#wheel.push(tick + TIMEOUT_TICKS, TIMEOUT, to, node, what, 0)
    this.#wheel.push(tick + DETECT_TICKS, DETECT, node, 0, 0, 0)
    this.#wheel.push(tick + ABROAD_TICKS, DETECT_ABROAD, node, 0, 0, 0)
  }

  /** Everyone concerned sees that a node is dead: its own region, or the others. */
  #detect(gone: number, abroad: boolean): void {
    this.#border.lose(gone, abroad)
    if (!abroad) this.#loseNear(gone)
    if (gone === ORIGIN || this.#fleet.gateways.some((gateways) => gateways.includes(gone)))
      for (const gateway of this.#fleet.gateways.flat())
        if (this.#dead[gateway] === 0) this.#border.repair(gateway, false)
  }

  #loseNear(gone: number): void {
    this.#shares.onDeath(gone)
    for (let at = gone * PLACES; at < (gone + 1) * PLACES; at++) {
      const node = this.#fleet.neighbours[at] as number
      const edge = node === -1 || this.#dead[node] === 1 ? -1 : placeOf(this.#fleet, node, gone)
      if (edge === -1) continue
      this.#asked.lose(edge)
      this.#news.lose(edge)
      this.#holdings.forget(node, edge - node * PLACES)
      this.#choose(node)
    }
  }

  #repair(gateway: number, round: number): void {
    this.#border.repair(gateway, round % AGAIN_EVERY === 0)
    this.#wheel.push(this.#wheel.tick + REPAIR_TICKS, REPAIR, gateway, 0, round + 1, 0)
  }

  #result(): RunResult {
    const { size } = this.#fleet
    const { traffic, overBorders } = this.#network
    const originBytes = traffic.sent[ORIGIN] as number
    const times: number[] = []
    const ofLine: number[] = []
    let received = 0
    let unfinished = 0
    for (let node = 1; node < size; node++) {
      const at = this.#doneAt[node] as number
      if (at === NEVER && this.#dead[node] === 0) unfinished++
      if (at === NEVER) continue
      times.push(at / TICKS_PER_MS)
      const lineMs = (this.#question.bytes * (this.#fleet.linkDownNsPerByte[node] as number)) / 1e6
      ofLine.push(at / TICKS_PER_MS / lineMs)
      received += traffic.received[node] as number
    }
    return {
      model: 'abstract',
      timesMs: Float64Array.from(times).sort(),
      ofLine: Float64Array.from(ofLine).sort(),
      ...{ unfinished, outOfTime: this.#wheel.isOver },
      blockBytes: this.#sizes.simulated,
      payloadBytes: (this.#blocks - 1) * this.#sizes.simulated + this.#manifestBytes,
      ...withHeader(this.#heard, { originBytes, ...overBorders }),
      receivedBytesPerNode: perNode(received, times.length),
      controlBytesPerNode: traffic.control / (size - 1) + this.#heard.bytesPerNode,
      events: this.#wheel.count,
      hash: this.#hash.hex,
    }
  }
}
