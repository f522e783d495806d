/** Whoever asks what is here has nothing: it holds back no question of this node's own. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER } from './fetcher.ts'

const NEIGHBOURS = ['a', 'b', 'c', 'd', 'e', 'f'].map(peer)

test('neighbours are asked at once what they have, whoever has asked this node before', () => {
  for (const askers of [[], [OTHER]]) {
    const { asked } = fetcher({ seeds: [], neighbours: NEIGHBOURS, askers })
    expect(asked).toHaveLength(LIMITS.offersAtOnce)
  }
})
