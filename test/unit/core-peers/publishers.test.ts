/** Strangers that publish, where there are too many of them. */
import { beforeEach, expect, it } from 'vitest'
import { type Admit, createAdmit } from '../../../src/core/admit.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Limits } from '../../../src/limits.ts'
import { acts, addressOf, Bench, connected, FakeJudge, limitsOf, peer, requestOf } from './fakes.ts'

const MAX_KEPT = 4
let bench: Bench
let admit: Admit
let asked: number
beforeEach(() => start({ maxUnadmitted: 2 * MAX_KEPT }))

function start(limits: Partial<Limits>): void {
  bench = new Bench({ submit: true, limits: limitsOf(limits) })
  admit = createAdmit(bench.config, new FakeJudge().judge)
  bench.journey.session = (id) => admit.session(id)
  asked = 0
}

const accept = (host: string, ...names: readonly string[]): Effect[] =>
  names.flatMap((name) =>
    bench.run((step, journey) => {
      const address = addressOf(peer(name), host)
      admit.onConnected(step, journey, connected(peer(name), 'inbound', { address }))
    }),
  )
/** One asks, a moment after the one before. */
function asks(name: string, answered = true): Effect[] {
  bench.pass(1)
  asked += 1
  const effects = bench.run((step, journey) => {
    const message = { type: 'roots', since: 1 } as const
    admit.onRequest(step, journey, requestOf(asked, peer(name), { protocol: 'publish', message }))
  })
  if (answered) admit.onAnswered(asked)
  return acts(effects)
}
const ends = (name: string) => [{ kind: 'hangUp', peer: name, code: 'LIMIT_STREAMS' }]

it('the host with most of them gives one up, however long a publisher elsewhere says nothing', () => {
  accept('192.0.2.1', 'publisher')
  accept('192.0.2.2', 'x1', 'x2', 'x3', 'x4')
  for (const name of ['publisher', 'x1', 'x2', 'x3']) expect(asks(name)).toEqual([])
  expect(asks('x4')).toEqual(ends('x1'))
  accept('192.0.2.3', 'new')
  expect(asks('new')).toEqual(ends('x2'))
})

it('of one host those go first that wait for no answer, and of these the one that was idle longest', () => {
  accept('192.0.2.1', 'a', 'b', 'c', 'd', 'e', 'f')
  expect(asks('a', false)).toEqual([])
  for (const name of ['b', 'c', 'd']) expect(asks(name)).toEqual([])
  expect(asks('e', false)).toEqual(ends('b'))
  admit.onAnswered(1)
  expect(asks('f')).toEqual(ends('a'))
})

it('as many as may come from one address, for as long as they take, leave half of its places to others', () => {
  start({ maxUnadmittedPerAddress: MAX_KEPT })
  for (const name of ['p1', 'p2', 'p3', 'p4']) {
    expect(acts(accept('192.0.2.1', name))).toEqual([])
    expect(asks(name, false)).toEqual([])
  }
  expect(acts(accept('192.0.2.1', 'node', 'p5'))).toEqual([])
  expect(acts(accept('192.0.2.1', 'one more'))).toEqual(ends('one more'))
  // There are no more of them than there may be strangers.
  admit.onAnswered(2)
  expect(asks('p5')).toEqual(ends('p2'))
})
