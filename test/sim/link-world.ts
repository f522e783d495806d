/** Many whole cores that only find one another: no content, no loss, a link takes a few milliseconds. */
import type { CoreConfig } from '../../src/core/config.ts'
import type { Effect, EffectOf } from '../../src/core/effects.ts'
import type { Event } from '../../src/core/events.ts'
import { createNode, type NodeCore } from '../../src/core/node.ts'
import { EMPTY_SNAPSHOT } from '../../src/core/snapshot.ts'
import type { Limits } from '../../src/limits.ts'
import type { Address, Pattern, PeerId } from '../../src/model/ids.ts'
import { peerOf } from '../../src/model/names.ts'
import { keyNamed, peerOfKey } from '../../src/sim/keys.ts'
import { addressOf } from '../../src/sim/network.ts'
import { signedRecord } from '../../src/sim/own-records.ts'
import { between, type Random, stream } from '../../src/sim/random.ts'
import { EPOCH_MS, VirtualTime } from '../../src/sim/time.ts'
import { chainOf, SimTrust } from '../../src/sim/trust.ts'

const DIAL_MS = 8
const MESSAGE_MS = 2

export interface LinkWorldInit {
  readonly seed: number
  readonly seeds: number
  readonly nodes: number
  /** Peers each node remembers from before. */
  readonly remembered: number
  readonly limits: Limits
  /** Of the node with this number, seeds first; all are in one region unless said. */
  readonly regionOf?: (at: number) => string
}

export interface Host {
  readonly peer: PeerId
  readonly region: string
  readonly make: () => NodeCore
  core: NodeCore
  readonly links: Set<PeerId>
  /** Milliseconds of each dial that reached it. */
  readonly dialled: number[]
  up: boolean
  cancelWake: () => void
}

/** What a seed had to do. */
export interface Load {
  /** Milliseconds of each dial that reached it, and of each admission it gave. */
  readonly dialled: number[]
  readonly admitted: number[]
}

export class LinkWorld {
  readonly time = new VirtualTime()
  readonly loads = new Map<PeerId, Load>()
  readonly #hosts = new Map<PeerId, Host>()
  readonly #asked = new Map<string, { readonly asker: Host; readonly id: number }>()
  readonly #random: Random
  #requests = 0
  #parted = false

  constructor(init: LinkWorldInit) {
    this.#random = stream(init.seed, 'links')
    const trust = new SimTrust(init.seeds)
    const keys = Array.from({ length: init.seeds + init.nodes }, (_, at) => keyNamed(`node ${at}`))
    const { regionOf = () => 'all' } = init
    const chains = keys.map((key, at) => chainOf(trust, peerOfKey(key), regionOf(at), 'all'))
    const records = keys.map((key, at) =>
      signedRecord(key, {
        region: regionOf(at),
        zone: 'all',
        submit: at < init.seeds,
        chain: chains[at] as readonly Uint8Array[],
      }),
    )
    const seeds = keys.slice(0, init.seeds).map((key) => addressOf(peerOfKey(key)))
    for (const [at, key] of keys.entries()) {
      const peer = peerOfKey(key)
      const config: CoreConfig = {
        self: peer,
        root: trust.rootEnvelope,
        patterns: PATTERNS,
        region: regionOf(at),
        zone: 'all',
        submit: at < init.seeds,
        seeds: seeds.filter((address) => peerOf(address) !== peer),
        chain: () => chains[at] as readonly Uint8Array[],
        peerRecord: () => records[at] as Uint8Array,
        keepReleases: 3,
        soakMs: 0,
        materialize: false,
        random: stream(init.seed, 'node', at),
        limits: init.limits,
      }
      const make = () => createNode(config)
      const host = {
        ...{ peer, region: regionOf(at), make, core: make() },
        links: new Set<PeerId>(),
        dialled: [],
        up: false,
        cancelWake: () => {},
      }
      this.#hosts.set(peer, host)
      if (at < init.seeds) this.loads.set(peer, { dialled: [], admitted: [] })
      const choose = stream(init.seed, 'remembered', at)
      const peers = Array.from({ length: at < init.seeds ? 0 : init.remembered }, () => {
        const other = init.seeds + Math.floor(choose() * init.nodes)
        return records[other] as Uint8Array
      })
      // Power returns to all of them within a tenth of a second.
      this.time.after(between(choose, 0, 100), () => {
        host.up = true
        this.#give(host, { kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, peers } })
      })
    }
  }

  run(untilMs: number): void {
    while (this.time.step(untilMs));
  }

  /** Admitted links of each node that is no seed, ascending. */
  degrees(): readonly number[] {
    return [...this.#hosts.values()]
      .filter(({ peer }) => !this.loads.has(peer))
      .map(({ links }) => links.size)
      .sort((a, b) => a - b)
  }

  in(region: string): Host[] {
    return [...this.#hosts.values()].filter((host) => host.region === region)
  }

  /** Of each node of a region that is no seed, how many of its links stay in it. */
  linksWithin(region: string): readonly number[] {
    return this.in(region)
      .filter(({ peer }) => !this.loads.has(peer))
      .map((host) => this.#within(host))
  }

  #within({ links, region }: Host): number {
    return [...links].filter((peer) => this.#hosts.get(peer)?.region === region).length
  }

  /** No region reaches another from now on, or all do again. */
  part(parted: boolean): void {
    this.#parted = parted
    if (!parted) return
    for (const host of this.#hosts.values())
      for (const peer of [...host.links])
        if (this.#hosts.get(peer)?.region !== host.region) this.#part(host, peer)
  }

  linksAcross(): number {
    const all = [...this.#hosts.values()]
    return (
      all.reduce((sum, { links }) => sum + links.size, 0) -
      all.reduce((sum, host) => sum + this.#within(host), 0)
    )
  }

  /** It ends, and starts anew with nothing remembered. */
  restart(host: Host, downMs: number): void {
    host.up = false
    host.cancelWake()
    for (const peer of [...host.links]) this.#part(host, peer)
    this.time.after(downMs, () => {
      host.core = host.make()
      host.up = true
      this.#give(host, { kind: 'started', snapshot: EMPTY_SNAPSHOT })
    })
  }

  #give(host: Host, event: Event): void {
    if (!host.up) return
    const { nowMs } = this.time
    const now = { monoMs: nowMs, wallMs: EPOCH_MS + Math.floor(nowMs) }
    for (const effect of host.core.handle(event, now)) this.#perform(host, effect)
  }

  #perform(host: Host, effect: Effect): void {
    switch (effect.kind) {
      case 'dial':
        return this.#dial(host, effect.address)
      case 'request':
        return this.#ask(host, effect)
      case 'reply':
        return this.#answer(host, effect)
      case 'admit':
        host.links.add(effect.peer)
        this.loads.get(host.peer)?.admitted.push(this.time.nowMs)
        return
      case 'hangUp':
        return this.#part(host, effect.peer)
      case 'persist':
        this.time.after(1, () => this.#give(host, { kind: 'persisted', ticket: effect.ticket }))
        return
      case 'wake':
        host.cancelWake()
        host.cancelWake = this.time.after(Math.max(0, effect.atMonoMs - this.time.nowMs), () =>
          this.#give(host, { kind: 'tick' }),
        )
    }
  }

  #dial(from: Host, address: Address): void {
    const to = this.#hosts.get(peerOf(address))
    if (to === undefined) return
    this.time.after(between(this.#random, DIAL_MS, 2 * DIAL_MS), () => {
      if (!to.up || (this.#parted && to.region !== from.region))
        return this.#give(from, { kind: 'dialFailed', address, code: 'NET_UNREACHABLE' })
      to.dialled.push(this.time.nowMs)
      this.loads.get(to.peer)?.dialled.push(this.time.nowMs)
      const link = { kind: 'connected', ownHost: false } as const
      this.#give(from, { ...link, peer: to.peer, direction: 'outbound', address })
      this.#give(to, { ...link, peer: from.peer, direction: 'inbound', address: addressOf(from.peer) })
    })
  }

  #ask(asker: Host, { id, peer, request }: EffectOf<'request'>): void {
    const to = this.#hosts.get(peer)
    if (to === undefined) return
    this.#requests += 1
    const number = this.#requests
    this.#asked.set(`${peer} ${number}`, { asker, id })
    this.time.after(MESSAGE_MS, () =>
      this.#give(to, { kind: 'request', id: number, peer: asker.peer, request }),
    )
  }

  #answer(from: Host, { id, reply }: EffectOf<'reply'>): void {
    const asked = this.#asked.get(`${from.peer} ${id}`)
    if (asked !== undefined)
      this.time.after(MESSAGE_MS, () => this.#give(asked.asker, { kind: 'reply', id: asked.id, reply }))
  }

  #part(host: Host, peer: PeerId): void {
    const other = this.#hosts.get(peer)
    if (other === undefined) return
    for (const [one, two] of [
      [host, other],
      [other, host],
    ] as const) {
      one.links.delete(two.peer)
      this.time.after(2 * MESSAGE_MS, () => this.#give(one, { kind: 'disconnected', peer: two.peer }))
    }
  }
}

const PATTERNS = ['**' as Pattern]
