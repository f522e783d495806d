import type { CoreView } from '../../core/view.ts'
import { LIMITS } from '../../limits.ts'
import type { Channel, ReleaseId } from '../../model/ids.ts'
import type { SimNode } from '../node.ts'
import { MAX_AGE_S } from '../trust.ts'
import { type Broken, label } from './broken.ts'
import { order, type Published, shown } from './published.ts'

/** Between a swap and the node's own word for it, a restart included, lie moments; it is looked at every second. */
const LOOKS_TO_AGREE = 4
/** Beacons reach a node with the delays of the network, and pages are fetched after them. */
const SLACK_MS = 6_000

interface CutOff {
  readonly node: SimNode
  readonly sinceMs: number
  /** Releases it does not get: what, and since when somebody is sure to have it. */
  readonly missed: { readonly id: ReleaseId; readonly atMs: number }[]
  readonly how: 'alone' | 'withheld'
}

/** Looks at every node each second, whatever goes on: promises 6, 8 and 13. */
export class Watch {
  readonly broken: Broken[] = []
  readonly #published: Published
  readonly #disagree = new Map<string, number>()
  readonly #cutOff = new Set<CutOff>()

  constructor(published: Published) {
    this.#published = published
  }

  cutOff(node: SimNode, nowMs: number, how: CutOff['how']): () => void {
    const one: CutOff = { node, sinceMs: nowMs, missed: [], how }
    this.#cutOff.add(one)
    return () => void this.#cutOff.delete(one)
  }

  acknowledged(id: ReleaseId, nowMs: number): void {
    for (const { missed } of this.#cutOff) missed.push({ id, atMs: nowMs })
  }

  look(nodes: readonly SimNode[], nowMs: number): void {
    for (const node of nodes) {
      const view = node.view()
      if (view === undefined) continue
      this.#serves(node, view)
      this.#holds(node, view)
    }
    for (const one of this.#cutOff) {
      const view = one.node.view()
      if (view === undefined) continue
      if (one.how === 'alone') this.#saysSilent(one, view, nowMs)
      else this.#saysBehind(one, view, nowMs)
    }
  }

  /**
   * What the host shows is what the node serves, and it has every byte of it, with or without a network. A node whose
   * disk lost something may have nothing to serve until its peers or the publisher help; the end state judges it.
   */
  #serves(node: SimNode, view: CoreView): void {
    const serving = new Map(view.channels.map((entry) => [entry.channel, entry.active?.id]))
    if (node.parts.disk.hurt) return
    const { blocks } = node.parts.disk.onDisk()
    for (const [channel, { release }] of node.parts.files.trees) {
      const agrees = serving.get(channel) === release && !view.waitingFor.includes(channel)
      this.#count(
        node,
        channel,
        agrees,
        `serves ${serving.get(channel)?.slice(0, 8) ?? 'nothing'}, the host shows`,
      )
      const content = [...(this.#published.get(release)?.made.content.keys() ?? [])]
      const whole = content.every((digest) => blocks.has(digest))
      this.#count(node, `${channel} content`, whole, 'lacks content of')
    }
  }

  /** Only two releases in one place hold a channel; what the disk does not know yet is looked at the next time. */
  #holds(node: SimNode, view: CoreView): void {
    const { floors } = node.parts.disk.onDisk()
    for (const { channel, held } of view.channels) {
      const ids = held ? (floors.get(channel)?.ids ?? []) : []
      const known = ids.flatMap((id) => this.#published.get(id)?.made ?? [])
      const [a, b] = known.map((made) => this.#published.placeOf(made))
      if (a === undefined || b === undefined || order(a, b) === 0) continue
      this.#fail(13, `${label(node.peer)} holds ${channel} for ${shown(a)} and ${shown(b)}`)
    }
  }

  #count(node: SimNode, what: string, good: boolean, text: string): void {
    const key = `${node.peer} ${node.bootedMs} ${what}`
    const times = good ? 0 : (this.#disagree.get(key) ?? 0) + 1
    this.#disagree.set(key, times)
    if (times === LOOKS_TO_AGREE) this.#fail(6, `${label(node.peer)} ${text} the release of ${what}`)
  }

  /** Nothing arrives: known for certain once no beacon has come for as long as the trust root allows. */
  #saysSilent({ node, sinceMs }: CutOff, view: CoreView, nowMs: number): void {
    if (nowMs < Math.max(sinceMs, node.bootedMs) + MAX_AGE_S * 1_000 + SLACK_MS) return
    for (const { channel, freshness } of view.channels)
      if (freshness === 'fresh' || freshness === 'unjudged')
        this.#fail(8, `${label(node.peer)} is alone, yet calls ${channel} ${freshness}`)
  }

  /** Beacons arrive and name what does not. */
  #saysBehind({ node, missed }: CutOff, view: CoreView, nowMs: number): void {
    const { beaconIntervalMs, beaconGraceMs } = LIMITS
    const boundMs = beaconIntervalMs + beaconGraceMs + SLACK_MS
    for (const { id, atMs } of missed) {
      const made = this.#published.get(id)?.made
      if (made === undefined || nowMs < Math.max(atMs, node.bootedMs) + boundMs) continue
      const entry = view.channels.find(({ channel }) => channel === made.header.channel)
      if (entry === undefined || !this.#lacks(node, made.header.channel, id)) continue
      if (entry.freshness === 'fresh' || entry.freshness === 'unjudged') {
        const place = shown(this.#published.placeOf(made))
        this.#fail(8, `${label(node.peer)} lacks ${place}, yet calls ${entry.channel} ${entry.freshness}`)
      }
    }
  }

  /** Nothing as great lies on its disk. */
  #lacks(node: SimNode, channel: Channel, id: ReleaseId): boolean {
    const wanted = this.#published.get(id)?.made
    if (wanted === undefined) return false
    const place = this.#published.placeOf(wanted)
    return [...node.parts.disk.onDisk().envelopes.keys()].every((other) => {
      const made = this.#published.get(other)?.made
      if (made === undefined || made.header.channel !== channel) return true
      return order(this.#published.placeOf(made), place) < 0
    })
  }

  #fail(promise: number, text: string): void {
    this.broken.push({ promise, text })
  }
}
