/**
 * Who holds which blocks, seen from outside: a peer beside each node, which asks for nothing and is told by that node,
 * as every neighbour is, what has become durable there (`holds`, docs/protocol.md). Durable blocks stay, so whatever
 * was seen once is true from then on. A peer that was cut off, as one that stood still for long is, enters again; of what is
 * whole by then it hears no more.
 */
import { Holders } from '../../src/core/holders.ts'
import type { Address } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest, BlocksRequest } from '../../src/model/messages.ts'
import { Hostile as Peer } from '../attack/kit/hostile.ts'
import { type FleetFiles, knownFrom } from './known-fleet.ts'
import { type RealNode, until } from './real-fleet.ts'

const MESHSUB = '/meshsub/1.1.0'

/** Of one node: what it has said of one release. */
export interface Held {
  has(place: number): boolean
  count(places: number): number
}

export class BlockWatch {
  readonly #root: number
  readonly #watchers = new Map<RealNode, Peer>()
  #entriesAgain = 0

  private constructor(root: number) {
    this.#root = root
  }

  static async start(files: FleetFiles, nodes: readonly RealNode[]): Promise<BlockWatch> {
    const known = knownFrom(files)
    const watch = new BlockWatch(known.root.version)
    for (const node of nodes) {
      const watcher = await Peer.start(known)
      watch.#watchers.set(node, watcher)
      watcher.answers = (request) => watch.#answer(request)
      await enter(node, watcher)
    }
    return watch
  }

  /** Where there were any, nodes may hold more than is known here. */
  get entriesAgain(): number {
    return this.#entriesAgain
  }

  /** What this node has said of a release by now. */
  async held(node: RealNode, release: string): Promise<Held> {
    const watcher = this.#watchers.get(node)
    if (watcher === undefined) throw new Error(`${node.name} is not watched`)
    if (watcher.connections === 0) {
      this.#entriesAgain += 1
      await enter(node, watcher)
    }
    const said = new Holders()
    for (const { protocol, message } of watcher.asked)
      if (protocol === 'blocks' && isAbout(message, release)) said.takes(watcher.id, message)
    const has = (place: number): boolean => said.has(watcher.id, place)
    const count = (places: number): number =>
      Array.from({ length: places }, (_, place) => has(place)).filter(Boolean).length
    return { has, count }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#watchers.values()].map((watcher) => watcher.stop()))
    this.#watchers.clear()
  }

  /** A neighbour with nothing to give: it knows of no release that the other lacks. */
  #answer({ protocol, message }: AnyRequest): AnyReply | undefined {
    if (protocol === 'sync')
      switch (message.type) {
        case 'digests': {
          const same = { root: this.#root, beacons: [], subs: 1, buckets: [], digests: [] }
          return { protocol, message: { type: 'differ', ...same } }
        }
        case 'peers':
          return { protocol, message: { type: 'peers', records: [] } }
        case 'beacons':
          return { protocol, message: { type: 'beacons', beacons: [] } }
        default:
          return { protocol, message: { type: 'noted' } }
      }
    if (protocol !== 'blocks' || message.type === 'holds') return undefined
    return { protocol, message: message.type === 'want' ? { type: 'gone' } : { type: 'noted' } }
  }
}

/** Again where it is cut off meanwhile: whoever is being let in has a few seconds for that, and may stand still for longer. */
const enter = (node: RealNode, watcher: Peer): Promise<unknown> =>
  until(`${node.name} admits a watcher`, 30_000, async () => {
    const answer = await watcher.enter(node.address as Address)
    if (answer.type !== 'hello') throw new Error(JSON.stringify(answer))
    // Without gossip the node would make the connection anew; a watcher subscribes to nothing.
    return watcher.stream(MESHSUB)
  })

const isAbout = (message: BlocksRequest, release: string): message is BlocksRequest & { type: 'holds' } =>
  message.type === 'holds' && message.release === release
