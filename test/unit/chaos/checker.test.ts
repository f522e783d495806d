/** A checker that cannot fail proves nothing: each rule of chaos is shown a fleet that breaks it. */
import { beforeEach, describe, expect, test } from 'vitest'
import { Checker } from '../../../scripts/chaos/checker.ts'
import {
  type Answer,
  type ChannelSeen,
  contentOf,
  FILES,
  type FilesSeen,
  type Label,
  type Place,
} from '../../../scripts/chaos/facts.ts'

const MINUTE_MS = 60_000
const CALM_MS = 60 * MINUTE_MS

interface Release extends Label {
  readonly id: string
  readonly place: Place
}

const release = (publisher: string, number: number, counter: number): Release => ({
  ...{ publisher, number },
  id: `${publisher.charCodeAt(0).toString(16)}${number}`.padStart(64, '0'),
  place: { epoch: 1, counter, publisher },
})
const [first, second, third] = [release('anna', 1, 1), release('bert', 1, 2), release('anna', 2, 3)]
const clockOf = ({ place }: Release) => ({ other: place.counter - 1, [place.publisher]: place.counter })
const tree = ({ id }: Release): string => `.releases/${id}`

const files = (shown: Release, more: Partial<FilesSeen> = {}): FilesSeen => ({
  tree: tree(shown),
  treeAfter: tree(shown),
  texts: FILES.map((file) => contentOf(shown, file)),
  floor: shown.place,
  ...more,
})
const answer = (served: Release, more: Partial<Answer> = {}): Answer => ({
  status: 200,
  release: served.id,
  text: contentOf(served, FILES[0]),
  treeBefore: tree(served),
  treeAfter: tree(served),
  ...more,
})
const refusal = { status: 410, release: undefined, text: 'CONTENT_GONE' }
const view = (active: Release, more: Partial<ChannelSeen> = {}): ChannelSeen => ({
  active: { release: active.id, clock: clockOf(active) },
  state: 'active',
  gate: null,
  history: [],
  ...more,
})

let checker: Checker
beforeEach(() => {
  checker = new Checker(1)
  for (const label of [first, second, third]) {
    checker.published(label)
    checker.channel('elsewhere', view(label))
  }
})

/** What is seen of one member, a second apart, in calm. */
function see(...seen: readonly (FilesSeen | Answer)[]): readonly string[] {
  for (const [at, one] of seen.entries())
    if ('status' in one) checker.answer('node', one, CALM_MS, at * 1_000)
    else checker.files('node', one)
  return checker.broken
}

test('a history as it should be breaks nothing', () => {
  checker.acknowledged(first.id, clockOf(first), 0)
  see(files(first), answer(first), files(second), answer(first, { treeBefore: tree(second) }), answer(second))
  see(files(third, { tree: `${tree(third)}.1`, treeAfter: `${tree(third)}.1` }), answer(third))
  checker.channel('node', view(third))
  checker.progress('node', CALM_MS, CALM_MS)
  expect(checker.unsettled('node', files(third), view(third))).toBeUndefined()
  expect(checker.inOrder()).toBe(0)
  expect(checker.broken).toEqual([])
})

describe('files', () => {
  test.each<[string, readonly FilesSeen[], RegExp]>([
    [
      'go back to an older release',
      [files(second), files(first, { floor: second.place })],
      /shows 1 of anna .* after 2 of bert/,
    ],
    [
      'of two releases',
      [
        files(second, {
          texts: [contentOf(second, FILES[0]), contentOf(first, FILES[1]), contentOf(second, FILES[2])],
        }),
      ],
      /a mix .*bert 1, anna 1/,
    ],
    [
      'cut short',
      [files(first, { texts: FILES.map((file) => contentOf(first, file).slice(0, -1)) })],
      /a mix .*no release/,
    ],
    ['that nobody published', [files(release('eve', 1, 9))], /eve 1, which nobody published/],
    [
      'of another release than the tree says',
      [files(first), files(second, { tree: tree(first), treeAfter: tree(first) })],
      /holds bert 1, elsewhere anna 1/,
    ],
    [
      'without one of them',
      [files(first, { texts: [contentOf(first, FILES[0]), undefined, contentOf(first, FILES[2])] })],
      /lacks b\/c.txt/,
    ],
    [
      'gone altogether',
      [files(first), { tree: undefined, treeAfter: undefined, texts: [], floor: first.place }],
      /current is gone/,
    ],
    ['in a place of no release', [files(first, { tree: '../elsewhere' })], /current leads to/],
    ['above the floor', [files(second, { floor: first.place })], /above its floor/],
    [
      'beside a floor that fell',
      [files(first, { floor: third.place }), files(first, { floor: second.place })],
      /floor fell from 3 of anna to 2 of bert/,
    ],
    ['beside a floor that is gone', [files(first), files(first, { floor: 'none' })], /floor is gone/],
    ['beside a damaged floor', [files(first, { floor: 'damaged' })], /floor is damaged/],
  ])('%s', (_, seen, text) => {
    expect(see(...seen)).toContainEqual(expect.stringMatching(text))
  })

  test('a tree that went while it was read is no break, the link moved on', () => {
    const raced = files(first, { treeAfter: tree(third), texts: [undefined, undefined, undefined] })
    expect(see(files(first), raced)).toEqual([])
  })

  test('a floor whose file was removed comes back no lower than what is shown', () => {
    see(files(second, { floor: third.place }))
    checker.floorRemoved('node')
    expect(see(files(second, { floor: 'none' }), files(second))).toEqual([])
    expect(see(files(second, { floor: first.place }))).toHaveLength(2)
  })
})

describe('answers', () => {
  test.each<[string, readonly Answer[], RegExp]>([
    [
      'an older release after a newer',
      [answer(second), answer(first)],
      /serves 1 of anna .* after 2 of bert/,
    ],
    ['bytes of no release', [answer(first, { text: 'anna 1\n' })], /no release: "anna 1/],
    [
      'content of another release than they name',
      [answer(first), answer(second, { release: first.id })],
      /holds bert 1, elsewhere anna 1/,
    ],
    [
      'more than the files show',
      [answer(second, { treeBefore: tree(first), treeAfter: tree(first) })],
      /serves 2 of bert, its files show 1 of anna/,
    ],
    [
      'nothing any more, though nobody damaged its store',
      [answer(first), answer(first, refusal)],
      /answers 410: CONTENT_GONE/,
    ],
    [
      'a failure, though nobody damaged its store',
      [answer(first), answer(first, { ...refusal, status: 503 })],
      /answers 503/,
    ],
  ])('%s', (_, seen, text) => {
    expect(see(...seen)).toContainEqual(expect.stringMatching(text))
  })

  test('what files showed long ago is served', () => {
    const late = answer(first, { treeBefore: tree(second), treeAfter: tree(second) })
    checker.answer('node', late, CALM_MS, 0)
    checker.answer('node', late, CALM_MS, 15_000)
    expect(checker.broken).toEqual([])
    checker.answer('node', late, CALM_MS, 15_001)
    expect(checker.broken).toEqual([expect.stringMatching(/serves 1 of anna long after/)])
  })

  test('a damaged store refuses for a minute in calm at most, and serves no older release', () => {
    see(answer(second))
    checker.storeDamaged('node', 'flipped')
    checker.answer('node', answer(first, refusal), CALM_MS, 0)
    checker.answer('node', answer(first, refusal), 1_000, 2 * MINUTE_MS)
    checker.answer('node', answer(first, refusal), CALM_MS, MINUTE_MS)
    expect(checker.broken).toEqual([])
    checker.answer('node', answer(first, refusal), CALM_MS, MINUTE_MS + 1)
    checker.answer('node', answer(first), CALM_MS, MINUTE_MS + 2)
    expect(checker.broken).toHaveLength(2)
  })

  test('silence of a minute', () => {
    checker.noAnswer('node', CALM_MS, 0)
    checker.noAnswer('node', CALM_MS, MINUTE_MS)
    expect(checker.broken).toEqual([])
    checker.noAnswer('node', CALM_MS, MINUTE_MS + 1)
    expect(checker.broken).toEqual(['node gives no answer for 60 s'])
  })
})

describe('the fleet', () => {
  test('a hold without a liar', () => {
    checker.channel('node', view(first, { state: 'held' }))
    expect(checker.broken).toEqual(['node holds the channel, though no publisher lied'])
  })

  test('two clocks of one release', () => {
    checker.channel('node', view(first, { active: { release: first.id, clock: clockOf(third) } }))
    expect(checker.broken).toEqual([expect.stringMatching(/^node gives .* the clock/)])
  })

  test('a node that was left alone and is behind', () => {
    checker.acknowledged(second.id, clockOf(second), 0)
    see(files(first))
    checker.progress('node', CALM_MS, 2 * MINUTE_MS - 1)
    checker.progress('node', 2 * MINUTE_MS - 1, CALM_MS)
    expect(checker.broken).toEqual([])
    checker.progress('node', 2 * MINUTE_MS, 2 * MINUTE_MS)
    expect(checker.broken).toEqual([expect.stringMatching(/at 1 of anna in calm, 2 of bert is 120 s old/)])
  })

  test('a node that was left alone and shows nothing, but not one whose release nobody has told the place of yet', () => {
    const unknown = release('carl', 1, 9)
    checker.published(unknown)
    checker.acknowledged(second.id, clockOf(second), 0)
    see(files(unknown))
    checker.progress('node', CALM_MS, CALM_MS)
    expect(checker.broken).toEqual([])
    expect(checker.checks['checks of progress']).toBeUndefined()
    checker.progress('another', CALM_MS, CALM_MS)
    expect(checker.broken).toEqual([expect.stringMatching(/another is at nothing in calm/)])
  })

  test('an order that shows only once the places are known', () => {
    const [late, early] = [release('carl', 1, 9), release('dora', 1, 4)]
    for (const label of [late, early]) checker.published(label)
    see(files(late), files(third, { floor: late.place }), files(early, { floor: late.place }))
    expect(checker.inOrder()).toBe(2)
    expect(checker.broken).toEqual([])
    checker.channel(
      'elsewhere',
      view(first, { history: [late, early].map((of) => ({ release: of.id, clock: clockOf(of) })) }),
    )
    expect(checker.inOrder()).toBe(0)
    expect(checker.broken).toEqual([expect.stringMatching(/showed 3 of anna .* after 9 of carl/)])
  })

  test.each<[string, FilesSeen, ChannelSeen | undefined, RegExp]>([
    ['is behind', files(first), view(first), /acknowledged is 3 of anna/],
    [
      'shows nothing',
      { tree: undefined, treeAfter: undefined, texts: [], floor: 'none' },
      view(third),
      /shows nothing/,
    ],
    ['gives no answer', files(third), undefined, /no answer/],
    ['serves something else', files(third), view(first), /API and files differ/],
    ['is stale', files(third), view(third, { state: 'stale' }), /stale/],
    ['waits at a gate', files(third), view(third, { gate: 'read-only' }), /gate read-only/],
  ])('is not settled while a node %s', (_, seen, api, text) => {
    checker.acknowledged(third.id, clockOf(third), 0)
    expect(checker.unsettled('node', seen, api)).toMatch(text)
  })
})
