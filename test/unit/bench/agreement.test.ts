/** What `simulate` says of its accuracy is what was found, and not what was found once. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  type Agreed,
  agree,
  COMPARED_FILE,
  comparedQuestion,
  comparedText,
} from '../../../bench/agreement.ts'
import { kept } from '../../../bench/results.ts'
import { MOST_OFF } from '../../../src/sim/planner/agreement.ts'
import { COMPARED } from '../../../src/sim/planner/compared.ts'
import { runOne } from '../../../src/sim/planner/run-one.ts'

test('what simulate says of its accuracy is of the kept run of the planner bench', () => {
  const { agreed } = kept('planner').figures as { readonly agreed: readonly Agreed[] }
  const text = comparedText(agreed)
  const toDo = `src/sim/planner/compared.ts is of another run than bench/results/planner.json; put this into it:\n\n${text}`
  expect(readFileSync(COMPARED_FILE, 'utf8'), toDo).toBe(text)
})

test('of the two shares of the nodes the fleets that are further off tell how far', () => {
  const at = { coreMs: 1, abstractMs: 1 }
  const agreed: Agreed = {
    ...{ bytes: 1_048_576, nodes: 50, seeds: 3, originCopies: 1.23456 },
    p50: { ...at, off: -0.05, offFrom: -0.2, offTo: 0 },
    p99: { ...at, off: 0.01, offFrom: -0.1, offTo: 0.12345 },
  }
  expect(comparedText([agreed])).toContain(`[
  {
    bytes: 1048576,
    nodes: 50,
    seeds: 3,
    p50Off: -0.05,
    p99Off: 0.01,
    halfWithin: 0.2,
    originCopies: 1.23456,
  },
]`)
  expect(comparedText([{ ...agreed, modelHash: 'abc' }])).toContain(`
    originCopies: 1.23456,
    modelHash: 'abc',
  },
]`)
})

test.each(COMPARED)('the model is the one that was compared: %o', ({ bytes, nodes, modelHash }) => {
  if (modelHash === undefined) return
  const toDo =
    'src/sim/planner/compared.ts tells of another model: `npm run bench -- planner` compares this one'
  expect(runOne(comparedQuestion(bytes, nodes, 1), () => {}).hash, toDo).toBe(modelHash)
})

// 8 blocks a round trip are two thirds more where each is 256 KiB instead of 150.
test('both are asked for blocks of the same size where round trips bound how fast they are', () => {
  const { p50, p99, modelHash } = agree(4 * 2 ** 20, 3, 1)
  expect(Math.abs(p50.off)).toBeLessThanOrEqual(MOST_OFF)
  expect(Math.abs(p99.off)).toBeLessThanOrEqual(MOST_OFF)
  expect(modelHash).toBe(runOne(comparedQuestion(4 * 2 ** 20, 3, 1), () => {}).hash)
})
