/**
 * What a seed gives away: each block about once. It remembers to whom it gave which block and sends whoever asks next
 * there; a copy more is given only where that failed, and beyond two only with a small part of the uplink.
 */
import type { Digest, PeerId } from '../model/ids.ts'
import type { CoreConfig } from './config.ts'
import type { Journey } from './journey.ts'
import { regionOf } from './session.ts'

export type Judgement =
  | { readonly kind: 'give' }
  | { readonly kind: 'redirect'; readonly to: PeerId }
  | { readonly kind: 'later' }

/** Blocks of which it is remembered who got them: 16 GiB of content. */
const MAX_BLOCKS = 65_536
/** Copies a block may have before further ones are rationed. */
const FREE_COPIES = 2
/** Peers remembered for one block. */
const MAX_HOLDERS = 4

interface Given {
  /** All of them, to one peer twice as well: else whoever asks again and again has the whole uplink. */
  readonly copies: number
  /** To whom, the latest last. */
  readonly peers: readonly PeerId[]
}

export class Copies {
  readonly #config: CoreConfig
  readonly #given = new Map<Digest, Given>()
  #spareBytes: number
  #lastMonoMs = 0

  constructor(config: CoreConfig) {
    this.#config = config
    this.#spareBytes = config.limits.seedExtraBytesPerSecond
  }

  /** @param failed the asker was sent on before, in vain */
  judge(journey: Journey, digest: Digest, asker: PeerId, failed: boolean, monoMs: number): Judgement {
    const session = journey.session(asker)
    if (session?.hello?.submit === true) return { kind: 'give' }
    const { copies, peers } = this.#given.get(digest) ?? { copies: 0, peers: [] }
    if (!failed && !peers.includes(asker)) {
      const region = regionOf(session?.hello?.region ?? '')
      const to = peers.find((peer) => this.#reaches(journey, peer, region))
      if (to !== undefined) return { kind: 'redirect', to }
    }
    if (copies >= FREE_COPIES && !this.#spare(monoMs)) return { kind: 'later' }
    const others = peers.filter((peer) => peer !== asker)
    this.#note(digest, { copies: copies + 1, peers: [...others, asker].slice(-MAX_HOLDERS) })
    return { kind: 'give' }
  }

  /** Of the asker's region, or of the own one: its gateways reach both. */
  #reaches(journey: Journey, peer: PeerId, region: string): boolean {
    const hello = journey.session(peer)?.hello
    return hello !== undefined && [region, journey.region].includes(regionOf(hello.region))
  }

  #spare(monoMs: number): boolean {
    const { seedExtraBytesPerSecond, maxBlockBytes } = this.#config.limits
    const earned = ((monoMs - this.#lastMonoMs) / 1_000) * seedExtraBytesPerSecond
    this.#spareBytes = Math.min(seedExtraBytesPerSecond, this.#spareBytes + earned)
    this.#lastMonoMs = monoMs
    if (this.#spareBytes < maxBlockBytes) return false
    this.#spareBytes -= maxBlockBytes
    return true
  }

  #note(digest: Digest, given: Given): void {
    // Put last again: the first is the one given longest ago.
    this.#given.delete(digest)
    this.#given.set(digest, given)
    if (this.#given.size <= MAX_BLOCKS) return
    for (const oldest of this.#given.keys()) {
      this.#given.delete(oldest)
      return
    }
  }
}
