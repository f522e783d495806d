/**
 * From which region a channel is fed: that of the seeds that store it. A seed may store a part only, and where none that stores a
 * channel is linked, the others do not feed it.
 */
import type { Channel, PeerId } from '../../model/ids.ts'
import type { TrustRoot } from '../../model/root.ts'
import { isRemovedPeer, isStillNamed } from '../../trust/admission.ts'
import type { Admission } from '../../trust/certificates.ts'
import { LatestMap } from '../latest.ts'
import { type AdmittedSession, storesChannel } from '../session.ts'

type Seed = Pick<AdmittedSession['hello'], 'region' | 'patterns'>
/** Whether the root still names what admitted it as it was linked last. */
type Linked = Seed & { readonly admission: Admission | undefined; readonly isNamed: boolean }

/** Seeds of a fleet are few; of more the ones that were linked last are remembered. */
export const MAX_SEEDS = 64

export class Home {
  /** Those that were ever linked, but who is one no longer: that a region is fed from theirs is true while none of them is, too. */
  readonly #seeds = new LatestMap<PeerId, Linked>(MAX_SEEDS)
  #root: TrustRoot | undefined

  linked(sessions: Iterable<AdmittedSession>): void {
    for (const { peer, hello, admission } of sessions) {
      const { region, patterns } = hello
      if (hello.submit) this.#seeds.set(peer, { region, patterns, admission, isNamed: true })
      else this.#seeds.delete(peer)
    }
  }

  /**
   * Whoever it removes comes back no more. Whose pool or key it no longer names may, with another certificate, which it has only
   * shown to others since. Looked at once for each root.
   */
  under(root: TrustRoot): void {
    if (root === this.#root) return
    this.#root = root
    for (const [peer, seed] of [...this.#seeds]) {
      const isNamed = seed.admission === undefined || isStillNamed(peer, seed.admission, root)
      if (isRemovedPeer(root, peer)) this.#seeds.delete(peer)
      else if (isNamed !== seed.isNamed) this.#seeds.set(peer, { ...seed, isNamed })
    }
  }

  /**
   * @param seeds those that are linked and store the channel
   * @returns `region` where any of them is there; undefined: none that stores it was ever linked
   */
  of(channel: Channel, seeds: readonly AdmittedSession[], region: string): string | undefined {
    const linked = seeds.map(({ hello }) => hello)
    if (linked.length > 0) return regionOf(linked, region)
    const were = [...this.#seeds.values()].filter(({ patterns }) => storesChannel(patterns, channel))
    const named = were.filter(({ isNamed }) => isNamed)
    return regionOf(named.length > 0 ? named : were, region)
  }
}

function regionOf(seeds: readonly Seed[], region: string): string | undefined {
  const regions = seeds.map((seed) => seed.region).sort()
  return regions.includes(region) ? region : regions[0]
}
