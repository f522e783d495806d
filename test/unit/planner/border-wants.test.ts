import { expect, test } from 'vitest'
import { BorderWants } from '../../../src/sim/planner/border-wants.ts'
import { BLOCK_BYTES, KINDS, twoRegions } from './two-regions.ts'

const BLOCKS = 31
const BLOCK = 7

/** A gateway that has left all its wants with those of the region that feeds its own. */
function asker() {
  const { parts, entry, holdings, said } = twoRegions(BLOCKS)
  const calls = { isInTime: () => true, serve: () => {}, near: () => 0 }
  const sizes = { simulated: BLOCK_BYTES, real: BLOCK_BYTES }
  const border = new BorderWants({ ...parts, ...calls }, BLOCKS, sizes, 1, KINDS)
  const node = entry.fetcher(1, BLOCK)
  const line = [0, 1, 2, 3].map((before) => entry.fetcher(0, BLOCK, before))
  border.onManifest(node)
  said(KINDS.want)
  return {
    ...{ border, entry, holdings, node, line },
    /** Whom the gateway then asks for it. */
    after: (by: number, times: number): readonly number[] => {
      border.onPutOff(node, by, BLOCK, times)
      return said(KINDS.want).map(({ to }) => to)
    },
  }
}

test('a want that is put off goes to the next in line, and then to the third', () => {
  const { line, after } = asker()
  expect(new Set(line).size).toBe(4)
  expect(after(line[0] as number, 1)).toEqual([line[1]])
  expect(after(line[1] as number, 2)).toEqual([line[2]])
})

test('those known to be dead are none of these; where nobody else is left it is the first', () => {
  const { line, after, entry } = asker()
  entry.lose(line[1] as number, true)
  expect(after(line[0] as number, 1)).toEqual([line[2]])
  entry.lose(line[3] as number, true)
  expect(after(line[2] as number, 2)).toEqual([line[0]])
})

test('nor are those that their own region alone knows to be dead left out', () => {
  const { line, after, entry } = asker()
  entry.lose(line[1] as number, false)
  expect(entry.fetcher(0, BLOCK, 1)).toBe(line[2])
  expect(after(line[0] as number, 1)).toEqual([line[1]])
})

test('not where it has come, or was asked of another, meanwhile', () => {
  const { line, after, holdings, node } = asker()
  expect(after(line[3] as number, 1)).toEqual([])
  holdings.acquire(node, BLOCK)
  expect(after(line[0] as number, 1)).toEqual([])
})
