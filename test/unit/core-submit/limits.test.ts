/** A seed's own limits may be lower than those that are built in: whoever submits hears which one a release is over. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Limits } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { make, withLimits } from '../core/fleet.ts'
import { refusal, replies, SubmitNode } from './submit-node.ts'

test.each([
  [{ maxFiles: 1 }, 'LIMIT_CONTENT', 'header.files: 2 is above 1'],
  [{ maxEnvelopeBytes: 50 }, 'LIMIT_BYTES', 'bytes, at most 50 are taken'],
] as const)('more than this seed takes, %j: who submits is told which limit it is', (less, code, why) => {
  const node = new SubmitNode({ limits: withLimits(less) })
  const { envelope } = make({ clock: { alice: 1 }, header: { files: 2, bytes: 3 } })
  const text = expect.stringMatching(`${why}.*, a limit of this seed .* name another seed`)
  expect(replies(node.settled(node.ask({ type: 'submit', envelope })))).toEqual([
    { type: 'refused', code, text },
  ])
})

const BLOCK_BYTES = 100_000
const THREE = ['a', 'b', 'c'].map((letter) => letter.repeat(BLOCK_BYTES))

/** What a seed that may have so much under way answers to the only page of a release of these blocks, some of which it has. */
function paged(
  texts: readonly string[],
  bound: (made: ReturnType<typeof make>) => Partial<Limits>,
  blocks: ReadonlySet<Digest> = new Set(),
) {
  const [text = '', ...also] = texts
  const made = make({ clock: { alice: 1 }, text, also })
  const node = new SubmitNode({ limits: withLimits(bound(made)) }, { blocks })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  const sent = node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  // what is too large to travel with its announcement is read for the manifest
  const digest = sha256(made.page)
  return {
    node,
    made,
    told: node.settled([...sent, ...node.handle({ kind: 'blockRead', digest, bytes: made.page })]),
  }
}

test.each(['maxStagedBytes', 'maxStagedBytesPerAddress'] as const)(
  'a release that is more than %s by itself is refused before a block of it is asked for',
  (name) => {
    const two = paged(THREE, () => ({ [name]: 2 * BLOCK_BYTES }))
    const text = ` may be under way (limits.${name}), a limit of this seed (docs/limits.md); name another seed`
    expect(replies(two.told)).toEqual([
      { type: 'refused', code: 'LIMIT_CONTENT', text: expect.stringContaining(text) },
    ])
    const bytes = two.made.block
    expect(refusal(two.node.ask({ type: 'block', release: two.made.id, bytes }))).toBe('ORDER_PLACE_TAKEN')
    const withoutPage = paged(THREE, ({ page }) => ({ [name]: page.length + 3 * BLOCK_BYTES - 1 }))
    expect(refusal(withoutPage.told)).toBe('LIMIT_CONTENT')
    const all = paged(THREE, ({ page }) => ({ [name]: page.length + 3 * BLOCK_BYTES }))
    expect(replies(all.told)).toMatchObject([{ type: 'need', blocks: { length: 3 } }])
  },
)

test('a block that it names often counts once', () => {
  const [often = ''] = THREE
  const { told } = paged([often, often, often], ({ page }) => ({ maxStagedBytes: page.length + BLOCK_BYTES }))
  expect(replies(told)).toMatchObject([{ type: 'need', blocks: { length: 1 } }])
})

test('what is here already has not to come', () => {
  const here = sha256(new TextEncoder().encode(THREE[0]))
  const { told } = paged(
    THREE,
    ({ page }) => ({ maxStagedBytes: page.length + 2 * BLOCK_BYTES }),
    new Set([here]),
  )
  expect(replies(told)).toMatchObject([{ type: 'need', blocks: { length: 2 } }])
})
