/** What peers may cost a node that gives its blocks away: places, wants that stand, and words. */
import { expect, test } from 'vitest'
import { MAX_PLACES } from '../../../src/core/holders.ts'
import { LIMITS } from '../../../src/limits.ts'
import { hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { server } from './server.ts'

const digest = (at: number) => at.toString(16).padStart(64, '0') as ReturnType<typeof hex>

test('a place whose block never leaves is free again after as long as a block may take', () => {
  const node = server()
  link(node.journey, 'A')
  node.journey.here.add(hex('a'))
  // Somebody else would be let by.
  expect([node.want(1, 'A'), node.want(2, 'A')]).toEqual([['serve 1'], []])
  expect(node.tick(LIMITS.blockDeadlineMs - 1)).toEqual([])
  // Whatever that tick came for.
  expect(node.wakeMonoMs()).toBe(LIMITS.blockDeadlineMs)
  expect(node.tick(LIMITS.blockDeadlineMs)).toEqual(['serve 2'])
})

test('of one peer only so many wants stand, and of all together', () => {
  const node = server(false, 1, { maxWantsPerSeed: 2, maxStanding: 3 })
  for (const name of ['A', 'B', 'C']) link(node.journey, name)
  for (let at = 0; at < 4; at += 1) node.coming.add(digest(at))
  expect([1, 2, 3].flatMap((id) => node.want(id, 'A', digest(id)))).toEqual(['busy 3'])
  expect(node.want(4, 'B', digest(1))).toEqual([])
  expect(node.want(5, 'C', digest(1))).toEqual(['busy 5'])
})

test('what stood for a peer that has left is given to nobody, and keeps no place', () => {
  const node = server(false, 1, { maxStanding: 1 })
  for (const name of ['A', 'B']) link(node.journey, name)
  node.coming.add(hex('a'))
  expect(node.want(1, 'A')).toEqual([])
  node.gone(peer('A'))
  expect(node.want(2, 'B')).toEqual([])
  expect(node.block(hex('a'))).toEqual(['serve 2'])
})

/** What one costs that names all places, in single ones: so many are looked at, however few are set. */
const DEAREST = 65
const ALL_PLACES = { whole: false, ranges: [0, MAX_PLACES] }

test('announcements beyond what a peer may send are not looked at', () => {
  const most = DEAREST + 3
  const node = server(false, 1, { announcementsPerSecond: 1, announcementsBurst: most })
  for (const name of ['A', 'B']) link(node.journey, name)
  for (let at = 0; at < 2 * most; at += 1) node.holds('A')
  expect(node.announced).toEqual(Array.from({ length: most }, () => peer('A')))
  node.holds('B')
  expect(node.announced.at(-1)).toBe(peer('B'))
  node.tick(1_000)
  node.holds('A')
  expect(node.announced.filter((one) => one === peer('A'))).toHaveLength(most + 1)
})

test('and one that names all the places that it may is, however few are at once', () => {
  const node = server(false, 1, { announcementsPerSecond: 1, announcementsBurst: 1 })
  link(node.journey, 'A')
  for (let times = 0; times < 2; times += 1) node.holds('A', ALL_PLACES)
  expect(node.announced).toHaveLength(1)
  node.tick((DEAREST - 1) * 1_000)
  node.holds('A', ALL_PLACES)
  expect(node.announced).toHaveLength(1)
  node.tick(DEAREST * 1_000)
  node.holds('A', ALL_PLACES)
  expect(node.announced).toHaveLength(2)
})
