import { expect, test } from 'vitest'
import { runSeed } from '../../src/sim/run.ts'

/** Seeds beyond those of every run that once went red, with what they showed. */
const FOUND = [
  {
    seed: 820,
    of: 'an envelope gets about whose publisher was lost before the upload: its gate says content',
  },
]

test.each(FOUND)(
  'seed $seed: $of',
  async ({ seed }) => {
    const { problem } = await runSeed(seed)
    expect(problem).toBeUndefined()
  },
  120_000,
)
