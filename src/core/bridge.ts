/**
 * The bridge over region borders. Each release, root and beacon enters a region once: a gateway of its home region
 * pushes it to one gateway of each other region, which claims it there and says it on its region's topic; the next
 * ranks hear of it and step in only where neither it nor a claim came in time. Sync repairs what even they lose.
 */
import { decodeReleaseGossip, encodeReleaseGossip } from '../codec/gossip.ts'
import type { Code } from '../errors.ts'
import type { Digest, Name, PeerId } from '../model/ids.ts'
import type { AnyReply, BridgeItem, BridgeReply } from '../model/messages.ts'
import { Announcers } from './bridge/announcers.ts'
import { asRelease, idOf } from './bridge/id-of.ts'
import { BridgeItems, type Pull, putOff, type Wanted } from './bridge/items.ts'
import { linkedIn } from './bridge/linked.ts'
import { rankWaitMs } from './bridge/rank-wait.ts'
import { type Ask, BridgeRights } from './bridge/rights.ts'
import type { CoreConfig } from './config.ts'
import type { EventOf, RequestId } from './events.ts'
import type { Journey } from './journey.ts'
import { LatestSet } from './latest.ts'
import { readRelease } from './release-bytes.ts'
import { rank } from './rendezvous.ts'
import type { Said, Stage } from './stage.ts'
import type { Step } from './step.ts'

/** A pull is ranked, claimed to all near gateways and sent: some tenths of a millisecond. Then others have their turn. */
const PULLS_A_STEP = 16
const PULL_PAUSE_MS = 20
/** Releases of which it is remembered that their pages went on. */
export const MAX_HANDED = 256

export class Bridge implements Stage {
  readonly #config: CoreConfig
  readonly #region: Name
  readonly #items: BridgeItems
  readonly #announcers: Announcers
  /** Under way. */
  readonly #pulls = new Map<RequestId, Pull>()
  /** Said here lately; every border link hears of them. */
  #toSay: { readonly item: BridgeItem; readonly atMonoMs: number }[] = []
  readonly #rights: BridgeRights
  readonly #handedOn = new LatestSet<Digest>(MAX_HANDED)

  constructor(config: CoreConfig) {
    const { limits } = config
    this.#config = config
    this.#region = config.region as Name
    this.#items = new BridgeItems(limits)
    this.#rights = new BridgeRights(config)
    this.#announcers = new Announcers(limits)
  }

  /** The region's topic carries it: a gateway of its home region takes it over the borders, by its rank. */
  onSaid(step: Step, journey: Journey, said: Said): void {
    if (journey.regions().length < 2) return
    const isGateway = this.#isGateway(journey)
    if (!isGateway && !(this.#config.submit && said.how === 'own')) return
    const id = idOf(said, this.#config.limits)
    if (id === undefined || this.#items.isHere(id)) return
    if (said.how === 'known') return this.#items.here(id, undefined)
    const home = this.#items.find(id)?.item.home ?? this.#region
    const item: BridgeItem = { topic: said.topic, id, home }
    this.#items.here(id, said.bytes)
    this.#carryOn(step, journey, item, said.bytes)
    // Gossip was quicker than the seed's push: the next ranks, which the seed told of it, need not ask for it.
    const isFirst = said.how === 'relayed' && home === this.#region && this.#place(journey, item) === 0
    if (isFirst) this.#claim(step, journey, item)
  }

  onRoot(): void {
    this.#items.forgetNotNow()
  }

  onDisconnected(_step: Step, _journey: Journey, { peer }: EventOf<'disconnected'>): void {
    this.#rights.forget(peer)
  }

  onRequest(step: Step, journey: Journey, { id, peer, request }: EventOf<'request'>): boolean {
    if (request.protocol !== 'bridge' || request.message.type === 'heartbeats') return false
    const { message } = request
    const refused = this.#rights.refuses(step, journey, peer, message)
    if (refused !== undefined) {
      step.emit({ kind: 'note', level: 'debug', code: refused.code, text: refused.text, peer })
      answer(step, id, { type: 'refused', ...refused })
    } else if (message.type === 'pull') answer(step, id, this.#give(journey, message.item))
    else {
      answer(step, id, { type: 'noted' })
      this.#hear(step, journey, peer, message)
    }
    return true
  }

  onReply(step: Step, journey: Journey, id: RequestId, { protocol, message }: AnyReply): boolean {
    const pull = this.#ended(step, id)
    if (pull === undefined) return false
    const { wanted, peer } = pull
    if (this.#items.find(wanted.item.id) !== wanted) return true // it came another way
    if (protocol === 'bridge' && message.type === 'item') {
      step.emit({ kind: 'count', metric: 'bridge_received', by: 1, label: `${wanted.item.topic}-pulled` })
      this.#take(step, journey, wanted.item, message.bytes, peer)
    } else this.#inVain(step, wanted, peer)
    return true
  }

  onRequestFailed(step: Step, _journey: Journey, id: RequestId, code: Code): boolean {
    const pull = this.#ended(step, id)
    if (pull === undefined) return false
    const { wanted, peer, sinceMonoMs } = pull
    // Of a connection that broke, of our own haste, or where this host stood still meanwhile, the peer is innocent.
    const isLate = step.now.monoMs - sinceMonoMs > this.#config.limits.bridgeDeadlineMs
    const isSilent = code === 'NET_TIMEOUT' && (!isLate || wanted.wasExcused)
    wanted.wasExcused ||= isLate
    if (this.#items.find(wanted.item.id) === wanted) this.#inVain(step, wanted, isSilent ? peer : undefined)
    return true
  }

  onTick(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    let pulls = 0
    for (const wanted of [...this.#items.all()]) {
      if (wanted.isAsked) continue
      if (this.#isHere(step, journey, wanted.item))
        this.#items.drop(wanted.item.id) // sync was quicker
      else if (wanted.dueMonoMs > monoMs || putOff(wanted, monoMs)) step.wakeAt(wanted.dueMonoMs)
      else if (pulls >= PULLS_A_STEP) step.wakeAt(monoMs + PULL_PAUSE_MS)
      else if (this.#pull(step, journey, wanted)) pulls += 1
    }
    this.#sayHave(step, journey)
  }

  #isGateway(journey: Journey): boolean {
    return journey.gateways(this.#region).includes(this.#config.self)
  }

  /** Over the borders, if this is its home; and a second later a word to all, if this node is a gateway. */
  #carryOn(step: Step, journey: Journey, item: BridgeItem, bytes: Uint8Array): void {
    if (item.home === this.#region) this.#forward(step, journey, item, bytes)
    this.#handOn(step, journey, item)
    if (!this.#isGateway(journey)) return
    const atMonoMs = step.now.monoMs + this.#config.limits.bridgeHaveMs
    this.#toSay.push({ item, atMonoMs })
    step.wakeAt(atMonoMs)
  }

  /**
   * The gateway of rank i tells rank i of each other region, rank 0 with the content; where the home region has fewer
   * gateways than ranks, the last one speaks for the ranks that are missing. A seed that is no gateway does the same
   * towards the gateways of its own region, which saves the hops to them.
   */
  #forward(step: Step, journey: Journey, item: BridgeItem, bytes: Uint8Array): void {
    const { self, limits } = this.#config
    const own = rank(item.id, journey.gateways(this.#region))
    const place = own.indexOf(self)
    if (place < 0) {
      this.#announce(step, journey, item, bytes, this.#region, 0, limits.bridgeRanks - 1)
      return
    }
    if (place >= limits.bridgeRanks) return
    const last = place === own.length - 1 ? limits.bridgeRanks - 1 : place
    for (const region of journey.regions())
      if (region !== this.#region) this.#announce(step, journey, item, bytes, region, place, last)
  }

  #announce(
    step: Step,
    journey: Journey,
    item: BridgeItem,
    bytes: Uint8Array,
    region: string,
    first: number,
    last: number,
  ): void {
    const ranked = rank(item.id, this.#linked(step, journey, region))
    const alike = ranked.slice(first, last + 1)
    // Where that region has too few, its last one hears of it from all the ranks that have no like.
    for (const [at, peer] of (alike.length > 0 ? alike : ranked.slice(-1)).entries()) {
      const push = first + at === 0
      this.#ask(step, peer, push ? { type: 'announce', item, bytes } : { type: 'announce', item })
      step.emit({ kind: 'count', metric: 'bridge_announced', by: 1 })
      if (push) step.emit({ kind: 'count', metric: 'bridge_pushed', by: 1 })
    }
  }

  /**
   * The manifest goes behind its release, by rank 0 alone: from the seed, over every border, and to all gateways around,
   * who know what to bring in as soon as they hear of it. It may come before the release or after.
   */
  #handOn(step: Step, journey: Journey, item: BridgeItem): void {
    const pages = this.#handedOn.has(item.id) ? [] : this.#pages(journey, item)
    if (pages.length === 0) return
    this.#handedOn.add(item.id)
    const { self, submit } = this.#config
    const own = journey.gateways(this.#region)
    const [first] = rank(item.id, own)
    const regions = first === self && item.home === this.#region ? journey.regions() : []
    const abroad = regions.filter((region) => region !== this.#region)
    const firsts = abroad.flatMap((region) => rank(item.id, this.#linked(step, journey, region))[0] ?? [])
    const others = own.filter((peer) => first === self && peer !== self)
    for (const peer of first === self ? firsts : submit && first !== undefined ? [first] : [])
      this.#ask(step, peer, { type: 'announce', item, pages })
    for (const peer of others) this.#ask(step, peer, { type: 'claim', item, pages })
  }

  /** Of a release that is here: all pages or none. */
  #pages(journey: Journey, { topic, id }: BridgeItem): readonly Uint8Array[] {
    const bytes = topic === 'releases' ? this.#items.bytes(id) : undefined
    if (bytes === undefined) return []
    const { limits } = this.#config
    const read = readRelease(decodeReleaseGossip(bytes, limits).envelope, limits)
    return read.kind === 'read' ? journey.handed(read.release) : []
  }

  /** Who is told there. */
  #linked(step: Step, journey: Journey, region: string): PeerId[] {
    this.#rights.tells(journey, region, step.now.monoMs)
    return linkedIn(region, journey, this.#config.limits)
  }

  #give(journey: Journey, { topic, id }: BridgeItem): BridgeReply {
    const envelope = topic === 'releases' ? journey.envelope(asRelease(id)) : undefined
    const bytes = this.#items.bytes(id) ?? (envelope && encodeReleaseGossip({ envelope, attached: [] }))
    return bytes === undefined ? { type: 'gone' } : { type: 'item', bytes }
  }

  #hear(step: Step, journey: Journey, peer: PeerId, message: Exclude<Ask, { readonly type: 'pull' }>): void {
    const pages = message.type === 'have' ? undefined : message.pages
    if (pages !== undefined) journey.hand(step, pages)
    switch (message.type) {
      case 'announce':
        if (pages !== undefined) this.#handOn(step, journey, message.item)
        if (message.bytes === undefined) this.#want(step, journey, message.item, peer)
        else this.#pushed(step, journey, message.item, message.bytes, peer)
        return
      case 'claim':
        this.#heldOff(step, journey, message.item, peer)
        return
      case 'have':
        for (const item of message.items) this.#want(step, journey, item, peer)
    }
  }

  /** Or came lately, and is not for this node as it is. */
  #isHere({ now }: Step, journey: Journey, { topic, id }: BridgeItem): boolean {
    if (this.#items.isHere(id) || this.#items.isNotNow(id, now.monoMs)) return true
    return topic === 'releases' && journey.envelope(asRelease(id)) !== undefined
  }

  #pushed(step: Step, journey: Journey, item: BridgeItem, bytes: Uint8Array, peer: PeerId): void {
    const spare = this.#isHere(step, journey, item)
    const label = `${item.topic}-${spare ? 'spare' : 'pushed'}`
    step.emit({ kind: 'count', metric: 'bridge_received', by: 1, label })
    if (spare) return
    // Claimed once it is judged: of rubbish nobody around has to hear.
    if (this.#take(step, journey, item, bytes, peer)) this.#claim(step, journey, item)
  }

  /** Announced without its content: whoever ranks before this node gets it first. */
  #want(step: Step, journey: Journey, item: BridgeItem, peer: PeerId): void {
    if (this.#isHere(step, journey, item) || !this.#announcers.isTrusted(peer, step.now.monoMs)) return
    const { limits } = this.#config
    const { hello } = journey.session(peer) ?? {}
    const bySeed = hello?.region === this.#region && hello.submit
    const waitMs = () => rankWaitMs(this.#place(journey, item), bySeed, limits)
    const wanted = this.#items.find(item.id) ?? this.#items.want(item, step.now.monoMs + waitMs())
    if (wanted === undefined) return
    if (!wanted.sources.includes(peer) && wanted.sources.length < limits.maxBridgeSources)
      wanted.sources.push(peer)
    step.wakeAt(wanted.dueMonoMs)
  }

  /** Another gateway of the region has it or is about to; if that comes to nothing, the next rank is first. */
  #heldOff(step: Step, journey: Journey, item: BridgeItem, peer: PeerId): void {
    if (this.#isHere(step, journey, item)) return
    const { limits } = this.#config
    const place = this.#place(journey, item)
    const voidMonoMs = step.now.monoMs + limits.claimVoidMs + place * limits.claimVoidStepMs
    const wanted = this.#items.want(item, voidMonoMs)
    if (wanted === undefined || wanted.claimedBy.has(peer)) return
    wanted.claimedBy.add(peer)
    wanted.dueMonoMs = voidMonoMs
    wanted.wasDue = false
    step.wakeAt(voidMonoMs)
  }

  /** This node's rank for a thing among the gateways of its region; behind all of them where it is none. */
  #place(journey: Journey, { id }: BridgeItem): number {
    const gateways = journey.gateways(this.#region)
    const place = rank(id, gateways).indexOf(this.#config.self)
    return place < 0 ? gateways.length : place
  }

  /** To everybody near who stands, whatever its rank here: who takes itself for a gateway must not pull as well. */
  #claim(step: Step, journey: Journey, item: BridgeItem): void {
    step.emit({ kind: 'count', metric: 'bridge_claims', by: 1 })
    const near = [...journey.admitted()].filter(({ hello }) => hello.region === this.#region)
    const standing = near.map(({ peer }) => peer).filter((peer) => journey.stands(peer))
    for (const peer of standing.sort()) this.#ask(step, peer, { type: 'claim', item })
  }

  /**
   * Asked of those who said they have it, by turns. A claim names no source: if it comes to nothing, the home region's
   * gateways say a second later what they have, and then there is one.
   *
   * @returns false if it is not pulled now: nobody who may be believed has it, or each is asked for enough
   */
  #pull(step: Step, journey: Journey, wanted: Wanted): boolean {
    const { item, sources, pulls } = wanted
    const from = sources.filter(
      (peer) =>
        journey.session(peer)?.hello !== undefined && this.#announcers.isTrusted(peer, step.now.monoMs),
    )
    if (from.length === 0 || pulls >= this.#config.limits.maxBridgePulls) {
      this.#items.drop(item.id) // sync brings it
      return false
    }
    const next = pulls % from.length
    const turns = [...from.slice(next), ...from.slice(0, next)]
    const peer = turns.find((one) => this.#announcers.hasTurn(one))
    if (peer === undefined) return false // the end of a pull wakes
    if (pulls === 0) this.#claim(step, journey, item)
    wanted.pulls += 1
    wanted.isAsked = true
    const id = this.#ask(step, peer, { type: 'pull', item })
    this.#pulls.set(id, { wanted, peer, sinceMonoMs: step.now.monoMs })
    this.#announcers.pulled(peer)
    step.emit({ kind: 'count', metric: 'bridge_pulled', by: 1 })
    return true
  }

  #ended(step: Step, id: RequestId): Pull | undefined {
    const pull = this.#pulls.get(id)
    if (pull === undefined) return undefined
    this.#pulls.delete(id)
    this.#announcers.ended(pull.peer)
    step.wakeAt(step.now.monoMs) // others wait for its turn
    return pull
  }

  /** @param peer that announced it, and is to blame */
  #inVain(step: Step, wanted: Wanted, peer: PeerId | undefined): void {
    if (peer !== undefined) this.#announcers.dud(peer, step.now.monoMs)
    wanted.isAsked = false
    wanted.dueMonoMs = step.now.monoMs
  }

  /**
   * What came over the border is judged as gossip is, and said on the region's topic.
   *
   * @returns true if it was accepted
   */
  #take(step: Step, journey: Journey, item: BridgeItem, bytes: Uint8Array, peer: PeerId): boolean {
    this.#items.drop(item.id)
    const { verdict, id, known, notNow, blameless, said } = journey.hear(step, item.topic, bytes, peer)
    const isAccepted = verdict === 'accept' || said !== undefined
    if (isAccepted && id !== undefined) {
      const heard = { ...item, id }
      this.#items.here(id, said ?? bytes)
      if (said === undefined) step.emit({ kind: 'publish', topic: item.topic, bytes })
      this.#carryOn(step, journey, heard, said ?? bytes)
    } else if (known && id !== undefined) this.#items.here(id, undefined)
    if (verdict === 'reject' || (id !== undefined && id !== item.id)) {
      const text = 'what this gateway brought over the border is not what it announced'
      step.emit({ kind: 'note', level: 'warn', code: 'NET_PROTOCOL', text, peer })
      step.emit({ kind: 'hangUp', peer, code: 'NET_PROTOCOL' })
      return false
    }
    if (notNow && id !== undefined) this.#items.notNow(id, step.now.monoMs)
    if (verdict === 'ignore' && !known && !blameless) this.#announcers.dud(peer, step.now.monoMs)
    return isAccepted
  }

  #sayHave(step: Step, journey: Journey): void {
    const { monoMs } = step.now
    const due = this.#toSay.filter(({ atMonoMs }) => atMonoMs <= monoMs).map(({ item }) => item)
    this.#toSay = this.#toSay.filter(({ atMonoMs }) => atMonoMs > monoMs)
    for (const { atMonoMs } of this.#toSay.slice(0, 1)) step.wakeAt(atMonoMs)
    if (due.length === 0 || !this.#isGateway(journey)) return
    for (const region of journey.regions()) {
      // Where it is at home everybody has it.
      const items = due.filter(({ home }) => home !== region).slice(0, this.#config.limits.maxBridgeHave)
      if (region === this.#region || items.length === 0) continue
      for (const peer of this.#linked(step, journey, region)) this.#ask(step, peer, { type: 'have', items })
    }
  }

  #ask(step: Step, peer: PeerId, message: Ask): RequestId {
    const id = step.nextRequest()
    const { bridgeDeadlineMs, claimVoidMs, claimVoidStepMs } = this.#config.limits
    // A pull that takes as long as a claim holds is as good as failed.
    const timeoutMs = message.type === 'pull' ? claimVoidMs + claimVoidStepMs : bridgeDeadlineMs
    step.emit({ kind: 'request', id, peer, request: { protocol: 'bridge', message }, timeoutMs })
    return id
  }
}

function answer(step: Step, id: RequestId, message: BridgeReply): void {
  step.emit({ kind: 'reply', id, reply: { protocol: 'bridge', message } })
}

export const createBridge = (config: CoreConfig): Bridge => new Bridge(config)
