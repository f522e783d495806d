/** Of several releases that are under way at once, which is asked for first. */
import { expect, test } from 'vitest'
import { Goes } from '../../../src/core/fetch/goes.ts'
import type { FetchJob } from '../../../src/core/fetch/job.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { fetcher, OTHER, type Want } from './fetcher.ts'

const job = (size: number): FetchJob => ({ missing: { size } }) as FetchJob

test('what lacks least goes first, of equal ones what was begun first, and for each fourth place all are in that order', () => {
  const [large, one, other, small] = [job(900), job(20), job(20), job(2)]
  const every = [large, one, other, small]
  const goes = new Goes(4)
  const least = [small, one, other, large]
  const places = Array.from({ length: 8 }, () => {
    // A go that finds no place free takes nobody's turn.
    expect(goes.next(every)).toEqual(goes.next(every))
    const go = goes.next(every)
    goes.gave()
    return go
  })
  expect(places).toEqual([least, least, least, every, least, least, least, every])
  expect([goes.next([large]), goes.next([])]).toEqual([[large], []])
})

test('of more than fit in a go those are sorted whose turn it is', () => {
  const every = [9, 8, 7, 6, 5].map(job)
  const goes = new Goes(2)
  expect(goes.next(every).map(({ missing }) => missing.size)).toEqual([8, 9])
  expect(goes.areOthersLeft).toBe(true)
  expect(goes.next(every, every[4]).map(({ missing }) => missing.size)).toEqual([5, 6, 7])
})

/** A release of a hundred blocks is under way, then another of these, and one neighbour has both. */
function both(texts: string[]) {
  const node = fetcher({ blocks: 100, gateways: [OTHER] })
  const [page] = node.announce(OTHER, [0])
  const places = Array.from({ length: 100 }, (_, at) => at + 1)
  const first = [...node.give(page as Want), ...node.announce(OTHER, places)]
  expect(first).toHaveLength(1)
  const asked = [...first, ...node.another(texts).wants, ...node.announceAnother(OTHER)]
  const ofFirst = new Set<Digest>(node.digests)
  return { node, asked, isOfFirst: ({ digest }: Want) => ofFirst.has(digest) }
}

test('a release of one block does not wait for one of a hundred that was begun before it, from the one neighbour that has both', () => {
  const { node, asked, isOfFirst } = both(['urgent'])
  let before = 0
  for (let next = asked; next.every(isOfFirst) && before < 10; before += 1)
    next = next.flatMap((want) => node.keep(want))
  // The one that was under way, and one more where it was the older one's turn.
  expect(before).toBeLessThanOrEqual(2)
})

test('and that one has a share of the places all the while', () => {
  const { node, asked, isOfFirst } = both(Array.from({ length: 60 }, (_, at) => `other ${at}`))
  const places: boolean[] = []
  for (let next = asked; places.length < 40; next = next.flatMap((want) => node.keep(want)))
    places.push(...next.map(isOfFirst))
  expect(places.filter(Boolean).length).toBeGreaterThanOrEqual(9)
  expect(places.filter(Boolean).length).toBeLessThanOrEqual(12)
})
