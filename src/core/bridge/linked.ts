/** To whom in a region the bridge goes. */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Journey } from '../journey.ts'

/**
 * Gateways that are linked. Another region that has none, since its only node can be dialled by nobody, has the nodes that are
 * linked in their place, where those are few: of many some are about to stand, and all at once would be as many copies.
 */
export function linkedIn(region: string, journey: Journey, { bridgeRanks }: Limits): PeerId[] {
  const gateways = journey.gateways(region)
  if (gateways.length > 0 || region === journey.region)
    return gateways.filter((peer) => journey.session(peer)?.hello !== undefined)
  const nodes = [...journey.admitted()].filter(({ hello }) => hello.region === region)
  return nodes.length > bridgeRanks ? [] : nodes.map(({ peer }) => peer).sort()
}
