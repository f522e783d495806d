/** A short pass of what `npm run fuzz` does for a minute each. */
import { expect, test } from 'vitest'
import { mutator } from '../fuzz/mutate.ts'
import { sequenceFault } from '../fuzz/sequences.ts'
import { corpus, fault, TARGETS } from '../fuzz/targets.ts'

const INPUTS = 500
const SEQUENCES = 60

test.each(TARGETS)('$name: taken, or refused with a code', async (target) => {
  for (const bytes of corpus()) expect(await fault(target, bytes)).toBeUndefined()
  const next = mutator(1, corpus())
  for (let inputs = 0; inputs < INPUTS; inputs += 1) expect(await fault(target, next())).toBeUndefined()
})

test.each([false, true])('messages in any order never break a core (takes submissions: %s)', (submit) => {
  for (let seed = 1; seed <= SEQUENCES; seed += 1) expect(sequenceFault(seed, submit)).toBeUndefined()
})
