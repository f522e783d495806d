/** A short pass of what `npm run fuzz` does for a minute each. */
import { expect, test } from 'vitest'
import { corpus } from '../fuzz/inputs.ts'
import { mutator } from '../fuzz/mutate.ts'
import { playSequence } from '../fuzz/sequences.ts'
import { fault, TARGETS } from '../fuzz/targets.ts'

const INPUTS = 500
const SEQUENCES = 60
/** Behind admission: what stays out of this list is not fuzzed. */
const REACHED = [
  ...['admit', 'serveBlock', 'read', 'reply sync differ', 'reply sync envelopes', 'reply sync beacons'],
  ...['reply sync peers', 'reply blocks block', 'reply blocks busy', 'reply bridge item'],
  ...['reply bridge heartbeats', 'request blocks want', 'request bridge announce', 'request bridge claim'],
  ...['request bridge pull', 'request sync entries', 'request sync push'],
]

test.each(TARGETS)('$name: taken, or refused with a code', async (target) => {
  for (const bytes of corpus()) expect(await fault(target, bytes)).toBeUndefined()
  const next = mutator(1, corpus())
  for (let inputs = 0; inputs < INPUTS; inputs += 1) expect(await fault(target, next())).toBeUndefined()
})

test.each([
  [false, ['activate', 'reply publish refused']],
  [true, ['reply publish need', 'reply publish done']],
])(
  'messages in any order never break a core, and reach all of it (takes submissions: %s)',
  (submit, more) => {
    const reached = new Set<string>()
    for (let seed = 1; seed <= SEQUENCES; seed += 1) {
      const played = playSequence(seed, submit)
      expect(played.fault, `seed ${seed}`).toBeUndefined()
      for (const what of played.reached) reached.add(what)
    }
    expect([...reached]).toEqual(expect.arrayContaining([...REACHED, ...more]))
  },
)
