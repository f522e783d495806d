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
