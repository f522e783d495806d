/** Which link a node ends of its own accord. */
import type { CoreConfig } from '../config.ts'
import { type Candidate, type Links, spareLink } from '../degree.ts'
import type { Journey } from '../journey.ts'
import type { AdmittedSession } from '../session.ts'
import { isMore } from './seeds.ts'

export interface Around {
  /** The hour of a swap has come. */
  readonly isSwap: boolean
  readonly links: Links
  readonly admitted: readonly AdmittedSession[]
  readonly candidates: readonly Candidate[]
  /** Those that are linked. */
  readonly seeds: readonly AdmittedSession[]
}

/**
 * One link too many, none to a gateway, and a gateway has room for more: the end of its connection counts as its death.
 * Or at a swap one of those in order, whosever, so that gateways cannot gather all links.
 */
export function linkToEnd(
  { isSwap, links, admitted, candidates, seeds }: Around,
  config: CoreConfig,
  journey: Journey,
  monoMs: number,
): AdmittedSession | undefined {
  const { limits, random, region, self } = config
  const gateways = journey.gateways(region)
  const most = gateways.includes(self) ? limits.hardDegree : limits.maxDegree
  // Those of its own choice it keeps, or it would dial others in their place.
  const isTooMany = links.own > most && links.outbound > limits.minOutbound
  const another = candidates.some((candidate) => candidate.region === region)
  if (!isTooMany && !(isSwap && another && links.own >= limits.minDegree)) return undefined
  // the only seed, or the only one that stores some channel, would be dialled again at once
  const isSpare = ({ peer, hello }: AdmittedSession) => {
    const others = seeds.filter((other) => other.peer !== peer)
    return others.length > 0 && !isMore(config.patterns, others, hello.patterns)
  }
  const mayGo = (session: AdmittedSession) => {
    const { peer, sinceMonoMs } = session
    return (
      monoMs - sinceMonoMs >= limits.settledLinkMs &&
      !journey.keeps(peer) &&
      !(isTooMany && gateways.includes(peer)) &&
      (!seeds.includes(session) || (links.own > limits.maxDegree && isSpare(session)))
    )
  }
  return spareLink(config, admitted, mayGo, random, limits)
}
