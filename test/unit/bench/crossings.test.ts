import { expect, test } from 'vitest'
import { portOf } from '../../../bench/border.ts'
import { idleRates, overBorders, type Round, since } from '../../../bench/crossings.ts'

/** Seconds idle and under way, and what crossed meanwhile. */
const round = (
  idleS: number,
  idle: Record<string, number>,
  releaseS: number,
  crossed: Record<string, number>,
): Round => ({
  idle: { crossed: new Map(Object.entries(idle)), tookMs: idleS * 1_000 },
  release: { crossed: new Map(Object.entries(crossed)), tookMs: releaseS * 1_000 },
})

test('what a fleet says idly in the time of a release is not the release: its mean over all that was heard', () => {
  // 100 bytes in 4 s, though none of it in the first of them.
  const rounds = [
    round(1, {}, 4, { 'a→b': 1_100 }),
    round(3, { 'a→b': 100 }, 2, { 'a→b': 2_050, 'c→b': 500 }),
    round(0, {}, 2, { 'a→b': 1_050 }),
  ]
  expect(idleRates(rounds.map(({ idle }) => idle))).toEqual(new Map([['a→b', 25]]))
  const { borders, into } = overBorders(rounds, 1_000)
  expect(borders).toEqual({
    'a→b': {
      withIdle: { n: 3, min: 1.05, p50: 1.1, p99: 2.05, max: 2.05 },
      beyondIdle: { n: 3, min: 1, p50: 1, p99: 2, max: 2 },
    },
    'c→b': {
      withIdle: { n: 3, min: 0, p50: 0, p99: 0.5, max: 0.5 },
      beyondIdle: { n: 3, min: 0, p50: 0, p99: 0.5, max: 0.5 },
    },
  })
  // Of each release over all borders, not the worst of each: that of `c` came with the second one.
  expect(into.b?.beyondIdle).toMatchObject({ min: 1, p50: 1, max: 2.5 })
})

test('what crossed since then, over a border that nothing had crossed, too', () => {
  expect(
    since(
      new Map([['a→b', 5]]),
      new Map([
        ['a→b', 12],
        ['b→a', 3],
      ]),
    ),
  ).toEqual(
    new Map([
      ['a→b', 7],
      ['b→a', 3],
    ]),
  )
})

test('a process is the node that it was told to listen for, and any other is none', () => {
  expect(portOf(['node', 'launcher.js', '--listen', '/ip4/127.0.0.1/tcp/4711', '--json'])).toBe(4711)
  expect(portOf(['node', 'launcher.js', '--listen'])).toBe(undefined)
  expect(portOf(['node', '/ip4/127.0.0.1/tcp/4711'])).toBe(undefined)
})
