/**
 * What gateways ask of the origin and of other regions: home's fetchers ask the origin, 8 blocks at a time; the others ask
 * the block's fetcher in the parent region, as many at a time (`border-window.ts`), where a want stands until the block is
 * there; and the next in line there where that one puts it off. After a death whoever is next in line asks anew, where no
 * living neighbour has the block.
 */
import { LIMITS } from '../../limits.ts'
import { Awaited } from './awaited.ts'
import { type BlockSizes, BorderWindow } from './border-window.ts'
import { below, draw, PURPOSE } from './draw.ts'
import type { Entry } from './entry.ts'
import { type Fleet, ORIGIN } from './fleet.ts'
import { type Holdings, MANIFEST } from './holdings.ts'
import type { Network } from './network.ts'
import { DOUBT_TICKS, OriginCopies } from './origin-copies.ts'
import { OwnWants } from './own-wants.ts'
import type { Uploads } from './uploads.ts'
import type { Wheel } from './wheel.ts'

/** Blocks that a home gateway has asked of the origin. */
const IN_FLIGHT = LIMITS.maxWantsPerSeed
const WANT_BYTES = 40
const REDIRECT_BYTES = 60
const NOBODY = -1
/** It waits until there is room for it. */
const LATER = -2

interface Kinds {
  readonly want: number
  readonly turn: number
  readonly redirect: number
  readonly again: number
  readonly putOff: number
}

export class BorderWants {
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #entry: Entry
  readonly #holdings: Holdings
  readonly #uploads: Uploads
  readonly #isInTime: (place: number) => boolean
  readonly #awaited: Awaited
  readonly #window: BorderWindow
  readonly #blocks: number
  readonly #seed: number
  readonly #kinds: Kinds
  /** Every block but the manifest, as all go through them: by digest in the program, so that what one waits for is the other's next. */
  readonly #order: number[]
  /** Place (region, block): whom that region's fetcher asked last, who it was, and how often it was put off. */
  readonly #askedOf: Int32Array
  readonly #askedBy: Int32Array
  readonly #putOff: Uint8Array
  /** By home gateway: what it has yet to ask the origin for, the next last, and how many it waits for. */
  readonly #toAsk = new Map<number, number[]>()
  readonly #waiting = new Map<number, number>()
  readonly #ownWants: OwnWants
  readonly #copies: OriginCopies
  /** By home gateway: what others are to bring in, looked through once its own are asked for. */
  readonly #others = new Map<number, number[]>()
  readonly #takesOver = new Set<number>()
  /** Of these, what a neighbour has: looked at again in case that one is dead. */
  readonly #held = new Map<number, number[]>()
  /** When each home gateway had the manifest. */
  readonly #knowsSince = new Map<number, number>()
  /** The manifest is small enough to go with the header. */
  #handsOn = false
  /** How often home has looked for a block elsewhere since the origin died. */
  readonly #tries: Int32Array

  constructor(
    parts: {
      readonly fleet: Fleet
      readonly wheel: Wheel
      readonly network: Network
      readonly entry: Entry
      readonly holdings: Holdings
      readonly uploads: Uploads
      /** This neighbour has not let its node wait for longer than `DOUBT_TICKS`. */
      readonly isInTime: (place: number) => boolean
      /** Gives a neighbour a block, or tells it that there is no room. */
      readonly serve: (node: number, to: number, block: number) => void
      /** Blocks that a node has asked of neighbours. */
      readonly near: (node: number) => number
    },
    blocks: number,
    sizes: BlockSizes,
    seed: number,
    kinds: Kinds,
  ) {
    this.#fleet = parts.fleet
    this.#wheel = parts.wheel
    this.#network = parts.network
    this.#entry = parts.entry
    this.#holdings = parts.holdings
    this.#uploads = parts.uploads
    this.#isInTime = parts.isInTime
    this.#ownWants = new OwnWants(parts.fleet, parts.wheel)
    this.#awaited = new Awaited(parts, blocks, kinds.putOff)
    this.#blocks = blocks
    this.#seed = seed
    this.#kinds = kinds
    const calls = {
      source: (gateway: number, block: number) => this.#source(gateway, block),
      ask: (gateway: number, source: number, block: number) => this.#ask(gateway, source, block),
      near: parts.near,
    }
    this.#order = Array.from({ length: blocks - 1 }, (_, n) => n + 1)
    this.#shuffle(ORIGIN, this.#order)
    this.#window = new BorderWindow(parts, this.#order, sizes, calls, kinds.turn)
    const places = parts.fleet.regions * blocks
    this.#askedOf = new Int32Array(places).fill(NOBODY)
    this.#askedBy = new Int32Array(places).fill(NOBODY)
    this.#putOff = new Uint8Array(places)
    this.#tries = new Int32Array(blocks)
    this.#copies = new OriginCopies(blocks)
  }

  /** A gateway has the header: whoever is to bring the manifest in asks for it. */
  onHeader(node: number): void {
    const region = this.#fleet.regionOf[node] as number
    if (this.#entry.fetcher(region, MANIFEST) !== node) return
    const source = this.#source(node, MANIFEST)
    if (source !== NOBODY) this.#ask(node, source, MANIFEST)
  }

  /** A gateway knows all blocks: it asks for those that it is to bring in. */
  onManifest(node: number): void {
    const region = this.#fleet.regionOf[node] as number
    if (this.#fleet.gateways[region]?.includes(node) !== true) return
    if (region === 0) return this.#askOrigin(node)
    const own = this.#order.filter((block) => this.#entry.fetcher(region, block) === node)
    for (const block of own) this.#note(node, LATER, block)
    this.#window.line(node, own)
  }

  /** A block has come from another region. */
  onCame(gateway: number, from: number, block: number): void {
    this.#window.end(gateway, from, block, false)
  }

  /** There may be room for this gateway to ask for more. */
  onTurn(gateway: number): void {
    this.#window.fill(gateway)
  }

  /** A want for one block has arrived: served now or when it is there. */
  onWant(at: number, from: number, block: number): void {
    if (at === ORIGIN) this.#give(from, block)
    else this.#awaited.onWant(at, from, block)
  }

  /** It was put off for the so-many-th time: the so-many-th next in line there has the block from neighbours sooner. */
  onPutOff(asker: number, by: number, block: number, times: number): void {
    const place = this.#place(asker, block)
    const isAwaited = this.#askedOf[place] === by && this.#askedBy[place] === asker
    if (isAwaited) {
      this.#passOver(asker, by)
      this.#putOff[place] = times
      this.#note(asker, LATER, block)
    }
    this.#window.end(asker, by, block, isAwaited)
  }

  /** What has yet to be asked of one that puts off is asked of the next in line, too. */
  #passOver(asker: number, by: number): void {
    for (const block of this.#window.waiting(asker)) {
      const place = this.#place(asker, block)
      if (this.#source(asker, block) === by) this.#putOff[place] = this.#awaited.passOver(place)
    }
  }

  /** Of these idle neighbours' blocks first one that other regions wait for here. */
  choose(node: number, idle: Uint8Array, many: number): number {
    return this.#awaited.choose(node, idle, many)
  }

  /** The origin has the whole, and the manifest goes with the header, to the gateway that is the first to have that. */
  handOut(): void {
    const [first] = this.#fleet.gateways[0] ?? []
    if (first === undefined) return
    this.#handsOn = true
    this.#copies.gives(first, MANIFEST)
    this.#uploads.promise(ORIGIN, first, MANIFEST)
  }

  /** A node has a block: other regions that wait for it get it. */
  onBlock(node: number, block: number): void {
    if (block === MANIFEST && this.#handsOn) this.#handOn(node)
    this.#awaited.onBlock(node, block)
  }

  /**
   * With the header the first gateway of each region gets the manifest, from home's, and gives it to the others of its
   * region: they all ask for blocks a round trip earlier than if they had to ask for it.
   */
  #handOn(node: number): void {
    const region = this.#fleet.regionOf[node] as number
    const gateways = this.#fleet.gateways[region] ?? []
    if (gateways[0] !== node) return
    const abroad = region === 0 ? this.#fleet.gateways.slice(1).flatMap(([first]) => first ?? []) : []
    for (const to of abroad) if (!this.#holdings.has(to, MANIFEST)) this.#uploads.promise(node, to, MANIFEST)
    for (const to of gateways) if (!this.#holdings.has(to, MANIFEST)) this.#uploads.hand(node, to, MANIFEST)
  }

  /** One of home's has its block from the origin: it may ask for another. */
  onServed(gateway: number, block = NOBODY): void {
    const waiting = this.#waiting.get(gateway)
    if (waiting === undefined) return
    this.#waiting.set(gateway, waiting - 1)
    if (block !== NOBODY) this.#ownWants.brought(gateway, block)
    this.#askMore(gateway)
  }

  /** Another has a block from this node. */
  onTaken(from: number, block: number): void {
    if (this.#ownWants.taken(from, block)) this.#askMore(from)
  }

  /** The origin said who was given this block: that one will tell of it. */
  onRedirect(gateway: number, block: number): void {
    this.#wheel.push(this.#wheel.tick + DOUBT_TICKS, this.#kinds.again, gateway, 0, block, 0)
    this.onServed(gateway)
  }

  /** Whoever was given the block has not told of it for long: it is asked for once more. `NOBODY`: what neighbours had. */
  askAgain(gateway: number, block: number): void {
    if (block !== NOBODY) this.#others.get(gateway)?.push(block)
    else this.#others.get(gateway)?.push(...(this.#held.get(gateway) ?? []).splice(0))
    this.#askMore(gateway)
  }

  /** A block has left a node. */
  onLeft(node: number, to: number): void {
    if (node === ORIGIN) this.#copies.heard(to, this.#wheel.tick)
    else this.#awaited.onLeft(node)
  }

  /** Each block once, to whoever asks first; once more where that one is known to be dead, or may well be. */
  #give(to: number, block: number): void {
    const isLost = (node: number) => this.#entry.isGone(node, 0)
    const holder = this.#copies.judge(to, block, this.#wheel.tick, isLost)
    if (holder === NOBODY) return this.#uploads.promise(ORIGIN, to, block)
    this.#network.control(ORIGIN, to, REDIRECT_BYTES, this.#kinds.redirect, block, holder)
  }

  /** It is known to be dead in its own region, or abroad: nothing is expected from it there any more. */
  lose(node: number, abroad: boolean): void {
    this.#entry.lose(node, abroad)
    if (abroad) this.#window.lose(node)
  }

  /**
   * This gateway is a fetcher of blocks that it lacks and no living neighbour has, and nobody alive is bringing them.
   * @param again ask once more for what was asked elsewhere since the origin is gone
   */
  repair(gateway: number, again: boolean): void {
    const region = this.#fleet.regionOf[gateway] as number
    const known = this.#holdings.has(gateway, MANIFEST) ? this.#blocks : MANIFEST + 1
    const isAllAsked = !this.#entry.isAnyGone && known === this.#blocks
    if (isAllAsked || this.#holdings.count[gateway] === this.#blocks) return
    const anew: number[] = []
    for (let block = 0; block < known; block++) {
      if (this.#holdings.has(gateway, block) || this.#holdings.isAsked(gateway, block)) continue
      if (this.#entry.fetcher(region, block) !== gateway || this.#stands(gateway, block, again)) continue
      if (!this.#holdings.isTold(gateway, block)) anew.push(block)
    }
    this.#askAnew(gateway, anew)
  }

  /** It is being brought in, or is to be once there is room for it. */
  #stands(gateway: number, block: number, again: boolean): boolean {
    const place = this.#place(gateway, block)
    const asked = this.#askedOf[place] as number
    const region = this.#fleet.regionOf[gateway] as number
    if (this.#askedBy[place] !== gateway || asked === NOBODY) return false
    if (this.#entry.isGone(asked, region)) return false
    return !again || asked === LATER || asked === ORIGIN || region !== 0
  }

  #askAnew(gateway: number, blocks: readonly number[]): void {
    const region = this.#fleet.regionOf[gateway] as number
    const later: number[] = []
    for (const block of blocks) {
      const asked = this.#askedOf[this.#place(gateway, block)] as number
      // Whoever was asked has not got it, or is dead: home asks the next region.
      if (region === 0 && asked > ORIGIN) this.#tries[block] = (this.#tries[block] as number) + 1
      const source = this.#source(gateway, block)
      if (block === MANIFEST || source === ORIGIN) {
        if (source !== NOBODY) this.#ask(gateway, source, block)
        continue
      }
      this.#note(gateway, LATER, block)
      this.#window.end(gateway, asked, block, false)
      later.push(block)
    }
    this.#window.line(gateway, later)
  }

  #askOrigin(gateway: number): void {
    const own: number[] = []
    const others: number[] = []
    for (const block of this.#order)
      if (this.#entry.fetcher(0, block) === gateway) {
        own.push(block)
        this.#note(gateway, ORIGIN, block)
      } else others.push(block)
    this.#awaited.pullFirst(gateway, own)
    this.#shuffle(gateway, others)
    this.#toAsk.set(gateway, own.reverse())
    this.#ownWants.begin(gateway, own.length)
    this.#others.set(gateway, others)
    this.#held.set(gateway, [])
    this.#waiting.set(gateway, 0)
    this.#knowsSince.set(gateway, this.#wheel.tick)
    // A look at others' share, should its own be here by then.
    this.#wheel.push(this.#wheel.tick + DOUBT_TICKS, this.#kinds.again, gateway, 0, NOBODY, 0)
    this.#askMore(gateway)
  }

  #shuffle(gateway: number, blocks: number[]): void {
    for (let at = blocks.length - 1; at > 0; at--) {
      const other = below(draw(this.#seed, gateway, PURPOSE.entry, -1 - at), at + 1)
      const held = blocks[at] as number
      blocks[at] = blocks[other] as number
      blocks[other] = held
    }
  }

  /** Its own first, and once these are here, what nobody near has and whoever should bring it in may have died. */
  #askMore(gateway: number): void {
    if (this.#entry.isGone(ORIGIN, 0)) return
    const own = this.#toAsk.get(gateway) ?? []
    let waiting = this.#waiting.get(gateway) ?? 0
    while (waiting < IN_FLIGHT && own.length > 0 && this.#ownWants.mayAsk(gateway, waiting)) {
      const block = own.pop() as number
      if (this.#holdings.has(gateway, block)) continue
      this.#ask(gateway, ORIGIN, block)
      waiting++
    }
    const since = this.#knowsSince.get(gateway) ?? 0
    if (
      waiting + own.length === 0 &&
      this.#blocks > LIMITS.fewBlocks &&
      this.#wheel.tick - since >= DOUBT_TICKS
    )
      this.#takesOver.add(gateway)
    const held = this.#held.get(gateway) ?? []
    const others = this.#takesOver.has(gateway) ? (this.#others.get(gateway) ?? []) : []
    while (waiting < IN_FLIGHT && others.length > 0 && this.#ownWants.mayAsk(gateway, waiting)) {
      const block = others.pop() as number
      if (this.#holdings.has(gateway, block)) continue
      if (this.#holdings.isTold(gateway, block, this.#isInTime)) {
        if (held.push(block) === 1)
          this.#wheel.push(this.#wheel.tick + DOUBT_TICKS, this.#kinds.again, gateway, 0, NOBODY, 0)
        continue
      }
      this.#network.control(gateway, ORIGIN, WANT_BYTES, this.#kinds.want, block, 0)
      waiting++
    }
    this.#waiting.set(gateway, waiting)
  }

  #ask(gateway: number, source: number, block: number): void {
    this.#note(gateway, source, block)
    this.#network.control(gateway, source, WANT_BYTES, this.#kinds.want, block, 0)
  }

  #note(gateway: number, source: number, block: number): void {
    const place = this.#place(gateway, block)
    this.#askedOf[place] = source
    this.#askedBy[place] = gateway
  }

  /** Whom a region's fetcher asks: upstream's, the origin at home; once that is dead, home asks the other regions in turn. */
  #source(gateway: number, block: number): number {
    const region = this.#fleet.regionOf[gateway] as number
    if (region !== 0) return this.#inLine(region, block, this.#entry.parent(region, block))
    if (!this.#entry.isGone(ORIGIN, 0)) return ORIGIN
    const others = this.#fleet.regions - 1
    for (let n = 0; n < others; n++) {
      const turn = (this.#tries[block] as number) + n
      const source = this.#inLine(region, block, 1 + (turn % others))
      if (source !== NOBODY) return source
    }
    return NOBODY
  }

  /** Who is next in line there, behind those that have put it off; the first where nobody is. */
  #inLine(from: number, block: number, there: number): number {
    const times = this.#putOff[from * this.#blocks + block] as number
    const next = this.#entry.fetcher(there, block, times, from)
    return next === NOBODY ? this.#entry.fetcher(there, block, 0, from) : next
  }

  #place(node: number, block: number): number {
    return (this.#fleet.regionOf[node] as number) * this.#blocks + block
  }
}
