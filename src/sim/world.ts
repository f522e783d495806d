import { createHash } from 'node:crypto'
import { LIMITS, type Limits } from '../limits.ts'
import type { Channel, Name, Pattern, PeerId, ReleaseId } from '../model/ids.ts'
import { signPeerRecord } from '../trust/peer-record.ts'
import { Checker, label, placeOf } from './checkers.ts'
import { SimDisk } from './disk.ts'
import { chainOf, type Made, makeRelease, type Trust, trustOf } from './fleet.ts'
import { HostFiles } from './host-files.ts'
import { keyNamed, peerOfKey } from './keys.ts'
import { addressOf, CALM, SimNetwork } from './network.ts'
import { EPOCH_MS, SimNode } from './node.ts'
import { SimPublisher } from './publisher.ts'
import { between, stream } from './random.ts'
import type { Happening, Scenario } from './scenario.ts'
import { VirtualTime } from './time.ts'

/** One simulated fleet with its publishers, faults and checkers. */
export class World {
  readonly time = new VirtualTime()
  readonly nodes: SimNode[] = []
  readonly acknowledged = new Set<ReleaseId>()
  readonly checker: Checker
  readonly trace: string[] = []
  readonly #scenario: Scenario
  readonly #network: SimNetwork
  readonly #trust: Trust
  readonly #limits: Limits = LIMITS
  readonly #sick = new Set<ReleaseId>()
  readonly #made: Made[] = []
  readonly #hash = createHash('sha256')

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#trust = trustOf(scenario.seeds)
    this.checker = new Checker(this.#sick)
    this.#network = new SimNetwork(this.time, stream(scenario.seed, 'network'), this.#limits)
    for (let at = 0; at < scenario.nodes; at++) this.nodes.push(this.#makeNode(at))
    for (const happening of scenario.happenings)
      this.time.after(happening.atMs, () => this.#happen(happening))
    this.time.after(scenario.calmFromMs, () => this.#calm())
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
      if (done()) return
    }
  }

  #makeNode(at: number): SimNode {
    const { seed, seeds, clockErrorsMs } = this.#scenario
    const key = keyNamed(`node ${at}`)
    const peer = peerOfKey(key)
    const isSeed = at < seeds
    const freshness = isSeed ? this.#trust.freshness[at] : undefined
    const files = new HostFiles(
      this.time,
      stream(seed, 'files', at),
      this.#limits,
      this.#sick,
      (channel, tree, fallback) => {
        this.#say(`${label(peer)} shows ${tree.release.slice(0, 8)} on ${channel}`)
        this.checker.swapped(peer, channel, tree, fallback)
      },
    )
    const patterns = ['**' as Pattern]
    const address = addressOf(peer)
    const chain = chainOf(this.#trust, peer, 'all', 'all')
    const said = { peer, patterns, region: 'all', zone: 'all', submit: isSeed, chain } as const
    const record = { v: 1, critical: [], addresses: [address], at: EPOCH_MS, ...said } as const
    const signed = signPeerRecord(record, key)
    const node = new SimNode(address, {
      config: {
        self: peer,
        root: this.#trust.rootEnvelope,
        patterns,
        region: 'all',
        zone: 'all',
        submit: isSeed,
        seeds: Array.from({ length: seeds }, (_, n) => addressOf(peerOfKey(keyNamed(`node ${n}`)))).filter(
          (other) => other !== address,
        ),
        chain,
        ...(freshness === undefined
          ? {}
          : { signBeacon: { key: freshness.id, sign: (data: Uint8Array) => freshness.sign(data) } }),
        peerRecord: () => signed,
        keepReleases: 3,
        soakMs: 2_000,
        materialize: true,
        random: stream(seed, 'node', at),
        limits: this.#limits,
      },
      disk: new SimDisk(this.time, stream(seed, 'disk', at), this.#trust.fleetId, this.#limits),
      files,
      network: this.#network,
      time: this.time,
      onNote: (from, note) => this.#say(`${label(from)} ${note.code} ${note.text}`, note.level === 'debug'),
      onCacheBytes: 64 * 1024 * 1024,
    })
    node.clockErrorMs = clockErrorsMs[at] ?? 0
    this.time.after(between(stream(seed, 'boot', at), 0, 1_000), () => void node.start())
    return node
  }

  #happen(happening: Happening): void {
    switch (happening.kind) {
      case 'publish':
        return this.#publish(happening)
      case 'replay':
        return this.#replay(happening)
      case 'crash':
        return this.#crash(happening)
      case 'partition':
        return this.#part(happening)
      case 'storm':
        return this.#storm(happening)
      case 'disk-full':
        return this.#fill(happening)
    }
  }

  #publish(what: Extract<Happening, { kind: 'publish' }>): void {
    const clock = this.#nextClock(what.channel, what.publisher)
    const copies = what.twin ? 2 : 1
    for (let copy = 0; copy < copies; copy++) {
      const random = stream(this.#scenario.seed, 'content', what.atMs, copy)
      const bytes = Buffer.alloc(what.bytes)
      for (let at = 0; at < bytes.length; at += 4)
        bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), Math.min(at, bytes.length - 4))
      const files = new Map<string, Uint8Array>([
        ['app.conf', bytes],
        ['same/for/all.txt', Buffer.from('unchanged\n')],
      ])
      const made = makeRelease(this.#trust, {
        channel: what.channel,
        publisher: what.publisher,
        clock,
        files,
        message: `copy ${copy}`,
        created: EPOCH_MS + Math.floor(this.time.nowMs),
      })
      if (what.sick) this.#sick.add(made.id)
      this.checker.published(made)
      this.#made.push(made)
      const seed = this.nodes[(what.seed + copy) % this.#scenario.seeds] as SimNode
      this.#say(
        `publish ${made.id.slice(0, 8)} ${what.channel} ${what.publisher}:${placeOf(made).counter}${what.sick ? ' sick' : ''}${what.twin ? ' twin' : ''} at ${label(seed.peer)}`,
      )
      const peer = peerOfKey(keyNamed(`publisher host ${this.#made.length}`)) as PeerId
      new SimPublisher(this.#network, peer, seed.peer, made, (outcome) => {
        this.#say(
          `publish ${made.id.slice(0, 8)} ${outcome.kind}${outcome.kind === 'acknowledged' ? '' : ` ${outcome.code}`}`,
        )
        if (outcome.kind === 'acknowledged') this.acknowledged.add(made.id)
      }).start()
    }
  }

  /** Someone who kept an old release hands it in again. */
  #replay({ seed, which }: Extract<Happening, { kind: 'replay' }>): void {
    const made = this.#made[Math.floor(which * this.#made.length)]
    const at = this.nodes[seed]
    if (made === undefined || at === undefined) return
    this.#say(`replay ${made.id.slice(0, 8)} at ${label(at.peer)}`)
    const peer = peerOfKey(keyNamed(`replaying host ${which}`))
    new SimPublisher(this.#network, peer, at.peer, made, (outcome) => {
      this.#say(
        `replay ${made.id.slice(0, 8)} ${outcome.kind}${outcome.kind === 'acknowledged' ? '' : ` ${outcome.code}`}`,
      )
    }).start()
  }

  /** Counts on from what the publisher knows: all that was acknowledged, and all it published itself. */
  #nextClock(channel: Channel, publisher: Name): Map<Name, number> {
    const clock = new Map<Name, number>()
    for (const { id, header } of this.#made) {
      if (header.channel !== channel || (header.publisher !== publisher && !this.acknowledged.has(id)))
        continue
      for (const [name, counter] of header.clock) clock.set(name, Math.max(clock.get(name) ?? 0, counter))
    }
    clock.set(publisher, Math.max(0, ...clock.values()) + 1)
    return new Map([...clock].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #crash({ node: at, downMs, disk }: Extract<Happening, { kind: 'crash' }>): void {
    const node = this.nodes[at]
    if (node === undefined || !node.alive) return
    this.#say(`crash ${label(node.peer)}, disk: ${disk}`)
    node.crash()
    if (disk === 'lose-store') node.parts.disk.loseStore()
    if (disk === 'rot') node.parts.disk.rot(0.3)
    this.time.after(downMs, () => {
      this.#say(`start ${label(node.peer)}`)
      void node.start()
    })
  }

  #part({ sides, forMs }: Extract<Happening, { kind: 'partition' }>): void {
    this.#say('partition begins')
    this.#network.partition(new Map(this.nodes.map((node, at) => [node.peer, sides[at] ?? 0])))
    this.time.after(forMs, () => {
      this.#say('partition ends')
      this.#network.partition(new Map())
    })
  }

  #storm({ lose, hang, delayMs, forMs }: Extract<Happening, { kind: 'storm' }>): void {
    this.#say(`storm begins: lose ${lose.toFixed(2)}, hang ${hang.toFixed(2)}`)
    this.#network.weather = { minDelayMs: 1, maxDelayMs: delayMs, lose, hang, duplicate: 0.2 }
    this.time.after(forMs, () => {
      this.#network.weather = CALM
    })
  }

  #fill({ node: at, forMs }: Extract<Happening, { kind: 'disk-full' }>): void {
    const node = this.nodes[at]
    if (node === undefined) return
    this.#say(`disk of ${label(node.peer)} is full`)
    node.parts.disk.full = true
    this.time.after(forMs, () => {
      node.parts.disk.full = false
    })
  }

  /** Faults are over: what is still wrong after the bound is a broken promise. */
  #calm(): void {
    this.#say('calm')
    this.#network.heal()
    for (const node of this.nodes) {
      node.parts.disk.full = false
      if (!node.alive) void node.start()
    }
  }

  #say(text: string, quiet = false): void {
    const line = `${this.time.nowMs.toFixed(2).padStart(10)} ${text}`
    this.#hash.update(`${line}\n`)
    if (!quiet) this.trace.push(line)
  }
}
