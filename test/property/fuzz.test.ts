/** A short pass of what `npm run fuzz` does for a minute each. */
import { expect, test } from 'vitest'
import { corpus, inputsNear, samplesOf } from '../fuzz/inputs.ts'
import { playSequence } from '../fuzz/sequences.ts'
import { outcomeOf, TARGETS } from '../fuzz/targets.ts'

const INPUTS = 500
const SEQUENCES = 60
const SEQUENCES_OF_ONE = 6
/** Behind admission: what stays out of this list is not fuzzed. */
const REACHED = [
  ...['admit', 'serveBlock', 'read', 'reply sync differ', 'reply sync envelopes', 'reply sync beacons'],
  ...['reply sync peers', 'reply blocks block', 'reply blocks busy', 'reply bridge item'],
  ...['reply bridge heartbeats', 'request blocks want', 'request bridge announce', 'request bridge claim'],
  ...['request bridge pull', 'request sync entries', 'request sync push'],
]

test.each(TARGETS)('$name: taken, or refused with a code', async (target) => {
  for (const bytes of corpus()) expect(await outcomeOf(target, bytes)).toBeTypeOf('string')
  const samples = await samplesOf(target)
  for (const bytes of samples) expect(await outcomeOf(target, bytes)).toBe('taken')
  const next = inputsNear(target, samples, 1)
  let taken = 0
  for (let inputs = 0; inputs < INPUTS; inputs += 1) {
    const { bytes, isFormed } = next()
    const outcome = await outcomeOf(target, bytes)
    expect(outcome).toBeTypeOf('string')
    if (outcome === 'taken' && isFormed && isNew(bytes, samples)) taken += 1
  }
  // else nothing behind the first look at the form is tried
  expect(samples.length).toBeGreaterThan(0)
  expect(taken).toBeGreaterThan(0)
})

const isNew = (bytes: Uint8Array, samples: readonly Uint8Array[]): boolean =>
  samples.every((sample) => !Buffer.from(sample).equals(bytes))

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

test.each([
  ['admit', ['reply admit opened', 'reply admit hello', 'reply admit root']],
  ['sync', ['reply sync differ', 'reply sync envelopes', 'reply sync beacons', 'reply sync peers']],
  ['blocks', ['serveBlock', 'reply blocks noted', 'reply blocks gone']],
  ['publish', ['reply publish need', 'reply publish channels', 'reply publish state']],
  ['bridge', ['reply bridge item', 'reply bridge heartbeats', 'reply bridge noted']],
] as const)('%s alone, in any order: answered in all ways, and nothing breaks', (protocol, answers) => {
  const reached = new Set<string>()
  for (let seed = 1; seed <= SEQUENCES_OF_ONE; seed += 1) {
    const played = playSequence(seed, seed % 2 === 0, [protocol])
    expect(played.fault, `seed ${seed}`).toBeUndefined()
    for (const what of played.reached) reached.add(what)
  }
  expect([...reached]).toEqual(expect.arrayContaining([...answers]))
})

// The seed that had granted a place was gone by the time the place was given back, or renewed.
test.each([147, 407_471])('messages that once broke a core do so no more: publish, seed %i', (seed) => {
  expect(playSequence(seed, true, ['publish']).fault).toBeUndefined()
})
