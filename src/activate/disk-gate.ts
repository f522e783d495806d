import type { Limits } from '../limits.ts'
import { poolThreads } from '../runtime/pool-threads.ts'
import { Gate } from './gate.ts'

/**
 * For all that touches the disk that trees lie on, which may answer late, or never. Half of the threads may wait for it: the
 * rest is for the store, names that are looked up, and whatever else.
 */
export const diskGate = ({ maxParallelFiles }: Pick<Limits, 'maxParallelFiles'>): Gate =>
  new Gate(Math.min(maxParallelFiles, Math.floor(poolThreads() / 2)))
