import { expect, test } from 'vitest'
import { Awaited } from '../../../src/sim/planner/awaited.ts'
import { PLACES, placeOf } from '../../../src/sim/planner/fleet.ts'
import { MANIFEST } from '../../../src/sim/planner/holdings.ts'
import { KINDS, twoRegions } from './two-regions.ts'

const BLOCKS = 31
/** Of these nine blocks take 94 ms, or 19. */
const SLOW = 2e8
const FAST = 1e9

/** A gateway at which one of the other region waits for every block, in turn. */
function gateway(upBits: number, more: { sole?: true } = {}) {
  const model = twoRegions(BLOCKS, upBits)
  const { holdings, uploads, home, away, entry, said } = model
  const [at, near] = home as [number, number]
  const [from] = away as [number]
  const served: number[] = []
  const awaited = new Awaited(
    { ...model.parts, serve: (_node, _to, block) => served.push(block) },
    BLOCKS,
    KINDS.putOff,
  )
  if (more.sole) for (const other of home.slice(1)) entry.lose(other, false)
  return {
    ...{ awaited, holdings, uploads, at, near, from, served },
    want: (...blocks: number[]) => {
      for (const block of blocks) awaited.onWant(at, from, block)
    },
    get: (...blocks: number[]) => {
      for (const block of blocks) {
        holdings.acquire(at, block)
        awaited.onBlock(at, block)
      }
    },
    leave: (blocks: number) => {
      for (let n = 0; n < blocks; n++) {
        uploads.next(at)
        awaited.onLeft(at)
      }
    },
    putOff: () =>
      said(KINDS.putOff)
        .map(({ block }) => block)
        .sort((a, b) => a - b),
    timesPutOff: () => said(KINDS.putOff).map(({ more: times }) => times),
  }
}
const to = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n)

test('where more than eight blocks wait for another region, what is not there yet is put off', () => {
  const { want, get, putOff } = gateway(SLOW)
  want(...to(1, 20))
  // The first is on its way, eight wait.
  get(...to(1, 9))
  expect(putOff()).toEqual([])
  get(10)
  expect(putOff()).toEqual(to(11, 20))
  want(21)
  expect(putOff()).toEqual([21])
})

test('what is there is not', () => {
  const { want, get, putOff, uploads, at } = gateway(SLOW)
  get(...to(1, 12))
  want(...to(1, 12))
  expect(putOff()).toEqual([])
  expect(uploads.abroad(at)).toBe(11)
  want(13)
  expect(putOff()).toEqual([13])
})

test('nor where so many leave within 50 ms', () => {
  const { want, get, putOff } = gateway(FAST)
  want(...to(1, 20))
  get(...to(1, 10))
  want(21)
  expect(putOff()).toEqual([])
})

test('nor where the region has no other gateway', () => {
  const { want, get, putOff } = gateway(SLOW, { sole: true })
  want(...to(1, 20))
  get(...to(1, 12))
  expect(putOff()).toEqual([])
})

test('that goes on until nothing waits there for another region', () => {
  const { want, get, leave, putOff } = gateway(SLOW)
  want(...to(1, 10))
  get(...to(1, 10))
  leave(8)
  want(11)
  expect(putOff()).toEqual([11])
  leave(1)
  want(12)
  expect(putOff()).toEqual([])
})

test('the third that is asked takes it', () => {
  const { want, get, putOff, timesPutOff, uploads, at } = gateway(SLOW)
  want(...to(1, 10))
  get(...to(1, 10))
  want(11, 11)
  expect(timesPutOff()).toEqual([1, 2])
  want(11)
  expect(putOff()).toEqual([])
  const before = uploads.abroad(at)
  get(11)
  expect(uploads.abroad(at)).toBe(before + 1)
})

test('nor is it put off once more where it stands', () => {
  const { want, get, leave, putOff } = gateway(SLOW)
  want(...to(1, 10))
  get(...to(1, 10))
  want(11, 11, 11)
  leave(9)
  putOff()
  want(...to(12, 22))
  get(...to(12, 20))
  expect(putOff()).toEqual([21, 22])
})

test('whom the origin sent there gets the block, whatever waits for other regions', () => {
  const { awaited, want, get, putOff, at, near, served } = gateway(SLOW)
  awaited.onWant(at, near, 11)
  want(...to(1, 10))
  get(...to(1, 10))
  expect(putOff()).toEqual([])
  get(11)
  expect(served).toEqual([11])
})

test('what another region waits for is asked of neighbours first, once the manifest is there', () => {
  const { awaited, want, get, holdings, at, near } = gateway(FAST)
  const edge = placeOf(twoRegions(BLOCKS).fleet, at, near) - at * PLACES
  for (const block of to(0, 30)) holdings.tell(at, edge, block)
  want(17, 5)
  const chosen = (): number => awaited.choose(at, Uint8Array.of(edge), 1)
  expect(chosen()).toBe(MANIFEST)
  get(MANIFEST)
  expect(chosen()).toBe(17)
  holdings.ask(at, 17)
  expect(chosen()).toBe(5)
})
