/** Who is near is asked before anybody over the border, and seeds alone bring home what was given elsewhere. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SELF } from './fetcher.ts'

const FAR = peer('far')

/** A node that is no gateway; OTHER, a neighbour, is there, and a node of the region that feeds this one. */
const late = () => fetcher({ self: peer('nobody'), gateways: [OTHER], seeds: [], abroad: [FAR], blocks: 40 })

test('what a neighbour has is not taken over the border', () => {
  const node = late()
  const all = Array.from({ length: 41 }, (_, at) => at)
  const wants = node.announce(OTHER, all).flatMap(node.give)
  expect(wants.map(({ to }) => to)).toEqual([OTHER])
  expect([...node.announce(FAR, all), ...node.tick(LIMITS.repairMs / 8)]).toEqual([])
})

test('that somebody far gives all of it keeps no neighbour from being asked what it has', () => {
  const node = late()
  const all = Array.from({ length: 41 }, (_, at) => at)
  const open = node.announce(FAR, all)
  node.noted()
  node.asked.length = 0
  for (let ms = 0; ms < 1_500; ms += 50) {
    const [want] = open.splice(0, 1)
    if (want === undefined) throw new Error('the release is whole before a neighbour was asked')
    open.push(...node.give(want), ...node.tick(50), ...node.noted())
  }
  expect(node.asked).toContain(OTHER)
})

test('a seed asks those of other regions each other time, an ordinary node none of them', () => {
  const asked = (submit: boolean): readonly string[] => {
    const node = fetcher({ self: SELF, submit, gateways: [], seeds: [], abroad: [FAR] })
    for (let ms = 0; ms < 8_000; ms += 50) {
      node.tick(50)
      node.noted()
    }
    return node.asked
  }
  expect(asked(true)).toContain(FAR)
  expect(asked(true)).toContain(OTHER)
  expect(asked(false)).toContain(OTHER)
  expect(asked(false)).not.toContain(FAR)
})

test('those far have their turn, however few are near', () => {
  const abroad = Array.from({ length: 9 }, (_, at) => peer(`far${at}`))
  const node = fetcher({ self: SELF, submit: true, gateways: [], seeds: [], abroad })
  for (let ms = 0; ms < 20_000; ms += 50) {
    node.tick(50)
    node.noted()
  }
  expect(abroad.filter((one) => !node.asked.includes(one))).toEqual([])
})

test('a seed looks for who has it while other seeds, which may lack it as well, are asked for all of it', () => {
  const seeds = [peer('seed a'), peer('seed b')]
  const node = fetcher({ self: SELF, submit: true, gateways: [], seeds, seedRegion: 'us', abroad: [FAR] })
  expect(new Set(node.started.map(({ to }) => seeds.includes(to)))).toEqual(new Set([true]))
  // before any of them counts as silent, over a border
  const silentMs = LIMITS.blockSilenceMs + LIMITS.borderSilenceMs + LIMITS.standMs
  for (let ms = 0; ms < silentMs - 100; ms += 50) {
    node.tick(50)
    node.noted()
  }
  expect(node.asked).toContain(FAR)
})

test('what somebody has is asked of a seed all the same, but of none that was asked in vain', () => {
  const seed = peer('seed a')
  const node = fetcher({ self: SELF, submit: true, gateways: [], seeds: [], abroad: [FAR], blocks: 40 })
  const all = Array.from({ length: 41 }, (_, at) => at)
  for (const page of node.announce(FAR, all)) node.give(page)
  const wants = node.joined(seed)
  expect(wants.map(({ to }) => to)).toEqual(Array(LIMITS.maxWantsPerSeed).fill(seed))
  for (const { id } of wants) node.answer(id, { type: 'busy', retryAfterMs: 5 })
  const later = Array.from({ length: 8 }, () => node.tick(50)).flat()
  expect(later.filter(({ to }) => to === seed)).toEqual([])
})

test('a neighbour that says it has all, and is busy for ever, keeps nothing from coming over the border', () => {
  const node = late()
  const all = Array.from({ length: 41 }, (_, at) => at)
  const [page] = node.announce(OTHER, all)
  const [first] = page === undefined ? [] : node.give(page)
  if (first === undefined) throw new Error('nothing is asked of the neighbour')
  node.answer(first.id, { type: 'busy', retryAfterMs: LIMITS.blockDeadlineMs })
  expect(node.announce(FAR, all).map(({ to }) => to)).toEqual(Array(LIMITS.maxWantsPerSeed).fill(FAR))
})
