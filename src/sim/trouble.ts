import type { Channel, Name, ReleaseId } from '../model/ids.ts'
import { label } from './checkers/broken.ts'
import type { Published } from './checkers/published.ts'
import type { Acknowledged } from './checkers/settled.ts'
import type { Watch } from './checkers/watch.ts'
import { filesOf, type Made, makeRelease, type Order } from './fleet.ts'
import { forge, gossipOf } from './forger.ts'
import type { Happening, Scenario } from './happening.ts'
import { keyNamed, peerOfKey } from './keys.ts'
import { CALM, type SimNetwork } from './network.ts'
import type { SimNode } from './node.ts'
import { type Outcome, SimPublisher } from './publisher.ts'
import { stream } from './random.ts'
import { EPOCH_MS, type VirtualTime } from './time.ts'
import { type SimTrust, STOLEN_PUBLISHER } from './trust.ts'

type Of<K extends Happening['kind']> = Extract<Happening, { readonly kind: K }>

export interface TroubleParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly network: SimNetwork
  readonly nodes: readonly SimNode[]
  readonly trust: SimTrust
  readonly published: Published
  readonly watch: Watch
  /** Releases whose health check fails everywhere. */
  readonly sick: Set<ReleaseId>
  readonly acknowledged: Map<ReleaseId, Acknowledged>
  readonly say: (text: string) => void
}

/** How often a recovery that did not get through is tried again. */
const RECOVER_AGAIN_MS = 2_000

/** Makes things happen to a fleet, and calls them off again. */
export class Trouble {
  readonly #parts: TroubleParts
  readonly #made: Made[] = []
  /** Channels whose new release after a theft no seed has acknowledged yet. */
  readonly #toReissue = new Set<Channel>()
  #recovered = false
  readonly #over: (() => void)[] = []
  #hosts = 0

  constructor(parts: TroubleParts) {
    this.#parts = parts
  }

  happen(what: Happening): void {
    switch (what.kind) {
      case 'publish':
        return this.#publish(what)
      case 'replay':
        return this.#replay(what)
      case 'forge':
        return this.#forge(what)
      case 'steal':
        return this.#steal(what)
      case 'recover':
        return this.#recover(what)
      case 'renew':
        return this.#renew(what)
      case 'crash':
        return this.#crash(what)
      case 'partition':
        return this.#part(what)
      case 'storm':
        return this.#storm(what)
      case 'disk-full':
        return this.#fill(what)
      case 'cut-off':
        return this.#cutOff(what)
      case 'eclipse':
        return this.#eclipse(what)
      case 'gray':
        return this.#gray(what)
      case 'clock':
        return this.#jump(what)
    }
  }

  /** Faults are over: what is still wrong after the bound is a broken promise. */
  calm(): void {
    this.#parts.say('calm')
    this.#parts.network.heal()
    for (const end of this.#over.splice(0)) end()
    for (const node of this.#parts.nodes) {
      node.parts.disk.full = false
      if (!node.alive) void node.start()
    }
  }

  #publish(what: Of<'publish'>): void {
    const { trust, scenario, published, sick, say } = this.#parts
    const clock = this.#nextClock(what.channel, what.publisher, what.seed)
    if (clock === undefined) return say(`no counter is left on ${what.channel}`)
    for (let copy = 0; copy < (what.twin ? 2 : 1); copy++) {
      const random = stream(scenario.seed, 'content', what.atMs, copy)
      const order = this.#order(
        what.channel,
        what.publisher,
        clock,
        filesOf(random, what.bytes),
        `copy ${copy}`,
      )
      const made = makeRelease(order, (payload) => trust.sign(what.publisher, payload))
      if (what.sick) sick.add(made.id)
      published.add(made, 'granted')
      this.#made.push(made)
      const marks = `${what.sick ? ' sick' : ''}${what.twin ? ' twin' : ''}`
      const seed = (what.seed + copy) % scenario.seeds
      this.#submit(`publish${marks}`, made, seed)
      // Seeds agree on who has a place before they take a release: a publisher that wants two goes round them.
      if (what.twin) this.#whisper(made, this.#someNode(what.atMs, copy))
    }
  }

  /** Someone who kept an old release hands it in again. */
  #replay({ seed, which }: Of<'replay'>): void {
    const made = this.#made[Math.floor(which * this.#made.length)]
    if (made !== undefined) this.#hand('replay', made, seed, [], () => {})
  }

  /** Handed in at a seed, and whispered to some node as if a neighbour had said it. */
  #forge({ atMs, how, seed, heardBy }: Of<'forge'>): void {
    const { published, nodes, scenario } = this.#parts
    const { channel, publisher, files } = forge.plan(how, stream(scenario.seed, 'content', atMs))
    const clock = this.#nextClock(channel, publisher, seed)
    if (clock === undefined) return
    const made = makeRelease(this.#order(channel, publisher, clock, files, how), forge.signer(how))
    published.add(made, 'forged', how !== 'stranger')
    this.#hand(`forge ${how}`, made, seed, [], () => {})
    this.#whisper(made, nodes[heardBy])
  }

  #whisper(made: Made, node: SimNode | undefined): void {
    const { network, time } = this.#parts
    const neighbour = node === undefined ? undefined : network.neighbourOf(node.peer)
    if (node === undefined || neighbour === undefined) return
    time.after(1, () => network.whisper(node.peer, neighbour, gossipOf(made)))
  }

  #someNode(...names: readonly number[]): SimNode | undefined {
    const { nodes, scenario } = this.#parts
    return nodes[Math.floor(stream(scenario.seed, 'node for', ...names)() * nodes.length)]
  }

  #steal({ atMs, channel, seed, counter }: Of<'steal'>): void {
    const { scenario, published } = this.#parts
    const next = this.#nextClock(channel, STOLEN_PUBLISHER, seed)
    const clock = counter === undefined ? next : new Map([[STOLEN_PUBLISHER, counter]])
    if (clock === undefined || this.#recovered) return
    const files = filesOf(stream(scenario.seed, 'content', atMs), 500)
    const order = this.#order(channel, STOLEN_PUBLISHER, clock, files, 'by a thief')
    const made = makeRelease(order, forge.signer('dropped-key'))
    published.add(made, 'stolen')
    this.#made.push(made)
    this.#submit('steal', made, seed)
  }

  /** The root and the releases made under it are handed out together, again and again until a seed has them all. */
  #recover({ seed }: Of<'recover'>): void {
    const { trust, published, say } = this.#parts
    trust.replaceKey(STOLEN_PUBLISHER)
    published.raise('', trust.version)
    say(`root ${trust.version} drops the stolen key`)
    for (const { header } of this.#made) this.#toReissue.add(header.channel)
    this.#recovered = true
    this.#reissue(seed, 0)
  }

  #reissue(seed: number, round: number): void {
    const { scenario, time, trust, published } = this.#parts
    const at = (seed + round) % scenario.seeds
    for (const channel of [...this.#toReissue].sort()) {
      const clock = this.#nextClock(channel, STOLEN_PUBLISHER, at)
      if (clock === undefined) continue
      const files = filesOf(stream(scenario.seed, 'reissue', channel, round), 900)
      const order = this.#order(channel, STOLEN_PUBLISHER, clock, files, 'after the theft')
      const made = makeRelease(order, (payload) => trust.sign(STOLEN_PUBLISHER, payload))
      published.add(made, 'granted')
      this.#made.push(made)
      this.#submit('reissue', made, at, () => this.#toReissue.delete(channel))
    }
    if (this.#toReissue.size > 0) time.after(RECOVER_AGAIN_MS, () => this.#reissue(seed, round + 1))
  }

  #renew({ seed }: Of<'renew'>): void {
    const { trust, say } = this.#parts
    trust.renew()
    say(`root ${trust.version} changes nobody's authority`)
    this.#hand(`root ${trust.version}`, undefined, seed, trust.roots.slice(1), () => {})
  }

  #submit(what: string, made: Made, seed: number, done: () => void = () => {}): void {
    const { acknowledged, nodes, watch, time, trust } = this.#parts
    this.#hand(what, made, seed, trust.roots.slice(1), (outcome) => {
      const disk = nodes[seed]?.parts.disk
      if (outcome.kind !== 'acknowledged' || disk === undefined) return
      acknowledged.set(made.id, { disk, losses: disk.losses })
      watch.acknowledged(made.id, time.nowMs)
      done()
    })
  }

  /** Roots and a release, by a host of its own, at a seed. */
  #hand(
    what: string,
    made: Made | undefined,
    seed: number,
    roots: readonly Uint8Array[],
    done: (outcome: Outcome) => void,
  ): void {
    const { network, time, nodes, published, say } = this.#parts
    const at = nodes[seed]
    if (at === undefined) return
    const clock = made?.header.clock.get(made.header.publisher)
    const name = made === undefined ? what : `${what} ${made.id.slice(0, 8)}`
    const place = made === undefined ? '' : ` ${made.header.channel} ${made.header.publisher}:${clock}`
    const epoch = made === undefined ? '' : ` epoch ${published.placeOf(made).epoch}`
    say(`${name}${place}${epoch} at ${label(at.peer)}`)
    const self = peerOfKey(keyNamed(`publishing host ${++this.#hosts}`))
    const ends = { self, seed: at.peer }
    new SimPublisher({ network, time }, ends, { roots, ...(made && { made }) }, (outcome) => {
      say(`${name} ${outcome.kind}${outcome.kind === 'acknowledged' ? '' : ` ${outcome.code}`}`)
      done(outcome)
    }).start()
  }

  #order(
    channel: Channel,
    publisher: Name,
    clock: Order['clock'],
    files: Order['files'],
    message: string,
  ): Order {
    const { trust, time } = this.#parts
    const created = EPOCH_MS + Math.floor(time.nowMs)
    const { fleetId, version: root } = trust
    return { fleetId, root, channel, publisher, clock, files, message, created }
  }

  /**
   * Counts on, within the channel's epoch, from what the publisher knows: all it published itself, and of what was
   * acknowledged that which its seed has. Undefined: no greater counter is left.
   */
  #nextClock(channel: Channel, publisher: Name, seed: number): Map<Name, number> | undefined {
    const { published, trust, acknowledged, nodes } = this.#parts
    const there = nodes[seed]?.parts.disk.onDisk().envelopes
    const epoch = published.epochOf(channel, trust.version)
    const clock = new Map<Name, number>()
    for (const { id, header } of this.#made) {
      const own = header.publisher === publisher && published.get(id)?.right === 'granted'
      if (
        header.channel !== channel ||
        header.root < epoch ||
        !(own || (acknowledged.has(id) && there?.has(id)))
      )
        continue
      for (const [name, counter] of header.clock) clock.set(name, Math.max(clock.get(name) ?? 0, counter))
    }
    const next = Math.max(0, ...clock.values()) + 1
    if (next > Number.MAX_SAFE_INTEGER) return undefined
    return new Map([...clock.set(publisher, next)].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #crash({ node: at, downMs, disk }: Of<'crash'>): void {
    const { nodes, time, say } = this.#parts
    const node = nodes[at]
    if (node === undefined || !node.alive) return
    say(`crash ${label(node.peer)}, disk: ${disk}`)
    node.crash()
    if (disk === 'lose-store') node.parts.disk.loseStore()
    if (disk === 'rot') node.parts.disk.rot(0.3)
    if (disk === 'flip') {
      node.parts.disk.flip(0.3)
      node.parts.files.flip()
    }
    time.after(downMs, () => {
      if (node.alive) return
      say(`start ${label(node.peer)}`)
      void node.start()
    })
  }

  #part({ sides, forMs }: Of<'partition'>): void {
    const { network, nodes, time, say } = this.#parts
    say('partition begins')
    network.partition(new Map(nodes.map((node, at) => [node.peer, sides[at] ?? 0])))
    time.after(forMs, () => {
      say('partition ends')
      network.partition(new Map())
    })
  }

  #storm({ lose, hang, delayMs, forMs, swallow = 0 }: Of<'storm'>): void {
    const { network, time, say } = this.#parts
    say(`storm begins: lose ${lose.toFixed(2)}, hang ${hang.toFixed(2)}, swallow ${swallow.toFixed(2)}`)
    network.weather = { minDelayMs: 1, maxDelayMs: delayMs, lose, hang, duplicate: 0.2, swallow }
    time.after(forMs, () => {
      network.weather = CALM
    })
  }

  #fill({ node: at, forMs }: Of<'disk-full'>): void {
    const node = this.#parts.nodes[at]
    if (node === undefined) return
    this.#parts.say(`disk of ${label(node.peer)} is full`)
    node.parts.disk.full = true
    this.#parts.time.after(forMs, () => {
      node.parts.disk.full = false
    })
  }

  #eclipse({ node: at, by, forMs }: Of<'eclipse'>): void {
    const { nodes, network, watch, time, say } = this.#parts
    const node = nodes[at]
    if (node === undefined) return
    say(`${label(node.peer)} is eclipsed`)
    const around = by.flatMap((other) => nodes[other]?.peer ?? [])
    network.eclipse(node.peer, around)
    const ended = watch.cutOff(node, time.nowMs, 'alone')
    const end = (): void => {
      ended()
      network.eclipse()
    }
    this.#over.push(end)
    time.after(forMs, end)
  }

  #gray({ node: at, how, forMs }: Of<'gray'>): void {
    const { nodes, network, time, say } = this.#parts
    const node = nodes[at]
    if (node === undefined) return
    say(`${label(node.peer)} is ${how}`)
    network.gray(node.peer, how)
    time.after(forMs, () => network.gray(node.peer, undefined))
  }

  #jump({ node: at, byMs }: Of<'clock'>): void {
    const node = this.#parts.nodes[at]
    if (node === undefined) return
    node.clockErrorMs += byMs
    this.#parts.say(`clock of ${label(node.peer)} jumps by ${byMs / 3_600_000} h`)
  }

  #cutOff({ node: at, how, forMs }: Of<'cut-off'>): void {
    const { nodes, network, watch, time, say } = this.#parts
    const node = nodes[at]
    if (node === undefined) return
    say(`${label(node.peer)} is cut off: ${how}`)
    if (how === 'alone') network.partition(new Map([[node.peer, 1]]))
    else network.withholdFrom(node.peer)
    const ended = watch.cutOff(node, time.nowMs, how)
    const end = (): void => {
      ended()
      network.partition(new Map())
      network.withholdFrom(undefined)
    }
    this.#over.push(end)
    time.after(forMs, end)
  }
}
