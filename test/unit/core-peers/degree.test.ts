import { expect, it } from 'vitest'
import { type Candidate, chooseDials, countLinks, type Link } from '../../../src/core/degree.ts'
import type { Pattern, PeerId } from '../../../src/model/ids.ts'
import { limitsOf, numbers } from './fakes.ts'

const patterns = ['**' as Pattern]
const self = { region: 'eu', patterns }
const limits = limitsOf({ minDegree: 2, minOutbound: 0, outsideDegree: 0, hardDegree: 4 })
const member = (at: number, identity = 'pool'): Candidate => ({
  peer: `${identity} ${at}` as PeerId,
  region: 'eu',
  patterns,
  identity,
  gone: false,
})
const link = (identity: string): Link => ({ region: 'eu', patterns, direction: 'outbound', identity })
const chosen = (links: readonly Link[], candidates: readonly Candidate[]): string[] =>
  chooseDials(self, countLinks(self, links, limits), candidates, numbers(), limits).map(({ peer }) => peer)

const others = [member(1), member(2), member(3)]

it('a node whose links are all of one pool dials one of another, where one is known', () => {
  expect(chosen([link('pool'), link('pool')], [...others, member(1, 'x')])).toEqual(['x 1'])
  expect(chosen([link('pool'), link('x')], [...others, member(1, 'x')])).toEqual([])
  expect(chosen([link('pool'), link('pool')], others)).toEqual([])
})

it('the few of another pool are not run over by all the rest', () => {
  const many = Array.from({ length: 4 }, (_, at) => member(at))
  expect(chosen([link('pool'), link('pool')], [...many, member(1, 'x')])).toEqual([])
})

it('of those that serve alike whoever is gone is dialled last, and is dialled', () => {
  const gone = Array.from({ length: 8 }, (_, at) => ({ ...member(at, 'gone'), gone: true }))
  expect(chosen([], [...gone, member(1), member(2)]).sort()).toEqual(['pool 1', 'pool 2'])
  const far = { ...member(1), region: 'us' }
  expect(chosen([], [...gone, far]).filter((name) => name.startsWith('gone'))).toHaveLength(2)
})
