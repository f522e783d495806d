/** From which region a channel is fed, by the seeds that are linked and those that were. */
import { expect, test } from 'vitest'
import { Home, MAX_SEEDS } from '../../../src/core/fetch/home.ts'
import type { AdmittedSession } from '../../../src/core/session.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'

const APP = 'app/web' as Channel
const LIB = 'lib/web' as Channel
const session = (name: string, region: string, pattern = '**', submit = true): AdmittedSession =>
  ({ peer: peer(name), hello: { region, patterns: [pattern], submit } }) as unknown as AdmittedSession

test('that of the linked seeds, this one where any is here', () => {
  const home = new Home()
  const [ap, eu] = [session('a', 'ap'), session('e', 'eu')]
  expect(home.of(APP, [], 'eu')).toBeUndefined()
  expect(home.of(APP, [ap, eu], 'eu')).toBe('eu')
  expect(home.of(APP, [eu, ap], 'us')).toBe('ap')
})

test('with none linked, that of a seed that was and stores the channel, whatever the others store', () => {
  const home = new Home()
  home.linked([session('e', 'eu'), session('u', 'us', 'lib/**'), session('n', 'ap', '**', false)])
  expect([home.of(APP, [], 'us'), home.of(LIB, [], 'us')]).toEqual(['eu', 'us'])
  // It has moved.
  home.linked([session('e', 'sa')])
  expect(home.of(APP, [], 'us')).toBe('sa')
  // It is a seed no longer.
  home.linked([session('a', 'ap')])
  expect(home.of(APP, [], 'us')).toBe('ap')
  home.linked([session('a', 'ap', '**', false)])
  expect(home.of(APP, [], 'us')).toBe('sa')
  home.linked(Array.from({ length: MAX_SEEDS }, (_, at) => session(`o${at}`, 'oc', 'lib/**')))
  expect(home.of(APP, [], 'us')).toBeUndefined()
})
