import type { Channel, ReleaseId } from '../../model/ids.ts'
import type { Tree } from '../host-files.ts'
import type { SimNode } from '../node.ts'
import { type Broken, label } from './broken.ts'
import { order, type Place, type Published, shown } from './published.ts'

/** A swap that was under way when the node learnt better is no fault: reading and swapping take so long at most. */
const UNDER_WAY_MS = 1_000

/** Looks at what appears on hosts, at each swap, as an application there would: promises 1, 2, 3, 4, 5 and 11. */
export class Swaps {
  readonly broken: Broken[] = []
  readonly #published: Published
  readonly #sick: ReadonlySet<ReleaseId>
  readonly #highest = new Map<string, Place>()
  readonly #last = new Map<string, ReleaseId>()

  constructor(published: Published, sick: ReadonlySet<ReleaseId>) {
    this.#published = published
    this.#sick = sick
  }

  swapped(node: SimNode, nowMs: number, channel: Channel, tree: Tree, fallback: boolean): void {
    const name = `${label(node.peer)} on ${channel}`
    const id = tree.release.slice(0, 8)
    const entry = this.#published.get(tree.release)
    if (entry === undefined || entry.made.header.channel !== channel)
      return this.#fail(1, `${name}: activated ${id}, which nobody published there`)
    if (entry.right === 'forged')
      return this.#fail(entry.tooFew ? 3 : 1, `${name}: activated ${id}, which no publisher signed`)
    this.#sameFiles(name, tree, entry.made.files)
    const place = this.#published.placeOf(entry.made)
    const key = `${node.peer} ${channel}`
    this.#forward(name, key, place, channel, fallback)
    // What was shown before comes again where its files were damaged: that is no choice.
    const again = this.#last.get(key) === tree.release
    this.#last.set(key, tree.release)
    if (!fallback && !again) this.#knewBetter(name, node, nowMs - UNDER_WAY_MS, tree.release, place)
  }

  #sameFiles(name: string, tree: Tree, files: Tree['files']): void {
    const wrong = [...files].filter(([path, digest]) => tree.files.get(path) !== digest)
    if (wrong.length === 0 && tree.files.size === files.size) return
    const known = new Set<string>()
    for (const { made } of this.#published.all()) for (const digest of made.files.values()) known.add(digest)
    const damaged = [...tree.files.values()].some((digest) => !known.has(digest))
    const what = damaged ? 'damaged files' : 'a mix of releases'
    this.#fail(damaged ? 11 : 5, `${name}: shows ${what} as ${tree.release.slice(0, 8)}`)
  }

  #forward(name: string, key: string, place: Place, channel: Channel, fallback: boolean): void {
    const before = this.#highest.get(key)
    if (before !== undefined && order(place, before) < 0 && !fallback && !this.#failed(channel, before))
      this.#fail(2, `${name}: went back from ${shown(before)} to ${shown(place)}`)
    if (before === undefined || order(place, before) > 0) this.#highest.set(key, place)
  }

  /** What its own disk held a while ago forbids this swap: a root that ended the epoch, or a twin. */
  #knewBetter(name: string, node: SimNode, thenMs: number, release: ReleaseId, place: Place): void {
    const { root, envelopes } = node.parts.disk.onDisk()
    const made = this.#published.get(release)?.made
    if (made === undefined) return
    const { channel } = made.header
    if (root.atMs <= thenMs && place.epoch < this.#published.epochOf(channel, root.version))
      this.#fail(3, `${name}: activated ${release.slice(0, 8)} of an epoch that root ${root.version} ended`)
    const known = (id: ReleaseId): boolean => (envelopes.get(id) ?? Number.POSITIVE_INFINITY) <= thenMs
    for (const { made: other, right } of this.#published.all()) {
      const twin = other.id !== release && other.header.channel === channel && right !== 'forged'
      if (twin && order(this.#published.placeOf(other), place) === 0 && known(other.id) && known(release))
        this.#fail(4, `${name}: chose ${release.slice(0, 8)}, one of two in place ${shown(place)}`)
    }
  }

  /** The place above belonged to a release that failed its health check: going back from it is allowed. */
  #failed(channel: Channel, place: Place): boolean {
    for (const id of this.#sick) {
      const made = this.#published.get(id)?.made
      if (made?.header.channel === channel && order(this.#published.placeOf(made), place) === 0) return true
    }
    return false
  }

  #fail(promise: number, text: string): void {
    this.broken.push({ promise, text })
  }
}
