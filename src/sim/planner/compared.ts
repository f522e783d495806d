/** Written by `npm run bench -- planner`: what it found, and nothing by hand. */
import type { ComparedFleet } from './agreement.ts'

export const COMPARED: readonly ComparedFleet[] = [
  {
    bytes: 3496,
    nodes: 200,
    seeds: 24,
    p50Off: -0.000774,
    p99Off: 0.008484,
    halfWithin: 0.05198,
    originCopies: 7,
  },
  {
    bytes: 1048576,
    nodes: 50,
    seeds: 3,
    p50Off: -0.058763,
    p99Off: 0.006035,
    halfWithin: 0.089541,
    originCopies: 1,
  },
  {
    bytes: 8388608,
    nodes: 50,
    seeds: 3,
    p50Off: -0.028022,
    p99Off: 0.013146,
    halfWithin: 0.038653,
    originCopies: 1.000163,
  },
  {
    bytes: 8388608,
    nodes: 200,
    seeds: 1,
    p50Off: 0.010361,
    p99Off: -0.111707,
    halfWithin: 0.111707,
    originCopies: 1,
  },
]
