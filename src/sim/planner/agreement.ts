/**
 * How far the abstract model is from the product's own cores where both can run: 4 KiB, three regions, as in the last
 * full run of `npm run bench -- planner` (`bench/results`), the median of the fleets. Of 4 KiB one fleet in two is up to a
 * tenth off; the simulation tests hold the nodes of several fleets together below a tenth.
 */
export interface Agreement {
  readonly nodes: number
  readonly seeds: number
  readonly p50Percent: number
  readonly p99Percent: number
}

/** The same of releases in blocks, of 1 to 8 MiB. */
export const BLOCKS_AGREEMENT: Agreement = { nodes: 50, seeds: 3, p50Percent: 7, p99Percent: 6 }
export const GOSSIP_AGREEMENT: Agreement = { nodes: 200, seeds: 24, p50Percent: 3, p99Percent: 2 }
