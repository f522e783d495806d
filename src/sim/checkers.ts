import type { Channel, Name, PeerId, ReleaseId } from '../model/ids.ts'
import { comparePlaces, type Place } from '../model/place.ts'
import type { Made } from './fleet.ts'
import type { Tree } from './host-files.ts'
import type { SimNode } from './node.ts'

export interface Broken {
  /** Which of the promises, by number (README, "Promises"). */
  readonly promise: number
  readonly text: string
}

/**
 * Looks at the fleet from outside, as applications and operators do, and knows what was published by itself: it
 * shares no rule with the core but the order of places, which it recomputes from what was signed.
 */
export class Checker {
  readonly broken: Broken[] = []
  readonly #made = new Map<ReleaseId, Made>()
  readonly #highest = new Map<string, Place>()
  readonly #sick: ReadonlySet<ReleaseId>

  constructor(sick: ReadonlySet<ReleaseId>) {
    this.#sick = sick
  }

  published(made: Made): void {
    this.#made.set(made.id, made)
  }

  /** A host lost its disk whole: it is a new node. */
  forget(peer: PeerId): void {
    for (const key of [...this.#highest.keys()]) if (key.startsWith(`${peer} `)) this.#highest.delete(key)
  }

  /** Promises 1, 2 and 5, at each swap. */
  swapped(peer: PeerId, channel: Channel, tree: Tree, fallback: boolean): void {
    const made = this.#made.get(tree.release)
    if (made === undefined || made.header.channel !== channel)
      return this.#fail(
        1,
        `${label(peer)} activated ${tree.release.slice(0, 8)}, which nobody published on ${channel}`,
      )
    const same =
      made.files.size === tree.files.size &&
      [...made.files].every(([path, digest]) => tree.files.get(path) === digest)
    if (!same)
      this.#fail(5, `${label(peer)} shows a mix on ${channel}: not the files of ${made.id.slice(0, 8)}`)
    const place = placeOf(made)
    const key = `${peer} ${channel}`
    const before = this.#highest.get(key)
    if (
      before !== undefined &&
      comparePlaces(place, before) < 0 &&
      !fallback &&
      !this.#restoredAfterFailure(channel, before)
    ) {
      this.#fail(2, `${label(peer)} went back on ${channel} from ${text(before)} to ${text(place)}`)
    }
    if (before === undefined || comparePlaces(place, before) > 0) this.#highest.set(key, place)
  }

  /** Promises 7 and 13, once every fault is over: what is still wrong, or undefined. */
  unsettled(nodes: readonly SimNode[], acknowledged: ReadonlySet<ReleaseId>): string | undefined {
    const top = new Map<Channel, { place: Place; ids: Set<ReleaseId> }>()
    for (const node of nodes) {
      const view = node.view()
      if (view === undefined) return `${label(node.peer)} is down`
      for (const entry of view.channels) {
        const known = top.get(entry.channel)
        const order = known === undefined ? 1 : comparePlaces(entry.top, known.place)
        if (order > 0) top.set(entry.channel, { place: entry.top, ids: new Set(entry.ids) })
        else if (order === 0) for (const id of entry.ids) known?.ids.add(id)
      }
    }
    for (const id of acknowledged) {
      const made = this.#made.get(id)
      const best = made === undefined ? undefined : top.get(made.header.channel)
      if (made !== undefined && (best === undefined || comparePlaces(placeOf(made), best.place) > 0))
        return `acknowledged ${id.slice(0, 8)} is lost`
    }
    for (const node of nodes) {
      const problem = this.#nodeProblem(node, top)
      if (problem !== undefined) return `${label(node.peer)}: ${problem}`
    }
    return undefined
  }

  #nodeProblem(
    node: SimNode,
    top: ReadonlyMap<Channel, { place: Place; ids: Set<ReleaseId> }>,
  ): string | undefined {
    const entries = new Map(node.view()?.channels.map((entry) => [entry.channel, entry]))
    for (const [channel, best] of top) {
      const entry = entries.get(channel)
      if (entry === undefined) return `knows nothing of ${channel}`
      if (comparePlaces(entry.top, best.place) !== 0)
        return `${channel} is at ${text(entry.top)}, others at ${text(best.place)}`
      if (entry.held !== best.ids.size > 1)
        return `${channel} is ${entry.held ? '' : 'not '}held, others know ${best.ids.size} releases there`
      if (entry.held || best.ids.size === 0) continue
      const target = [...best.ids][0] as ReleaseId
      if (this.#sick.has(target)) continue
      const shown = node.parts.files.trees.get(channel)?.release
      if (entry.active?.id !== target || shown !== target) {
        return `${channel} shows ${shown?.slice(0, 8) ?? 'nothing'} instead of ${target.slice(0, 8)} (gate ${entry.gate ?? 'none'})`
      }
    }
    return undefined
  }

  /** The place above belonged to a release that failed its health check: going back from it is allowed. */
  #restoredAfterFailure(channel: Channel, place: Place): boolean {
    for (const id of this.#sick) {
      const made = this.#made.get(id)
      if (made?.header.channel === channel && comparePlaces(placeOf(made), place) === 0) return true
    }
    return false
  }

  #fail(promise: number, text: string): void {
    this.broken.push({ promise, text })
  }
}

/** Simulated fleets keep one root, so the epoch is always the first. */
export function placeOf({ header }: Made): Place {
  return { epoch: 1, counter: header.clock.get(header.publisher as Name) ?? 0, publisher: header.publisher }
}

const text = ({ epoch, counter, publisher }: Place): string => `${epoch}.${counter}.${publisher}`

/** The tail of a peer id differs from node to node. */
export const label = (peer: PeerId): string => peer.slice(-6)
