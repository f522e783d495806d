/**
 * A fleet on paper: nodes made of the real rules (`order`, `settle`, `raiseEpoch`, `restore` by join), with roots and
 * signatures reduced to what the rules ask of them, so that millions of histories can be tried.
 */

import { sha256 } from '../../../src/codec/digest.ts'
import {
  type ChannelState,
  emptyChannel,
  joinChannels,
  raiseEpoch,
  type Seen,
  seenOf,
  targetOf,
} from '../../../src/core/channel.ts'
import type { Verdict } from '../../../src/core/journey.ts'
import { order } from '../../../src/core/order.ts'
import { activated, failed, fallbackOf, gateOf, settle, soaked } from '../../../src/core/settle.ts'
import { releasesOf } from '../../../src/core/sync/peer.ts'
import { type Floor, joinFloors } from '../../../src/model/floor.ts'
import type { Digest, FleetId, Name, ReleaseId } from '../../../src/model/ids.ts'
import { parseChannel, parseName } from '../../../src/model/names.ts'
import { comparePlaces } from '../../../src/model/place.ts'
import type { Release } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'

export const FLEET = 'f'.repeat(64) as FleetId
export const CHANNEL = parseChannel('a/b')
export const P = parseName('p')
export const Q = parseName('q')

/** A release with the key that signed it. */
export interface Signed {
  readonly release: Release
  readonly key: string
  /** For printing a counterexample. */
  readonly text: string
}

export interface ReleaseSpec {
  readonly publisher: Name
  readonly clock: Readonly<Record<string, number>>
  readonly root?: number
  /** Tells twins apart. */
  readonly twin?: number
  readonly key?: string
  readonly critical?: readonly string[]
  readonly expires?: number
}

const memo = new Map<string, Signed>()

/** The id is the digest of what is signed; the key is not part of it. Equal specifications are one object. */
export function signed(spec: ReleaseSpec): Signed {
  const { publisher, clock, root = 1, twin = 0, key = publisher, critical = [], expires } = spec
  const entries = Object.entries(clock).sort(([a], [b]) => (a < b ? -1 : 1)) as [Name, number][]
  const text = `${publisher}${JSON.stringify(Object.fromEntries(entries))}r${root}t${twin}${critical.join()}${expires ?? ''}`
  const known = memo.get(`${text}/${key}`)
  if (known !== undefined) return known
  const release: Release = {
    id: sha256(new TextEncoder().encode(text)) as string as ReleaseId,
    counter: clock[publisher] ?? 0,
    header: {
      v: 1,
      critical,
      fleet: FLEET,
      channel: CHANNEL,
      root,
      publisher,
      clock: new Map(entries),
      pages: ['0'.repeat(64) as Digest],
      files: 1,
      bytes: 0,
      message: '',
      created: 0,
      ...(expires === undefined ? {} : { expires }),
    },
  }
  const made = { release, key, text: `${text} by ${key}` }
  memo.set(`${text}/${key}`, made)
  return made
}

/** What order asks of a root: the channel's epoch and whose keys count. */
export interface Root {
  readonly version: number
  readonly epoch: number
  readonly keys: Readonly<Record<string, readonly string[]>>
}

/** One publisher key each, named like the publisher. */
export const OPEN_ROOT: Root = { version: 1, epoch: 1, keys: { p: ['p'], q: ['q'] } }

export const authorisedUnder = (root: Root, { release, key }: Signed): boolean =>
  root.keys[release.header.publisher]?.includes(key) === true

export interface Activation {
  readonly release: ReleaseId
  readonly kind: 'target' | 'fallback'
  readonly epoch: number
  /** The floor's place when it happened. */
  readonly top: Floor['top']
  readonly target: ReleaseId | undefined
}

/** One node and one channel. `gates` closed keeps what is active; `sick` ids fail their health check. */
export class PaperNode {
  readonly roots: readonly Root[]
  readonly sick: ReadonlySet<ReleaseId>
  state: ChannelState
  root: Root
  readonly kept = new Map<ReleaseId, Signed>()
  readonly activations: Activation[] = []
  readonly verdicts: Verdict[] = []
  closed = false
  /** The floor before the last change. */
  #lagging: Floor

  constructor(roots: readonly Root[] = [OPEN_ROOT], sick: Iterable<ReleaseId> = []) {
    this.roots = roots
    this.sick = new Set(sick)
    this.root = roots[0] as Root
    this.state = emptyChannel(FLEET, CHANNEL, this.root.epoch)
    this.#lagging = this.state.floor
  }

  receive(given: Signed): Verdict {
    const { verdict, state } = order(this.state, given.release, {
      fleet: FLEET,
      rootVersion: this.root.version,
      epoch: this.root.epoch,
      authorised: () => authorisedUnder(this.root, given),
    })
    if (state !== this.state) this.kept.set(given.release.id, given)
    this.#lagging = this.state.floor
    this.state = state
    this.verdicts.push(verdict)
    this.settle()
    return verdict
  }

  /** Roots are adopted one by one. */
  adopt(version: number): void {
    if (version !== this.root.version + 1) return
    const next = this.roots.find((root) => root.version === version)
    if (next === undefined) return
    this.root = next
    this.state = raiseEpoch(this.state, next.epoch)
    this.settle()
  }

  settle(): void {
    const gate = gateOf(this.state, {
      release: this.kept.get(targetOf(this.state.floor) as ReleaseId)?.release,
      whole: !this.closed,
      root: { expires: Number.MAX_SAFE_INTEGER } as TrustRoot,
      readOnly: false,
      wallMs: 1_000,
    })
    const next = settle(this.state, gate)
    if (next !== undefined) this.#activate(next, 'target')
  }

  #activate(release: ReleaseId, kind: Activation['kind']): void {
    const { epoch } = this.root
    this.activations.push({
      release,
      kind,
      epoch,
      top: this.state.floor.top,
      target: targetOf(this.state.floor),
    })
    if (!this.sick.has(release)) {
      this.state = activated(this.state, { release, epoch, activatedAt: 0, soaked: false }, 10)
      return
    }
    const back = fallbackOf(this.state, release, epoch)
    this.state = failed(this.state, release, 10)
    if (back !== undefined) this.#activate(back, 'fallback')
    // Without anything to go back to the failed one stays in place, reported.
    else this.state = activated(this.state, { release, epoch, activatedAt: 0, soaked: false }, 10)
  }

  soak(): void {
    this.state = soaked(this.state)
  }

  seen(): Seen {
    return seenOf(this.root.version, this.state.floor)
  }

  active(): ReleaseId | undefined {
    return this.state.active?.release
  }

  /** What sync gives others. */
  offers(): readonly Signed[] {
    return releasesOf(this.state)
      .sort()
      .flatMap((id) => this.kept.get(id) ?? [])
  }

  /**
   * Started again. The floor is kept twice and the copies are written one after the other, so that one may lag:
   * what counts is their join. Envelopes and what was active are in the store alone.
   */
  restart(lost: 'nothing' | 'store' | 'floorFile'): void {
    const none = emptyChannel(FLEET, CHANNEL, this.root.epoch)
    const { floor } = this.state
    if (lost === 'store') {
      this.kept.clear()
      this.state = { ...none, floor: joinFloors(none.floor, floor) }
    } else {
      this.state = {
        ...this.state,
        floor: joinFloors(lost === 'nothing' ? this.#lagging : none.floor, floor),
      }
    }
    this.settle()
  }
}

export const join = (a: ChannelState, b: ChannelState): ChannelState => joinChannels(a, b)

/** Every node hears every other's root and kept envelopes until nothing changes. */
export function exchange(nodes: readonly PaperNode[]): void {
  for (let round = 0; round < 10; round++) {
    const before = JSON.stringify(nodes.map((node) => [node.seen(), node.state.heads.map(({ id }) => id)]))
    for (const node of nodes)
      for (const other of nodes) {
        while (node.root.version < other.root.version) node.adopt(node.root.version + 1)
        for (const offer of other.offers()) node.receive(offer)
      }
    if (JSON.stringify(nodes.map((node) => [node.seen(), node.state.heads.map(({ id }) => id)])) === before)
      return
  }
  throw new Error('ten rounds of exchange did not end')
}

export const above = (a: Floor['top'], b: Floor['top']): boolean => comparePlaces(a, b) > 0
