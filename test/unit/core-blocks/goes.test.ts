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

test('a release of one block does not wait for one of a hundred that was begun before it, from the one neighbour that has both', () => {
  const node = fetcher({ blocks: 100, gateways: [OTHER] })
  const [page] = node.announce(OTHER, [0])
  const places = Array.from({ length: 100 }, (_, at) => at + 1)
  let asked: Want[] = [...node.give(page as Want), ...node.announce(OTHER, places)]
  const mine = new Set<Digest>(node.digests)
  expect(asked).toHaveLength(1)
  const begun = node.another(['urgent'])
  asked.push(...begun.wants, ...node.announceAnother(OTHER))
  let before = 0
  while (asked.every(({ digest }) => mine.has(digest)) && before < 10) {
    before += 1
    asked = asked.flatMap((want) => node.keep(want))
  }
  // The one that was under way, and one more where it was the older one's turn.
  expect(before).toBeLessThanOrEqual(2)
})

test('and that one has a share of the places all the while', () => {
  const node = fetcher({ blocks: 100, gateways: [OTHER] })
  const [page] = node.announce(OTHER, [0])
  const places = Array.from({ length: 100 }, (_, at) => at + 1)
  let asked: Want[] = [...node.give(page as Want), ...node.announce(OTHER, places)]
  const mine = new Set<Digest>(node.digests)
  const others = Array.from({ length: 60 }, (_, at) => `other ${at}`)
  asked.push(...node.another(others).wants, ...node.announceAnother(OTHER))
  const isMine: boolean[] = []
  while (isMine.length < 40) {
    isMine.push(...asked.map(({ digest }) => mine.has(digest)))
    asked = asked.flatMap((want) => node.keep(want))
  }
  expect(isMine.filter(Boolean).length).toBeGreaterThanOrEqual(9)
  expect(isMine.filter(Boolean).length).toBeLessThanOrEqual(12)
})
