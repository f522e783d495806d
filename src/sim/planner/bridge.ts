/**
 * How a small release crosses borders in the abstract model: push to the gateway of rank 0, which claims it inside the
 * region once it is checked, announce to the others of the same rank; rank i waits, then pulls itself (docs/protocol.md).
 */
import { rankWaitMs } from '../../core/bridge/rank-wait.ts'
import { LIMITS } from '../../limits.ts'
import { below, draw, happens, PURPOSE } from './draw.ts'
import { type Fleet, ORIGIN } from './fleet.ts'
import type { Network } from './network.ts'
import type { Question } from './question.ts'
import { ticksOfMs } from './ticks.ts'
import type { Wheel } from './wheel.ts'

const RANKS = LIMITS.bridgeRanks
const CLAIM_TICKS = ticksOfMs(LIMITS.claimVoidMs)
const CLAIM_PER_RANK_TICKS = ticksOfMs(LIMITS.claimVoidStepMs)
/** A pull that has brought nothing for so long has failed: another is asked. */
const PULL_TICKS = CLAIM_TICKS + CLAIM_PER_RANK_TICKS
/** A release that old is told of over every border link, whoever should have carried it. */
const TELL_ALL_TICKS = ticksOfMs(LIMITS.bridgeHaveMs)
/** Digest, channel hash and framing. */
const ANNOUNCE_BYTES = 80
const CLAIM_BYTES = 60
const PULL_BYTES = 60

/** What the bridge asks of the gossip. */
interface Gossip {
  has(node: number): boolean
  seen(node: number): boolean
  push(from: number, to: number): void
}

interface Gateway {
  readonly node: number
  readonly region: number
  /** What it takes its own rank to be. */
  readonly rank: number
  /** Gateways of other regions that have announced to it. */
  readonly announcedBy: number[]
  claimedUntil: number
  /** It has said that it brings it over. */
  hasClaimed: boolean
  waiting: boolean
}

export class Bridge {
  readonly #fleet: Fleet
  readonly #wheel: Wheel
  readonly #network: Network
  readonly #gossip: Gossip
  readonly #kinds: {
    readonly announce: number
    readonly claim: number
    readonly look: number
    readonly pull: number
    readonly tell: number
  }
  /** By region, in the true order of rank. */
  readonly #regions: readonly (readonly Gateway[])[]
  readonly #byNode = new Map<number, Gateway>()

  constructor(
    fleet: Fleet,
    question: Question,
    wheel: Wheel,
    network: Network,
    firstKind: number,
    gossip: Gossip,
  ) {
    this.#fleet = fleet
    this.#wheel = wheel
    this.#network = network
    this.#gossip = gossip
    this.#kinds = {
      announce: firstKind,
      claim: firstKind + 1,
      look: firstKind + 2,
      pull: firstKind + 3,
      tell: firstKind + 4,
    }
    this.#regions = fleet.gateways.map((nodes, region) =>
      nodes.map((node, rank) => ({
        ...{ node, region, rank: believedRank(question, node, rank) },
        ...{ announcedBy: [], claimedUntil: 0, hasClaimed: false, waiting: false },
      })),
    )
    for (const gateway of this.#regions.flat()) this.#byNode.set(gateway.node, gateway)
  }

  ofRank(rank: number): readonly number[] {
    return this.#regions.flatMap((gateways) => gateways[rank]?.node ?? [])
  }

  /**
   * Only home's gateways carry a release abroad, each to its own rank, the first with the content.
   * @param from who gave it the copy that it has checked
   */
  onVerified(node: number, from: number): void {
    const gateway = this.#byNode.get(node)
    if (gateway === undefined) return
    this.#wheel.push(this.#wheel.tick + TELL_ALL_TICKS, this.#kinds.tell, node, 0, 0, 0)
    // Of rubbish nobody around would have to hear.
    if (this.#fleet.regionOf[from] !== gateway.region || this.#isFirstAtHome(gateway, from))
      this.#claim(gateway)
    if (gateway.region !== 0 || gateway.rank >= RANKS) return
    for (const others of this.#regions.slice(1)) {
      const other = others[Math.min(gateway.rank, others.length - 1)]
      if (other === undefined) continue
      if (gateway.rank === 0) this.#gossip.push(node, other.node)
      else this.#network.control(node, other.node, ANNOUNCE_BYTES, this.#kinds.announce, 0, 0)
    }
  }

  /** The origin pushes to the first gateway at home as one of its mesh, and tells the next ranks. */
  onAccepted(): void {
    if (this.#regions.length === 1) return
    for (const { node } of (this.#regions[0] ?? []).slice(1, RANKS))
      this.#network.control(ORIGIN, node, ANNOUNCE_BYTES, this.#kinds.announce, 0, 0)
  }

  /** It takes itself for the first, or the origin does, which pushed to it. */
  #isFirstAtHome(gateway: Gateway, from: number): boolean {
    const [home] = this.#regions
    if (gateway.region !== 0 || this.#regions.length === 1) return false
    return gateway.rank === 0 || (from === ORIGIN && gateway === home?.[0])
  }

  /** The wheel's event is one of the bridge's. */
  handle(): void {
    const { kind, a, b } = this.#wheel
    if (kind === this.#kinds.pull && a === ORIGIN) return this.#gossip.push(a, b)
    const gateway = this.#byNode.get(a)
    if (gateway === undefined) return
    if (kind === this.#kinds.announce) this.#hear(gateway, b)
    else if (kind === this.#kinds.claim) this.#heedClaim(gateway)
    else if (kind === this.#kinds.look) this.#look(gateway)
    else if (kind === this.#kinds.tell) this.#tellAll(gateway)
    else if (this.#gossip.has(gateway.node)) this.#gossip.push(gateway.node, b)
  }

  /** Told without the content. */
  #hear(gateway: Gateway, from: number): void {
    if (this.#gossip.seen(gateway.node)) return
    gateway.announcedBy.push(from)
    const waitMs = rankWaitMs(gateway.rank, from === ORIGIN, LIMITS)
    this.#lookAt(gateway, this.#wheel.tick + ticksOfMs(waitMs))
  }

  /** If nothing comes of it the next rank is first, whoever claimed. */
  #heedClaim(gateway: Gateway): void {
    gateway.claimedUntil = this.#wheel.tick + CLAIM_TICKS + gateway.rank * CLAIM_PER_RANK_TICKS
  }

  /** Neither release nor claim: this gateway brings it over. */
  #look(gateway: Gateway): void {
    gateway.waiting = false
    const { tick } = this.#wheel
    if (this.#gossip.seen(gateway.node)) return
    if (gateway.claimedUntil > tick) return this.#lookAt(gateway, gateway.claimedUntil)
    const source = gateway.announcedBy.shift()
    if (source === undefined) return
    gateway.announcedBy.push(source)
    this.#claim(gateway)
    this.#network.control(gateway.node, source, PULL_BYTES, this.#kinds.pull, 0, 0)
    this.#lookAt(gateway, tick + PULL_TICKS)
  }

  #tellAll(gateway: Gateway): void {
    for (const other of this.#regions.flat())
      if (other.region !== gateway.region)
        this.#network.control(gateway.node, other.node, ANNOUNCE_BYTES, this.#kinds.announce, 0, 0)
  }

  /** Once: if it comes to nothing others have their turn. */
  #claim(gateway: Gateway): void {
    if (gateway.hasClaimed) return
    gateway.hasClaimed = true
    for (const other of this.#regions[gateway.region] ?? [])
      if (other !== gateway)
        this.#network.control(gateway.node, other.node, CLAIM_BYTES, this.#kinds.claim, 0, 0)
  }

  #lookAt(gateway: Gateway, tick: number): void {
    if (gateway.waiting) return
    gateway.waiting = true
    this.#wheel.push(tick, this.#kinds.look, gateway.node, 0, 0, 0)
  }
}

/** Its own, or one of the others: all that do not count are one. */
function believedRank({ seed, failures }: Question, node: number, rank: number): number {
  if (!happens(draw(seed, node, PURPOSE.rank, 0), failures.wrongRank)) return rank
  const wrong = below(draw(seed, node, PURPOSE.rank, 1), RANKS)
  return wrong < rank ? wrong : wrong + 1
}
