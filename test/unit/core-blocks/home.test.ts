/** From which region a channel is fed, by the seeds that are linked and those that were. */
import { expect, test } from 'vitest'
import { Home, MAX_SEEDS } from '../../../src/core/fetch/home.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { Upstream } from '../../../src/core/fetch/upstream.ts'
import { Views } from '../../../src/core/fetch/views.ts'
import type { AdmittedSession } from '../../../src/core/session.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { configOf, FakeJourney, FakeJudge, hex, peer, rootOf } from '../core-peers/fakes.ts'

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

test('never that of a seed which the root has removed since', () => {
  const journey = new FakeJourney()
  const [config, sources] = [configOf({ region: 'us' }), new Sources(LIMITS)]
  const upstream = new Upstream(config, sources, new Views(config))
  journey.region = 'us'
  for (const one of [session('e', 'eu'), session('u', 'us')])
    journey.links.set(one.peer, { ...one, admission: new FakeJudge().admission(one.peer) })
  upstream.onAdmitted(journey)
  journey.links.clear()
  const home = () =>
    upstream.around(journey, APP, [], { isOpen: () => true, isStuck: false, isOld: true }).home
  expect(home()).toBe('us')
  journey.current = rootOf(2)
  expect(home()).toBe('us')
  journey.current = rootOf(3, { removed: { peers: [{ id: peer('u') }], pools: [] } })
  expect(home()).toBe('eu')
})

test('that of one whose key or pool the root has dropped, which may be back with another certificate, only while no other is known', () => {
  const home = new Home()
  const admitted = (name: string, region: string, issuer: string) => ({
    ...session(name, region),
    admission: { ...new FakeJudge().admission(peer(name)), issuer: hex(issuer) as never },
  })
  home.linked([admitted('u', 'us', 'b')])
  home.under(rootOf(2, { admission: { keys: [hex('a') as never] } }))
  expect(home.of(APP, [], 'us')).toBe('us')
  home.linked([admitted('e', 'eu', 'a')])
  expect(home.of(APP, [], 'us')).toBe('eu')
  home.linked([admitted('u', 'us', 'a')])
  expect(home.of(APP, [], 'us')).toBe('us')
})
