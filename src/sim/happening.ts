import type { Channel, Name } from '../model/ids.ts'
import type { HostileKind } from './hostile.ts'

/** What a crash does to the disk: nothing, LevelDB's folder is gone, blocks vanish, or bits flip everywhere. */
export type DiskFate = 'keep' | 'lose-store' | 'rot' | 'flip'

/**
 * Releases nobody may activate: by one key of two that are needed (once, or signing twice), by a stranger under a
 * publisher's name, or by a stolen key after the root that drops it.
 */
export type Forgery = 'one-key' | 'one-key-twice' | 'stranger' | 'dropped-key'

/** One thing that happens to a simulated fleet, at a virtual millisecond. */
export type Happening = { readonly atMs: number } & (
  | {
      readonly kind: 'publish'
      readonly channel: Channel
      readonly publisher: Name
      readonly seed: number
      readonly bytes: number
      readonly sick: boolean
      /** Another release in the same place, said to a few nodes at once. */
      readonly twin: boolean
    }
  | { readonly kind: 'replay'; readonly seed: number; readonly which: number }
  | { readonly kind: 'forge'; readonly how: Forgery; readonly seed: number; readonly heardBy: number }
  /** A thief publishes with a publisher's own key. `counter`: undefined is the next one. */
  | { readonly kind: 'steal'; readonly channel: Channel; readonly seed: number; readonly counter?: number }
  /** A root without the stolen key, handed out together with new releases of every channel. */
  | { readonly kind: 'recover'; readonly seed: number }
  /** A root that changes nobody's authority. */
  | { readonly kind: 'renew'; readonly seed: number }
  | { readonly kind: 'crash'; readonly node: number; readonly downMs: number; readonly disk: DiskFate }
  /** Who is on one side reaches the others there; on side -1 everybody. */
  | { readonly kind: 'partition'; readonly sides: readonly number[]; readonly forMs: number }
  /** Its connections stay, yet nothing it says arrives (`mute`), or nothing reaches it (`deaf`). */
  | {
      readonly kind: 'gray'
      readonly node: number
      readonly how: 'mute' | 'deaf'
      readonly forMs: number
    }
  /** Its wall clock jumps. */
  | { readonly kind: 'clock'; readonly node: number; readonly byMs: number }
  | {
      readonly kind: 'storm'
      readonly lose: number
      readonly hang: number
      readonly delayMs: number
      readonly forMs: number
      /** Chance that an offer is swallowed although it was answered. */
      readonly swallow?: number
    }
  | { readonly kind: 'disk-full'; readonly node: number; readonly forMs: number }
  /** Whatever it dials or is dialled by, it gets to these alone; they keep all news from it. */
  | {
      readonly kind: 'eclipse'
      readonly node: number
      readonly by: readonly number[]
      readonly forMs: number
    }
  | {
      readonly kind: 'cut-off'
      readonly node: number
      readonly how: 'alone' | 'withheld'
      readonly forMs: number
    }
)

export interface Scenario {
  readonly seed: number
  readonly nodes: number
  readonly seeds: number
  /** Nodes take turns, the seeds first. In several, nodes sign heartbeats: gateways stand, and the bridge carries. */
  readonly regions: readonly Name[]
  /** Per node: how wrong its wall clock is. */
  readonly clockErrorsMs: readonly number[]
  /** Bound of each node's cache; undefined: one that no run comes to. */
  readonly cacheBytes?: number
  /** Nodes of an attacker, by number; they stay hostile when the faults are over. */
  readonly hostile: ReadonlyMap<number, HostileKind>
  /** Ascending by time. */
  readonly happenings: readonly Happening[]
  /** When every fault is over. */
  readonly calmFromMs: number
  /** Calm → converged. */
  readonly healingBoundMs: number
}

export interface Size {
  readonly minNodes: number
  readonly maxNodes: number
}

/** How long the trouble of an ordinary run lasts. */
export const TROUBLE_MS = 40_000
