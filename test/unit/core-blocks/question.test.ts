/** Who is asked what it has of a release, and when. */
import { describe, expect, test } from 'vitest'
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

describe('while a neighbour that has all of it gives it', () => {
  /** Linked to that one alone at first; one more comes at a time. */
  const joinedBy = (names: readonly string[], pacedBytes: number, answers = true) => {
    const node = fetcher({ blocks: 100, seeds: [], limits: { pacedBytes } })
    expect(node.asked.splice(0)).toEqual([OTHER])
    let wants = node.noted(true)
    const passes = (ms: number): void => {
      for (let left = ms; left > 0; left -= LIMITS.repairMs)
        wants = [...(answers ? node.noted() : []), ...wants, ...node.tick(LIMITS.repairMs)].flatMap(node.keep)
    }
    for (const name of names) {
      wants.push(...node.joined(peer(name), 'eu', { submit: false }))
      passes(LIMITS.rescueMs)
    }
    passes(3 * LIMITS.rescueMs)
    return { ...node, passes }
  }

  test('whoever is linked later is asked, too, of a large release: it would say nothing', () => {
    expect(joinedBy(['a', 'b', 'c'], 1).asked).toEqual(['a', 'b', 'c'].map(peer))
  })

  test('none is asked while another has yet to answer: on a host that is late questions make it later', () => {
    const { asked, noted, passes } = joinedBy(['a', 'b'], 1, false)
    expect(asked).toEqual([peer('a')])
    noted()
    passes(2 * LIMITS.rescueMs)
    expect(asked).toEqual(['a', 'b'].map(peer))
  })

  test('nobody is asked twice, nor of a release that is not large', () => {
    const { asked, noted, passes } = joinedBy(['a', 'b'], 1)
    noted()
    passes(4 * LIMITS.rescueMs)
    expect(asked).toEqual(['a', 'b'].map(peer))
    expect(joinedBy(['a', 'b'], LIMITS.pacedBytes).asked).toEqual([])
  })
})
