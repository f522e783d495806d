/**
 * Whole cores of several regions on virtual time: only links, delays and disks are made up. A link costs half the
 * round trip of its regions; gossip goes to at most eight admitted peers of the own region. A node may die silently:
 * its links stay, and nothing comes of what is sent to it.
 */
import { decodeControlGossip } from '../../src/codec/gossip.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest, isLast } from '../../src/codec/messages.ts'
import type { Effect, EffectOf } from '../../src/core/effects.ts'
import type { Event, RequestId } from '../../src/core/events.ts'
import { createNode } from '../../src/core/node.ts'
import { EMPTY_SNAPSHOT } from '../../src/core/snapshot.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Address, Channel, Digest, Name, Pattern, PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest, PublishReply } from '../../src/model/messages.ts'
import { peerOf } from '../../src/model/names.ts'
import { type Made, makeRelease } from '../../src/sim/fleet.ts'
import { GOSSIP } from '../../src/sim/gossip.ts'
import { keyNamed, peerOfKey } from '../../src/sim/keys.ts'
import { addressOf } from '../../src/sim/network.ts'
import { heartbeatsOf, signedRecord } from '../../src/sim/own-records.ts'
import { stream } from '../../src/sim/random.ts'
import { EPOCH_MS, VirtualTime } from '../../src/sim/time.ts'
import { chainOf, SimTrust } from '../../src/sim/trust.ts'
import { CoreNode, listener } from './core-node.ts'

const NEAR_MS = 1
const FAR_MS = 50

export interface Shape {
  readonly regions: readonly string[]
  /** Beside the one seed of each region. */
  readonly nodes: number
  readonly seed?: number
  /** Regions with a seed; all of them unless said. */
  readonly seeds?: readonly string[]
  /** Regions whose nodes listen nowhere. */
  readonly deaf?: readonly string[]
  /** What its nodes store, seeds left out: all, unless said. */
  readonly patternOf?: (at: number) => string
  readonly seedPatternOf?: (region: string) => string
}

export class RegionalFleet {
  readonly time = new VirtualTime()
  readonly nodes: CoreNode[] = []
  readonly #shape: Shape
  readonly #trust: SimTrust
  readonly #random: () => number
  readonly #seeds: readonly string[]
  #inbound = 1_000_000
  #made = 0

  constructor(shape: Shape) {
    this.#shape = shape
    this.#trust = new SimTrust(shape.regions.length)
    this.#seeds = shape.seeds ?? shape.regions
    this.#random = stream(shape.seed ?? 1, 'regional fleet')
    for (const region of shape.regions) {
      const first = this.#seeds.includes(region) ? 0 : 1
      for (let at = first; at <= shape.nodes; at += 1) this.nodes.push(this.#make(region, at))
    }
    for (const node of this.nodes)
      this.time.after(this.#random() * 500, () => {
        node.bornMs = this.time.nowMs
        this.handle(node, { kind: 'started', snapshot: EMPTY_SNAPSHOT })
      })
  }

  of(region: string): CoreNode[] {
    return this.nodes.filter((node) => node.region === region)
  }

  /** Whoever said so in the last interval. */
  gatewaysOf(region: string): CoreNode[] {
    const since = this.time.nowMs - 1.1 * LIMITS.heartbeatMs
    return this.of(region).filter(({ lastHeartbeatMs, silent }) => lastHeartbeatMs > since && !silent)
  }

  seedOf(region: string): CoreNode {
    return this.of(region).find(({ isSeed }) => isSeed) as CoreNode
  }

  run(ms: number, done: () => boolean = () => false): boolean {
    const untilMs = this.time.nowMs + ms
    while (!done()) if (!this.time.step(untilMs)) return done()
    return true
  }

  /** Hands a release to the seed, as the tool does; the first event of the seed that orders it is its start. */
  publish(region: string, bytes: number | Uint8Array = 500, at = this.seedOf(region)): Made {
    this.#made += 1
    const publisher = 'alpha' as Name
    const { fleetId, version: root } = this.#trust
    const order = {
      ...{ fleetId, root },
      channel: `app/c${this.#made}` as Channel,
      publisher,
      clock: new Map([['alpha' as Name, 1]]),
      files: new Map([
        ['app.conf', typeof bytes === 'number' ? Buffer.alloc(bytes, `${this.#made} `) : bytes],
      ]),
      message: '',
      created: EPOCH_MS + Math.floor(this.time.nowMs),
    }
    const made = makeRelease(order, (payload) => this.#trust.sign(publisher, payload))
    const tool = `12D3KooWtool${this.#made}` as PeerId
    this.handle(at, {
      ...{ kind: 'connected', peer: tool, direction: 'inbound', ownHost: !at.isSeed },
      address: addressOf(tool),
    })
    this.#submit(at, tool, made)
    return made
  }

  has(node: CoreNode, { id, header }: Made): boolean {
    const channel = node.core.view(this.#now(node)).channels.find((one) => one.channel === header.channel)
    return channel?.target === id
  }

  /** Contents that came into a region from outside it. */
  entered(region: string, { id }: Made): number {
    return this.of(region).reduce((sum, { payloads }) => sum + payloads.filter((one) => one === id).length, 0)
  }

  /** Runs the release: every page and block is there, and it was activated. */
  runs(node: CoreNode, { id, header }: Made): boolean {
    const channel = node.core.view(this.#now(node)).channels.find((one) => one.channel === header.channel)
    return channel?.active?.id === id
  }

  /** Bytes of blocks sent by these nodes to a region. */
  blockBytes(from: readonly CoreNode[], to: string): number {
    return from.reduce((sum, { sentTo }) => sum + (sentTo.get(to) ?? 0), 0)
  }

  count(metric: string): number {
    return this.nodes.reduce((sum, { counts }) => sum + (counts.get(metric) ?? 0), 0)
  }

  handle(node: CoreNode, event: Event): void {
    if (node.silent) return
    for (const effect of node.core.handle(event, this.#now(node))) this.#perform(node, effect)
  }

  #now({ bornMs }: CoreNode) {
    return { monoMs: this.time.nowMs - bornMs, wallMs: EPOCH_MS + Math.floor(this.time.nowMs) }
  }

  #make(region: string, at: number): CoreNode {
    const key = keyNamed(`${region} node ${at}`)
    const peer = peerOfKey(key)
    const submit = at === 0
    const freshness = submit ? this.#trust.freshness[this.#shape.regions.indexOf(region)] : undefined
    const pattern = submit ? this.#shape.seedPatternOf?.(region) : this.#shape.patternOf?.(at)
    const patterns = [(pattern ?? '**') as Pattern]
    const addresses = this.#shape.deaf?.includes(region) ? [] : [addressOf(peer)]
    const chain = chainOf(this.#trust, peer, region, 'z')
    const record = signedRecord(key, { addresses, region, zone: 'z', submit, chain, patterns })
    const seeds = this.#seeds.map((name) => addressOf(peerOfKey(keyNamed(`${name} node 0`))))
    const core = createNode({
      ...{ self: peer, root: this.#trust.rootEnvelope, patterns, region, zone: 'z', submit },
      chain: () => chain,
      seeds: seeds.filter((seed) => seed !== addressOf(peer)),
      ...(freshness === undefined
        ? {}
        : { signBeacon: { key: freshness.id, sign: (data: Uint8Array) => freshness.sign(data) } }),
      peerRecord: () => record,
      signHeartbeat: addresses.length > 0 ? heartbeatsOf(key, region as Name, chain) : () => undefined,
      ...{ keepReleases: 3, soakMs: 0, materialize: false, limits: LIMITS },
      random: stream(this.#shape.seed ?? 1, region, at),
    })
    return new CoreNode(core, peer, region, submit, addresses.length > 0)
  }

  #perform(node: CoreNode, effect: Effect): void {
    switch (effect.kind) {
      case 'wake':
        node.cancelWake()
        node.cancelWake = this.time.after(effect.atMonoMs - this.#now(node).monoMs, () =>
          this.handle(node, { kind: 'tick' }),
        )
        return
      case 'dial':
        return this.#dial(node, effect.address)
      case 'hangUp':
        return this.#hangUp(node, effect.peer)
      case 'admit':
        return void node.admitted.set(effect.peer, effect.region)
      case 'request':
        return this.#ask(node, effect)
      case 'reply':
        return this.#answer(node, effect.id, effect.reply)
      case 'serveBlock':
        return this.#serve(node, effect.id, node.blocks.get(effect.digest))
      case 'read':
        return void this.time.after(0, () =>
          this.handle(node, {
            kind: 'blockRead',
            digest: effect.digest,
            bytes: node.blocks.get(effect.digest),
          }),
        )
      case 'publish':
        if (effect.topic === 'control' && decodeControlGossip(effect.bytes, LIMITS).kind === 'heartbeat')
          node.lastHeartbeatMs = this.time.nowMs
        node.seen.add(keyOf(effect.topic, effect.bytes))
        return this.#spread(node, effect.topic, effect.bytes, undefined)
      case 'verdict': {
        const message = this.#messages.get(effect.id)
        if (effect.verdict === 'accept' && message !== undefined)
          this.#spread(node, message.topic, message.bytes, effect.from)
        return
      }
      case 'persist':
        for (const write of effect.writes)
          if (write.kind === 'block') node.blocks.set(write.digest, write.bytes)
        return void this.time.after(0.5, () =>
          this.handle(node, { kind: 'persisted', ticket: effect.ticket }),
        )
      case 'activate':
        return void this.time.after(1, () => {
          const { channel, release } = effect
          this.handle(node, { kind: 'activated', channel, release, outcome: { kind: 'healthy', changed: 1 } })
        })
      case 'note':
        return void node.notes.push(effect)
      case 'count': {
        const name = effect.label === undefined ? effect.metric : `${effect.metric} ${effect.label}`
        return void node.counts.set(name, (node.counts.get(name) ?? 0) + effect.by)
      }
      default:
        return
    }
  }

  readonly #messages = new Map<
    string,
    { readonly topic: 'releases' | 'control'; readonly bytes: Uint8Array }
  >()

  #delay(a: CoreNode, b: CoreNode): number {
    return (a.region === b.region ? NEAR_MS : FAR_MS) * (1 + this.#random() / 10)
  }

  #spread(
    from: CoreNode,
    topic: 'releases' | 'control',
    bytes: Uint8Array,
    except: PeerId | undefined,
  ): void {
    const id = keyOf(topic, bytes)
    this.#messages.set(id, { topic, bytes })
    const mesh = [...from.links.values()].filter(
      (other) =>
        other.region === from.region &&
        from.admitted.has(other.peer) &&
        other.admitted.has(from.peer) &&
        other.peer !== except,
    )
    for (let sent = 0; sent < GOSSIP.degree && mesh.length > 0; sent += 1) {
      const [to] = mesh.splice(Math.floor(this.#random() * mesh.length), 1)
      if (to === undefined) continue
      this.time.after(this.#delay(from, to), () => {
        if (to.seen.has(id) || !to.links.has(from.peer)) return
        to.seen.add(id)
        this.handle(to, { kind: 'gossip', topic, from: from.peer, id, bytes })
      })
    }
  }

  #dial(from: CoreNode, address: Address): void {
    const to = this.nodes.find(({ peer }) => peer === peerOf(address))
    if (to === undefined) return
    this.time.after(3 * this.#delay(from, to), () => {
      if (to.silent || !to.listens || from.isApart(to))
        return void this.handle(from, { kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
      if (from.links.has(to.peer)) return
      from.links.set(to.peer, to)
      to.links.set(from.peer, from)
      const connected = { kind: 'connected', ownHost: false } as const
      this.handle(from, { ...connected, peer: to.peer, direction: 'outbound', address })
      const back = addressOf(from.peer)
      this.handle(to, { ...connected, peer: from.peer, direction: 'inbound', address: back })
    })
  }

  #hangUp(from: CoreNode, peer: PeerId): void {
    const to = from.links.get(peer)
    if (to === undefined) return
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      one.links.delete(other.peer)
      one.admitted.delete(other.peer)
      this.time.after(1, () => this.handle(one, { kind: 'disconnected', peer: other.peer }))
    }
  }

  part(from: CoreNode, to: CoreNode): void {
    this.#hangUp(from, to.peer)
  }

  /** The kernel of a dead process closes its connections. */
  kill(node: CoreNode): void {
    node.silent = true
    for (const peer of [...node.links.keys()]) this.#hangUp(node, peer)
  }

  #ask(from: CoreNode, { id, peer, request, timeoutMs }: EffectOf<'request'>): void {
    const to = from.links.get(peer)
    if (request.protocol === 'bridge' && request.message.type !== 'heartbeats') from.bridged += 1
    const fail = (code: 'NET_TIMEOUT' | 'NET_UNREACHABLE') => {
      if (from.asked.delete(id)) this.handle(from, { kind: 'requestFailed', id, code })
    }
    const cancel = this.time.after(to === undefined ? 0 : timeoutMs, () =>
      fail(to === undefined ? 'NET_UNREACHABLE' : 'NET_TIMEOUT'),
    )
    from.asked.set(id, cancel)
    if (to === undefined) return
    const bytes = encodeRequest(request.protocol, request.message as never)
    this.time.after(this.#delay(from, to), () => {
      if (to.silent || !to.links.has(from.peer)) return
      this.#inbound += 1
      const read = decodeRequest(request.protocol, bytes, LIMITS)
      to.inbound.set(this.#inbound, { from, id, request: read })
      if (read.protocol === 'bridge' && read.message.type === 'announce') this.#weigh(from, to, read.message)
      this.handle(to, { kind: 'request', id: this.#inbound, peer: from.peer, request: read })
    })
  }

  #weigh(from: CoreNode, to: CoreNode, message: { readonly item: { id: Digest }; bytes?: Uint8Array }): void {
    if (message.bytes !== undefined && from.region !== to.region)
      to.payloads.push(message.item.id as string as ReleaseId)
  }

  #serve(node: CoreNode, id: RequestId, bytes: Uint8Array | undefined): void {
    const to = node.inbound.get(id)?.from.region
    if (to !== undefined) node.sentTo.set(to, (node.sentTo.get(to) ?? 0) + (bytes?.length ?? 0))
    const message = bytes === undefined ? ({ type: 'gone' } as const) : ({ type: 'block', bytes } as const)
    this.#answer(node, id, { protocol: 'blocks', message })
    if (bytes !== undefined) this.time.after(0, () => this.handle(node, { kind: 'serving', id }))
    this.time.after(1, () => this.handle(node, { kind: 'served', id, bytes: bytes?.byteLength ?? 0 }))
  }

  #answer(by: CoreNode, inboundId: RequestId, reply: AnyReply): void {
    const inbound = by.inbound.get(inboundId)
    if (inbound === undefined) return
    if (isLast(reply)) by.inbound.delete(inboundId)
    const { from, id, request } = inbound
    const bytes = encodeReply(reply.protocol, reply.message as never)
    this.time.after(this.#delay(by, from), () => {
      const cancel = from.asked.get(id)
      if (cancel === undefined) return
      const read = decodeReply(reply.protocol, bytes, LIMITS)
      if (isLast(read)) {
        cancel()
        from.asked.delete(id)
      }
      if (read.protocol === 'bridge' && read.message.type === 'item' && request.protocol === 'bridge')
        if (request.message.type === 'pull') this.#weigh(by, from, { ...request.message, ...read.message })
      this.handle(from, { kind: 'reply', id, reply: read })
    })
  }

  /** Submits, then sends what the seed lacks, as the tool does it; what the seed answers later is waited for. */
  #submit(seed: CoreNode, tool: PeerId, made: Made): void {
    const release = made.id
    const bytesOf = (digest: Digest) => made.content.get(digest) as Uint8Array
    const say = (request: AnyRequest): void => {
      this.#inbound += 1
      const id = this.#inbound
      const from = listener(id, (reply) => this.#late.set(id, reply.message as PublishReply))
      seed.inbound.set(id, { from, id, request })
      const poll = () => {
        const reply = this.#late.get(id)
        if (reply === undefined) return void this.time.after(1, poll)
        this.#late.delete(id)
        next(reply)
      }
      this.handle(seed, { kind: 'request', id, peer: tool, request })
      poll()
    }
    const next = (reply: PublishReply) => {
      if (reply.type !== 'need') return
      for (const digest of reply.pages)
        say({ protocol: 'publish', message: { type: 'page', release, bytes: bytesOf(digest) } })
      for (const digest of reply.blocks)
        say({ protocol: 'publish', message: { type: 'block', release, bytes: bytesOf(digest) } })
    }
    say({ protocol: 'publish', message: { type: 'submit', envelope: made.envelope } })
  }

  readonly #late = new Map<RequestId, PublishReply>()
}

const keyOf = (topic: string, bytes: Uint8Array): string =>
  `${topic} ${Buffer.from(bytes).toString('base64')}`
