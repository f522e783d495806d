/**
 * How far the abstract model is from the product's own cores where both can run: 4 KiB, three regions, as in the last
 * full run of `npm run bench -- planner` (`bench/results`). Of 4 KiB one seed differs from another by more than that at
 * p50; the simulation tests hold the nodes of several seeds together below a tenth.
 */
export interface Agreement {
  readonly nodes: number
  readonly seeds: number
  readonly p50Percent: number
  readonly p99Percent: number
}

/** The same of releases in blocks, of 1 to 8 MiB. */
export const BLOCKS_AGREEMENT: Agreement = { nodes: 50, seeds: 3, p50Percent: 4, p99Percent: 5 }
export const GOSSIP_AGREEMENT: Agreement = { nodes: 200, seeds: 5, p50Percent: 13, p99Percent: 2 }
