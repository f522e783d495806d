/** Regions with more gateways than a node has links to. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, SEED, SELF, type Want } from './fetcher.ts'

const LINKED = peer('far linked')
const BEYOND = Array.from({ length: LIMITS.maxGateways - 1 }, (_, at) => peer(`far ${at}`))

/** It alone brings blocks into eu; us feeds it, where the seed is as well. */
const fed = (abroad = [LINKED]) =>
  fetcher({ gateways: [SELF], seedRegion: 'us', abroad, beyondReach: BEYOND, blocks: 60 })

test('a gateway that is not linked is passed over, however many of them are before one that is', () => {
  const node = fed()
  const open = [...node.started]
  const asked: Want[] = []
  for (let want = open.shift(); want !== undefined; want = open.shift()) {
    asked.push(want)
    open.push(...node.give(want))
  }
  expect(asked).toHaveLength(61)
  expect(new Set(asked.map(({ to }) => to))).toEqual(new Set([LINKED]))
})

test('nor is the seed asked while the only one that is linked is busy', () => {
  const node = fed()
  const wants = node.started.flatMap((page) => node.give(page))
  expect(wants).toHaveLength(LIMITS.maxWantsPerSeed)
  const again = wants.flatMap(({ id }) => node.answer(id, { type: 'busy', retryAfterMs: 200 }))
  expect([...again, ...node.tick(50)]).toEqual([])
  expect(new Set(node.tick(400).map(({ to }) => to))).toEqual(new Set([LINKED]))
})

test('it is asked at once where that one lacks the block, or none is linked', () => {
  const lacking = fed()
  const [want] = lacking.started.flatMap((page) => lacking.give(page)) as [Want]
  const [again] = lacking.answer(want.id, { type: 'gone' })
  expect(again).toMatchObject({ to: SEED, digest: want.digest })
  expect(fed([]).started.map(({ to }) => to)).toEqual([SEED])
})
