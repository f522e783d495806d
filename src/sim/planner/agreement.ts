/**
 * How far the abstract model is from the product's own cores where both can run, as the last full run of
 * `npm run bench -- planner` (`bench/results`) found and wrote into `compared.ts`.
 */
import { COMPARED } from './compared.ts'
import { MESH_DEGREE } from './fleet.ts'
import { isSmall } from './run-one.ts'

/** A release through the same fleet by both, with this many seeds. */
export interface ComparedFleet {
  readonly bytes: number
  readonly nodes: number
  readonly seeds: number
  /** Share of the time that the abstract model is late, below 0 where it is too soon: the median over the seeds. */
  readonly p50Off: number
  readonly p99Off: number
  /** Half of the seeds are no further off than this share, at p50, and half at p99. */
  readonly halfWithin: number
  /** That left the origin's core. */
  readonly originCopies: number
  /** Of the model's run with seed 1: another one is another model's. None in what was kept before it was looked at. */
  readonly modelHash?: string
}

/** Names of published ones: those of all fleets that were compared. */
export const COMPARED_REGIONS: readonly string[] = ['us-east-1', 'eu-west-1', 'ap-northeast-1']

/** The goal, at p50 and at p99. */
export const MOST_OFF = 0.1

export const comparedBy = (transport: 'gossip' | 'blocks'): readonly ComparedFleet[] =>
  COMPARED.filter(({ bytes }) => isSmall(bytes) === (transport === 'gossip'))

/** That leave the model's origin: a message to its whole mesh, of blocks each once. */
export const modelCopies = (bytes: number): number => (isSmall(bytes) ? MESH_DEGREE : 1)
