import { expect, test } from 'vitest'
import { ORDINARY, runSeed } from '../../src/sim/run.ts'
import { SMALL } from './seeds.ts'

/** Seeds beyond those of every run that once went red, with what they showed. */
const FOUND = [
  {
    seed: 104,
    size: ORDINARY,
    of: 'a host that lost its store on a held channel rightly has nothing',
  },
  {
    seed: 105,
    size: ORDINARY,
    of: 'a host that lost its store on a held channel rightly has nothing',
  },
  {
    seed: 113,
    size: ORDINARY,
    of: 'a host that lost its store on a held channel rightly has nothing',
  },
  {
    seed: 118,
    size: ORDINARY,
    of: 'a host that lost its store on a held channel rightly has nothing',
  },
  {
    seed: 820,
    size: ORDINARY,
    of: 'an envelope gets about whose publisher was lost before the upload: its gate says content',
  },
  {
    seed: 21_035,
    size: SMALL,
    of: 'a submission that a full disk refused is written all the same, once there is room',
  },
  {
    seed: 25_468,
    size: SMALL,
    of: 'a block of a release that was not acknowledged rots on the only disk that has it, and one node shows it',
  },
  {
    seed: 28_926,
    size: SMALL,
    of: 'the same, and the files of the node that shows it are damaged as well: nobody can mend them',
  },
  {
    seed: 28_523,
    size: SMALL,
    of: 'acknowledged in a partition by one seed, whose disk loses it to flipped bits before anybody else has it',
  },
  {
    seed: 21_310,
    size: SMALL,
    of: 'handed over in vain, a release waits ten seconds at that peer: silence must not swallow what comparison brings',
  },
]

test.each(FOUND)(
  'seed $seed: $of',
  async ({ seed, size }) => {
    const { problem } = await runSeed(seed, { size })
    expect(problem).toBeUndefined()
  },
  120_000,
)
