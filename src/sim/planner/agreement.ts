/**
 * How far the abstract model is from the product's own cores where both can run: medians over seeds, 4 KiB, three
 * regions, as `npm run bench -- planner` measures it; the simulation tests hold it below a tenth.
 */
export interface Agreement {
  readonly nodes: number
  readonly seeds: number
  readonly p50Percent: number
  readonly p99Percent: number
}

/** The same of releases in blocks, of 1 to 8 MiB. */
export const BLOCKS_AGREEMENT: Agreement = { nodes: 50, seeds: 3, p50Percent: 4, p99Percent: 5 }
export const GOSSIP_AGREEMENT: Agreement = { nodes: 200, seeds: 5, p50Percent: 3, p99Percent: 1 }
