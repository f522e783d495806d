/**
 * Which seeds hold a release whole. They say so where they are asked to wait for it (`await`), and nothing is opened
 * there by that: a seed with an upload open brings in no release by itself, and names itself to no other as a holder.
 */
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { ReleaseId } from '../model/ids.ts'
import { askSeed, RefusedBySeed, type Seed } from './seeds.ts'

/** The others stay behind them: one may have every block without the release. */
export async function holdersFirst(
  seeds: readonly Seed[],
  release: ReleaseId,
  limits: Limits,
): Promise<readonly Seed[]> {
  if (seeds.length < 2) return seeds
  const answers = await Promise.all(seeds.map((seed) => isHolder(seed, release, limits)))
  const those = (wanted: boolean) => seeds.filter((_, index) => answers[index] === wanted)
  return [...those(true), ...those(false)]
}

async function isHolder(seed: Seed, release: ReleaseId, limits: Limits): Promise<boolean> {
  try {
    const { type } = await askSeed(seed, { type: 'await', release }, ['done', 'noted'], limits)
    return type === 'done'
  } catch (error) {
    if (!isMeshError(error)) throw error
    // One that has it says so, too, where a twin holds its channel. Else it does not. Silent: that is told when its turn comes.
    return error instanceof RefusedBySeed && error.code === 'ORDER_EQUIVOCATION'
  }
}
