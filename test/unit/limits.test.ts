import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { limitsDocument } from '../../scripts/limits-text.ts'
import { LIMITS } from '../../src/limits.ts'

const written = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8')

test('docs/limits.md is what src/limits.ts says; npm run docs:limits writes it', () => {
  expect(written).toBe(limitsDocument())
})

test('every limit stands in it once, with its reason and what exceeding it costs', () => {
  const rows = [...written.matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(LIMITS))
  // a comment above it in src/limits.ts, or a line in scripts/limits-reasons.ts
  expect(rows.filter(([, , , reason]) => reason === '-').map(([, name]) => name)).toEqual([])
})

test('what peers can make a node hold is below two gibibytes, whatever they do', () => {
  const [, mebibytes] = /\*\*together\*\* \| \| \*\*(\d+) MiB/.exec(written) ?? []
  expect(Number(mebibytes)).toBeGreaterThan(0)
  expect(Number(mebibytes)).toBeLessThan(2_048)
})
