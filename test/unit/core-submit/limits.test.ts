/**
 * A seed's own limits may be lower than those that are built in: whoever submits hears which one a release is over. Or
 * higher: whoever submits reads its answers all the same.
 */
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeReply, encodeReply } from '../../../src/codec/messages.ts'
import { encodePage } from '../../../src/codec/page.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Digest } from '../../../src/model/ids.ts'
import { gossip, make, withLimits } from '../core/fleet.ts'
import { refusal, replies, SubmitNode, writes } from './submit-node.ts'

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

describe('a seed that names more at once than is built in', () => {
  /** As whoever submits or asks has it. */
  const read = (effects: readonly Effect[]) => {
    const [reply] = replies(effects)
    if (reply === undefined) throw new Error('no reply')
    return decodeReply('publish', encodeReply('publish', reply), LIMITS).message
  }

  test('asks for so many blocks that whoever submits can read it, and for the rest then', () => {
    const blocks = Array.from({ length: LIMITS.maxNeed + 76 }, (_, at) => new TextEncoder().encode(`${at}`))
    const refs = blocks.map((bytes) => ({ digest: sha256(bytes), size: bytes.length }))
    const size = refs.reduce((sum, ref) => sum + ref.size, 0)
    const digest = sha256(Buffer.concat(blocks))
    const page = encodePage([{ path: 'a.conf', mode: 0o444, size, digest, blocks: refs }])
    const header = { pages: [sha256(page)], files: 1, bytes: size }
    const { id: release, envelope } = make({ clock: { alice: 1 }, header })
    const node = new SubmitNode({ limits: withLimits({ maxNeed: 1_500 }) })
    node.settled(node.ask({ type: 'submit', envelope }))
    node.settled(node.ask({ type: 'page', release, bytes: page }))
    const need = read(node.handle({ kind: 'blockRead', digest: sha256(page), bytes: page }))
    const digests = refs.map((ref) => ref.digest)
    expect(need).toEqual({ type: 'need', pages: [], blocks: digests.slice(0, LIMITS.maxNeed) })
    const sent = blocks
      .slice(0, LIMITS.maxNeed)
      .map((bytes) => node.settled(node.ask({ type: 'block', release, bytes })))
    expect(read(sent.at(-1) ?? [])).toEqual({
      type: 'need',
      pages: [],
      blocks: digests.slice(LIMITS.maxNeed),
    })
  })

  test('lists so many channels that whoever asks can read it, and says that there are more', () => {
    const node = new SubmitNode({ limits: withLimits({ maxListed: 1_000 }) })
    for (let at = 0; at <= LIMITS.maxListed; at += 1)
      node.handle(gossip(make({ clock: { alice: 1 }, header: { channel: `app/${at}` as Channel } })))
    const list = read(node.ask({ type: 'channels' }))
    expect(list).toMatchObject({ type: 'channels', channels: { length: LIMITS.maxListed }, more: true })
  })
})

test('a seed that takes longer gossip gives what it cannot attach away as any other does: it is written as it comes', () => {
  const made = make({ clock: { alice: 1 }, text: 'x'.repeat(LIMITS.maxInlineBytes) })
  const written = [LIMITS.maxInlineBytes, 2 * LIMITS.maxInlineBytes].map((maxInlineBytes) => {
    const node = new SubmitNode({ limits: withLimits({ maxInlineBytes }) })
    node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
    return writes(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  })
  expect(written).toEqual([['block'], ['block']])
})

test('a path that is longer than this seed takes is told as its limit, and no fault of the release', () => {
  const { told } = paged(['x'], () => ({ maxPathBytes: 1 }))
  const text = expect.stringMatching(
    /^path .*: longer than 1 bytes \(limits\.maxPathBytes\), a limit of this host;/,
  )
  expect(replies(told)).toEqual([{ type: 'refused', code: 'LIMIT_CONTENT', text }])
})
