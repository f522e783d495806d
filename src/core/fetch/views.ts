/** The gateways of each region as this node sees them, looked up anew every so often, and when a connection begins or ends. */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import type { Now } from '../events.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import { Entrants } from './entry.ts'

/** How long a view of the regions' gateways is used before it is asked for again. */
const VIEW_MS = 250

export class Views {
  readonly #limits: Limits
  readonly #entrants = new Map<string, { readonly entrants: Entrants; readonly untilMonoMs: number }>()
  #connected: ReadonlySet<PeerId> = new Set()
  /** When connections ended: they count until the peer's heartbeat would be missed by all. */
  readonly #goneMonoMs: LatestMap<PeerId, number>
  #regions: { readonly names: readonly string[]; readonly untilMonoMs: number } | undefined

  constructor({ limits }: CoreConfig) {
    this.#limits = limits
    this.#goneMonoMs = new LatestMap(limits.maxKnownPeers)
  }

  of(journey: Journey, region: string, now: Now): Entrants {
    const known = this.#entrants.get(region)
    if (known !== undefined && known.untilMonoMs > now.monoMs) return known.entrants
    this.#connected = new Set([...journey.admitted()].map(({ peer }) => peer))
    const { heartbeatLiveMs, farHeartbeatLiveMs } = this.#limits
    const sinceMonoMs = now.monoMs - (region === journey.region ? heartbeatLiveMs : farHeartbeatLiveMs)
    const isGone = (peer: PeerId) =>
      !this.#connected.has(peer) && (this.#goneMonoMs.get(peer) ?? sinceMonoMs) > sinceMonoMs
    const peers = journey.gateways(region).filter((peer) => !isGone(peer))
    const entrants = known?.entrants.sameAs(peers) ? known.entrants : new Entrants(peers)
    this.#entrants.set(region, { entrants, untilMonoMs: now.monoMs + VIEW_MS })
    return entrants
  }

  /** As of the last look at any region's gateways. */
  isConnected(peer: PeerId): boolean {
    return this.#connected.has(peer)
  }

  names(journey: Journey, now: Now): readonly string[] {
    if (this.#regions === undefined || this.#regions.untilMonoMs <= now.monoMs)
      this.#regions = { names: journey.regions(), untilMonoMs: now.monoMs + VIEW_MS }
    return this.#regions.names
  }

  /** Its part falls to others at once, where its end was seen. */
  onDisconnected(peer: PeerId, monoMs: number): void {
    this.#goneMonoMs.set(peer, monoMs)
    this.forget()
  }

  /** Who is connected has changed. */
  forget(): void {
    this.#entrants.clear()
    this.#regions = undefined
  }
}
