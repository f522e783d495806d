/** A gateway of another region that says nothing: when it counts as silent, and who is asked then. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SELF, type Want } from './fetcher.ts'

const SILENT_MS = LIMITS.blockSilenceMs + LIMITS.borderSilenceMs
const STEP_MS = 10
const abroad = [peer('far'), peer('farther'), peer('farthest')]

/** The only gateway of its region has asked for all that it is to bring in, of three of another region. */
function region({ neighbours = [] as readonly PeerId[] } = {}) {
  const seeds = [peer('seed')]
  const node = fetcher({ blocks: 12, gateways: [SELF], abroad, seeds, seedRegion: 'us', neighbours })
  const wants = node.started.flatMap((page) => node.give(page))
  const of = (far: Want['to']) => wants.filter(({ to }) => to === far)
  const [mine, ...rest] = of(peer('far'))
  const [theirs] = of(peer('farther'))
  if (mine === undefined || theirs === undefined) throw new Error('two are not asked')
  /** @returns after how long it is asked of another, and of whom */
  const asked = (digest: Digest | 'any', mostMs: number, meanwhile: (ms: number) => void = () => {}) => {
    for (let ms = STEP_MS; ms <= mostMs; ms += STEP_MS) {
      meanwhile(ms)
      const again = node.tick(STEP_MS).find((want) => digest === 'any' || want.digest === digest)
      if (again !== undefined) return { ms, to: again.to }
    }
    return undefined
  }
  return { node, wants, mine, rest, theirs, asked }
}

describe('where blocks come over the border', () => {
  test('who says nothing counts as silent without the time for which a want may stand', () => {
    const { node, mine, theirs, asked } = region()
    node.tick(STEP_MS)
    node.give(theirs)
    expect(asked(mine.digest, 5_000)?.ms).toBe(SILENT_MS - STEP_MS)
  })

  test.each([
    ['says something', (node: ReturnType<typeof fetcher>) => node.spoke(peer('far'))],
    ['answers something', (node: ReturnType<typeof fetcher>, want: Want) => node.give(want)],
  ])('who %s has as long again, and no longer than a want may stand', (_, says) => {
    const { node, mine, rest, theirs, asked } = region()
    node.tick(STEP_MS)
    node.give(theirs)
    const said = asked(mine.digest, 5_000, (ms) => {
      if (ms === 500) says(node, rest[0] as Want)
    })
    expect(said?.ms).toBe(500 + SILENT_MS - STEP_MS)
  })

  test('who gives signs of life has the time for which a want may stand, and no more', () => {
    const { node, mine, theirs, asked } = region()
    node.tick(STEP_MS)
    node.give(theirs)
    const said = asked(mine.digest, 5_000, () => void node.spoke(peer('far')))
    expect(said?.ms).toBe(SILENT_MS + LIMITS.standMs - STEP_MS)
  })
})

test('where nothing comes over the border at all it may be the way, and the time is the same for all', () => {
  const { asked } = region()
  expect(asked('any', 5_000)?.ms).toBe(SILENT_MS + LIMITS.standMs)
})

test('what a neighbour has by now is asked of it, though another region owes it', () => {
  const { node, mine, rest, asked } = region()
  node.tick(LIMITS.hedgeMs)
  node.announce(OTHER, [node.digests.indexOf(mine.digest) + 1])
  expect(asked(mine.digest, 500)).toMatchObject({ to: OTHER })
  expect(asked((rest[0] as Want).digest, 500)).toBeUndefined()
})

test('nor is it asked for twice while those are left alone that have it by now, and of them once they are not', () => {
  const free = peer('free')
  const { node, wants, mine, rest, asked } = region({ neighbours: [free] })
  const [busy] = rest as [Want]
  const others = wants.filter((want) => want !== mine && want !== busy)
  const places = (wants: readonly Want[]) => wants.map(({ digest }) => node.digests.indexOf(digest) + 1)
  node.tick(LIMITS.hedgeMs)
  node.announce(OTHER, places([busy]))
  const [again] = node.tick(STEP_MS)
  expect(again).toMatchObject({ to: OTHER, digest: busy.digest })
  // drawn the lower half of it
  node.answer((again as Want).id, { type: 'busy', retryAfterMs: 2_000 })
  // more than may be asked for twice
  node.announce(OTHER, places(others))
  expect(asked('any', 500)).toBeUndefined()
  node.announce(free, places([mine]))
  expect(asked(mine.digest, STEP_MS)).toMatchObject({ to: free })
  expect(asked((others[0] as Want).digest, 500)).toMatchObject({ to: OTHER })
})
