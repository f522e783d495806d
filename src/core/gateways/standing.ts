import type { Limits } from '../../limits.ts'
import type { Journey } from '../journey.ts'

/**
 * How many gateways a region of so many nodes has: three fifths of them, within bounds. Each keeps a link to every other of
 * all regions; were they eight in a region of ten, nearly every node would be linked with every other. With half of ten, one
 * simulated fleet of 40 lost a block when its origin and a gateway died; with six none did.
 */
export const gatewaysFor = (
  nodes: number,
  { minGateways, maxGateways }: Pick<Limits, 'minGateways' | 'maxGateways'>,
): number => Math.min(maxGateways, Math.max(minGateways, Math.ceil((nodes * 3) / 5)))

/** Nodes of its own region that a node is linked to, and itself: of a region with more nodes than links enough to count as large. */
export function nodesKnownIn(region: string, journey: Pick<Journey, 'admitted'>): number {
  let nodes = 1
  for (const { hello } of journey.admitted()) if (hello.region === region) nodes += 1
  return nodes
}
