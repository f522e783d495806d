import { createHash } from 'node:crypto'
import { createNode } from '../core/node.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Name, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import { type Broken, label } from './checkers/broken.ts'
import { Published } from './checkers/published.ts'
import { type Acknowledged, unsettled } from './checkers/settled.ts'
import { Swaps } from './checkers/swaps.ts'
import { Watch } from './checkers/watch.ts'
import { SimDisk } from './disk.ts'
import type { Scenario } from './happening.ts'
import { HostFiles } from './host-files.ts'
import { hostileTransport } from './hostile.ts'
import { keyNamed, peerOfKey } from './keys.ts'
import { addressOf, SimNetwork } from './network.ts'
import { type CreateCore, SimNode } from './node.ts'
import { heartbeatsOf, signedRecord } from './own-records.ts'
import { between, stream } from './random.ts'
import { VirtualTime } from './time.ts'
import { Trouble } from './trouble.ts'
import { chainOf, SimTrust } from './trust.ts'

export interface WorldOptions {
  /** How cores are made: tests break them. */
  readonly createCore?: CreateCore | undefined
  readonly limits?: Limits
  /** Told of each release that comes to be seen on an honest host. */
  readonly onShow?: (node: number, release: ReleaseId, nowMs: number) => void
}

const AMPLE_CACHE_BYTES = 64 * 1024 * 1024

/** One simulated fleet with its publishers, faults and checkers. */
export class World {
  readonly time = new VirtualTime()
  readonly nodes: SimNode[] = []
  readonly trace: string[] = []
  readonly #scenario: Scenario
  readonly #network: SimNetwork
  readonly #trust: SimTrust
  readonly #limits: Limits
  readonly #sick = new Set<ReleaseId>()
  readonly #acknowledged = new Map<ReleaseId, Acknowledged>()
  readonly #published = new Published()
  readonly #swaps = new Swaps(this.#published, this.#sick)
  readonly #watch = new Watch(this.#published)
  readonly #hash = createHash('sha256')
  readonly #options: WorldOptions
  readonly #honest: readonly SimNode[]
  #bridged = 0

  constructor(scenario: Scenario, options: WorldOptions = {}) {
    this.#scenario = scenario
    this.#options = options
    this.#limits = options.limits ?? LIMITS
    this.#trust = new SimTrust(scenario.seeds)
    this.#network = new SimNetwork(this.time, stream(scenario.seed, 'network'), this.#limits)
    for (let at = 0; at < scenario.nodes; at++) this.nodes.push(this.#makeNode(at))
    this.#honest = this.nodes.filter(({ isHostile }) => !isHostile)
    const trouble = new Trouble({
      scenario,
      time: this.time,
      network: this.#network,
      nodes: this.nodes,
      trust: this.#trust,
      published: this.#published,
      watch: this.#watch,
      sick: this.#sick,
      acknowledged: this.#acknowledged,
      say: (text) => this.#say(text),
    })
    for (const happening of scenario.happenings)
      this.time.after(happening.atMs, () => trouble.happen(happening))
    this.time.after(scenario.calmFromMs, () => trouble.calm())
  }

  /** The first promise that was broken so far, while faults went on or after. */
  get broken(): Broken | undefined {
    return this.#swaps.broken[0] ?? this.#watch.broken[0]
  }

  /** What has not come right yet. */
  unsettled(): Broken | undefined {
    return unsettled(this.#honest, this.#published, this.#acknowledged, this.#sick)
  }

  /** Releases, roots and beacons that came over a region border by the bridge. */
  get bridged(): number {
    return this.#bridged
  }

  /** The same seed gives the same digest: everything said and shown, with its time, went into it. */
  get digest(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Runs until `untilMs`, or until `done` says so at a whole second. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    let nextLookMs = Math.ceil(this.time.nowMs / 1000) * 1000
    while (this.time.step(untilMs)) {
      // Every promise of this instant settles before the next event: nothing here waits for more than promises, and
      // the tick queue runs once they are through. It is far cheaper than a turn of the event loop.
      await new Promise<void>((resolve) => process.nextTick(resolve))
      if (this.time.nowMs < nextLookMs) continue
      nextLookMs += 1000
      await new Promise(setImmediate)
      this.#watch.look(this.#honest, this.time.nowMs)
      if (this.broken !== undefined || done()) return
    }
  }

  #makeNode(at: number): SimNode {
    const { seed, seeds, regions, clockErrorsMs } = this.#scenario
    const key = keyNamed(`node ${at}`)
    const peer = peerOfKey(key)
    const isSeed = at < seeds
    const freshness = isSeed ? this.#trust.freshness[at] : undefined
    const hostile = this.#scenario.hostile.get(at)
    const patterns = ['**' as Pattern]
    const address = addressOf(peer)
    const region = regions[at % regions.length] as Name
    const chain = chainOf(this.#trust, peer, region, 'all')
    const signed = signedRecord(key, { region, zone: 'all', submit: isSeed, chain })
    const node: SimNode = new SimNode(address, {
      config: {
        self: peer,
        root: this.#trust.rootEnvelope,
        patterns,
        region,
        zone: 'all',
        submit: isSeed,
        seeds: Array.from({ length: seeds }, (_, n) => addressOf(peerOfKey(keyNamed(`node ${n}`)))).filter(
          (other) => other !== address,
        ),
        chain: () => chain,
        ...(freshness === undefined
          ? {}
          : { signBeacon: { key: freshness.id, sign: (data: Uint8Array) => freshness.sign(data) } }),
        peerRecord: () => signed,
        ...(regions.length < 2 ? {} : { signHeartbeat: heartbeatsOf(key, region, chain) }),
        keepReleases: 3,
        soakMs: 2_000,
        materialize: true,
        random: stream(seed, 'node', at),
        limits: this.#limits,
      },
      disk: new SimDisk(this.time, stream(seed, 'disk', at), this.#trust.fleetId, this.#limits),
      files: this.#makeFiles(at, peer, () => node),
      network: this.#network,
      time: this.time,
      onNote: (from, note) => this.#say(`${label(from)} ${note.code} ${note.text}`, note.level === 'debug'),
      onCount: ({ metric, by }) => {
        if (metric === 'bridge_received') this.#bridged += by
      },
      onCacheBytes: this.#scenario.cacheBytes ?? AMPLE_CACHE_BYTES,
      createCore: this.#options.createCore ?? createNode,
      ...(hostile && {
        hostile: (port) => hostileTransport(hostile, port, this.time, stream(seed, 'hostile', at)),
      }),
    })
    node.clockErrorMs = clockErrorsMs[at] ?? 0
    this.time.after(between(stream(seed, 'boot', at), 0, 1_000), () => void node.start())
    return node
  }

  #makeFiles(at: number, peer: PeerId, node: () => SimNode): HostFiles {
    const random = stream(this.#scenario.seed, 'files', at)
    return new HostFiles(this.time, random, this.#limits, this.#sick, (channel, tree, fallback) => {
      if (this.#scenario.hostile.has(at)) return
      this.#say(`${label(peer)} shows ${tree.release.slice(0, 8)} on ${channel}`)
      this.#options.onShow?.(at, tree.release, this.time.nowMs)
      this.#swaps.swapped(node(), this.time.nowMs, channel, tree, fallback)
    })
  }

  #say(text: string, quiet = false): void {
    const line = `${this.time.nowMs.toFixed(2).padStart(10)} ${text}`
    this.#hash.update(`${line}\n`)
    if (!quiet) this.trace.push(line)
  }
}
