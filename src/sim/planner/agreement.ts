/**
 * How far the abstract model is from the product's own cores where both can run: three regions, as in the last full run
 * of `npm run bench -- planner` (`bench/results`), the median of the fleets.
 */
export interface Agreement {
  readonly minBytes: number
  readonly maxBytes: number
  /** Names of published ones. */
  readonly regions: readonly string[]
  readonly nodes: number
  readonly seeds: number
  readonly p50Percent: number
  readonly p99Percent: number
  /** That left the origin. */
  readonly originCopies: { readonly cores: number; readonly model: number }
}

const KIB = 1_024
const MIB = KIB * KIB
const REGIONS = ['us-east-1', 'eu-west-1', 'ap-northeast-1']

/** Of releases in blocks; of 8 MiB one fleet of 200 nodes, too, 5 % off at most. */
export const BLOCKS_AGREEMENT: Agreement = {
  ...{
    minBytes: MIB,
    maxBytes: 8 * MIB,
    regions: REGIONS,
    nodes: 50,
    seeds: 3,
    p50Percent: 8,
    p99Percent: 6,
  },
  originCopies: { cores: 1, model: 1 },
}

/**
 * Of one message of 4 KiB, whose length hardly shows below that. One fleet in two is up to a tenth off; the simulation
 * tests hold the nodes of several fleets together below a tenth.
 */
export const GOSSIP_AGREEMENT: Agreement = {
  ...{
    minBytes: 1,
    maxBytes: 4 * KIB,
    regions: REGIONS,
    nodes: 200,
    seeds: 24,
    p50Percent: 3,
    p99Percent: 2,
  },
  originCopies: { cores: 7, model: 6 },
}
