/** What an entry of a table takes of the heap. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect } from 'vitest'
import { ENTRIES } from '../../scripts/limits-entries.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heldBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** What each of so many entries takes. What comes of code that runs for the first time is made before. */
export function bytesOfOne(entries: number, fill: (from: number, to: number) => unknown): number {
  const first = fill(0, 8)
  const before = heldBytes()
  const more = fill(8, 8 + entries)
  const each = (heldBytes() - before) / entries
  expect([first, more]).not.toContain(undefined) // both are held until here
  return each
}

/** Half as much again is not yet wrong: V8 grows a table by doubling. Twice as much is. */
export function expectAtMost(
  entry: keyof typeof ENTRIES,
  entries: number,
  fill: (from: number, to: number) => unknown,
) {
  const bytes = bytesOfOne(entries, fill)
  expect(bytes, `${entry}: ${Math.round(bytes)} bytes each`).toBeLessThan(1.5 * ENTRIES[entry])
}

/** Fills a table with one entry for each number. */
export const each = <T>(table: T, put: (table: T, at: number) => unknown) => {
  return (from: number, to: number): T => {
    for (let at = from; at < to; at += 1) put(table, at)
    return table
  }
}
