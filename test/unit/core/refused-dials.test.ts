/** What ends a connection is told to the stage that dials. */
import { expect, test } from 'vitest'
import { BenchNode } from './bench-node.ts'
import { PEER } from './fleet.ts'

test.each([
  ['one of the two does not admit the other', { judged: true } as const, [[PEER, undefined]]],
  ['the peer has no room, and says when it may', { retryAfterMs: 700 }, [[PEER, 700]]],
  ['nobody had the time', {}, []],
])('it hears that %s', (_, why, told) => {
  const heard: unknown[] = []
  const peers = {
    twin: () => undefined,
    onRefused: (_step: unknown, _journey: unknown, peer: unknown, retryAfterMs: unknown) =>
      void heard.push([peer, retryAfterMs]),
  }
  const node = new BenchNode({}, { peers })
  node.start()
  node.inside((step) => step.emit({ kind: 'hangUp', peer: PEER, code: 'ADMIT_EXPIRED', ...why }))
  expect(heard).toEqual(told)
})
