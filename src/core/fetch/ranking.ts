/** In which order peers are asked: made once for all releases of a go, of which there may be a hundred, for hundreds of peers. */
import type { PeerId } from '../../model/ids.ts'
import type { CoreConfig } from '../config.ts'
import { shuffled } from '../degree.ts'
import { type AdmittedSession, storesChannel } from '../session.ts'
import type { FetchJob } from './job.ts'
import type { Sources } from './sources.ts'

/** Those that store its channel: they may have what they have not announced. */
export const storing = (job: FetchJob, peers: readonly AdmittedSession[]): readonly AdmittedSession[] =>
  peers.filter(({ hello }) => storesChannel(hello.patterns, job.channel))

interface Ranked {
  readonly session: AdmittedSession
  /** Equal lists of patterns are equal texts. */
  readonly stores: string
}

export class Ranking {
  readonly #sources: Sources
  readonly #ranked: readonly Ranked[]
  /** Of the own region, whose word of what they have counts: seeds say it to seeds alone. */
  readonly near: ReadonlySet<PeerId>

  /**
   * Those that gave something first, else in a random order. Seeds rely on seeds, and everyone on whoever gave something
   * before; whoever was asked in vain comes last.
   */
  constructor({ submit, region, random }: CoreConfig, sources: Sources, admitted: Iterable<AdmittedSession>) {
    this.#sources = sources
    const place = ({ peer, hello }: AdmittedSession): number =>
      hello.submit && submit ? 0 : sources.isProven(peer) ? 1 : sources.counts(peer) ? 2 : 3
    const sessions = shuffled([...admitted], random)
    this.#ranked = sessions
      .map((session) => ({ session, place: place(session), stores: session.hello.patterns.join(' ') }))
      .sort((a, b) => a.place - b.place)
    const isNear = ({ hello }: AdmittedSession) => (!hello.submit || submit) && hello.region === region
    this.near = new Set(sessions.filter(isNear).map(({ peer }) => peer))
  }

  /**
   * Who may be asked for this release. Also those that do not store its channel, where they announced something of it:
   * content is the same under any channel, and whoever is believed is asked, or its word would keep a block from being asked
   * for elsewhere for ever.
   */
  candidates({ release, channel }: FetchJob): readonly AdmittedSession[] {
    const holders = this.#sources.of(release.id)
    // Most peers store the same.
    const known = new Map<string, boolean>()
    const storesIt = ({ session, stores }: Ranked): boolean => {
      const does = known.get(stores) ?? storesChannel(session.hello.patterns, channel)
      known.set(stores, does)
      return does
    }
    const fit = this.#ranked.filter(
      (one) => !holders.isLiar(one.session.peer) && (storesIt(one) || holders.knows(one.session.peer)),
    )
    return fit.map(({ session }) => session)
  }
}
