import { expect, test } from 'vitest'
import { commitOf, type Result, table } from '../../../bench/results.ts'
import { spread } from '../../../bench/spread.ts'

const RESULT: Result = {
  ...{
    bench: 'wire',
    command: 'npm run bench -- wire',
    date: '2026-11-29T08:04:01.012Z',
    commit: '3cfe03a9df',
  },
  machine: { cores: 2, cpu: 'AMD EPYC', memoryGiB: 24, node: 'v24.21.0' },
  load: { before: 1, after: 2 },
  about: ['real processes'],
  ...{ rows: [{ what: 'missed', figure: '0' }], figures: {} },
}

test('the table says of each result which build it is of, and where nobody knows', () => {
  const { commit: _, ...old } = RESULT
  const lines = table([RESULT, { ...old, command: 'npm run bench -- old' }]).split('\n')
  expect(lines.filter((line) => line.startsWith('`npm run bench'))).toEqual([
    '`npm run bench -- wire`, 2026-11-29T08:04:01.012Z, commit 3cfe03a9df, 2 cores (AMD EPYC), 24 GiB, Node v24.21.0, load average 1 before and 2 after.',
    '`npm run bench -- old`, 2026-11-29T08:04:01.012Z, commit unknown, 2 cores (AMD EPYC), 24 GiB, Node v24.21.0, load average 1 before and 2 after.',
  ])
})

test('a result says where the build changed while it was measured', () => {
  expect(commitOf('3cfe03a9df', '3cfe03a9df')).toBe('3cfe03a9df')
  expect(commitOf('3cfe03a9df and changes', '3cfe03a9df')).toBe(
    '3cfe03a9df, at the end 3cfe03a9df and changes',
  )
})

test('of an even number of rounds the middle is not the better one', () => {
  expect(spread([1.94, 1.22], 2)).toEqual({ n: 2, min: 1.22, p50: 1.94, p99: 1.94, max: 1.94 })
  expect(spread([3, 1, 2])).toMatchObject({ p50: 2 })
})
