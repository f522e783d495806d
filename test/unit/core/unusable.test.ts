/** Content that this node cannot take by a limit of its own: the release counts, and nobody is blamed. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeReleaseGossip, encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { gossip, type Made, make, withLimits } from './fleet.ts'

const made = make({ clock: { alice: 1 }, also: 'b=2\n' })
const [page, block, also] = [...made.content.values()] as [Uint8Array, Uint8Array, Uint8Array]

function hear(
  less: Partial<Limits>,
  attached: readonly Uint8Array[],
  release: Pick<Made, 'envelope'> = made,
) {
  const node = new BenchNode({ limits: withLimits(less) })
  node.start()
  const effects = node.handle(gossip(release, attached))
  return {
    verdict: ofKind(effects, 'verdict').map(({ verdict }) => verdict),
    isOrdered: node.heard.some((line) => line.startsWith('ordered NEW')),
    notes: ofKind(effects, 'note').map(({ level, code }) => `${level} ${code}`),
    said: ofKind(effects, 'publish').map(({ bytes }) => decodeReleaseGossip(bytes, LIMITS)),
    hasContent: ofKind(effects, 'persist').some(({ writes }) => writes.some(({ kind }) => kind === 'block')),
  }
}

test.each<[string, Partial<Limits>, readonly Uint8Array[], string]>([
  ['relays what is right all the same', { maxPathSegmentBytes: 5 }, [page, block, also], 'accept'],
  ['relays it where its page is too long', { maxPageBytes: page.length - 1 }, [page, block, also], 'accept'],
])('a node that is not to take it %s', (_, less, attached, verdict) => {
  expect(hear(less, attached)).toMatchObject({
    ...{ verdict: [verdict], isOrdered: true, hasContent: false },
    said: [],
  })
})

test('what no limit lets it judge it takes the release from, which it passes on by itself', () => {
  const size = LIMITS.maxBlockBytes + 1
  const file = {
    path: 'a.conf',
    mode: 0o444,
    size,
    digest: sha256(block),
    blocks: [{ digest: sha256(block), size }],
  } as const
  const long = encodePage([file])
  const over = make({ clock: { alice: 1 }, header: { pages: [sha256(long)], files: 1, bytes: size } })
  expect(hear({}, [long, block], over)).toEqual({
    verdict: ['ignore'],
    isOrdered: true,
    hasContent: false,
    notes: expect.arrayContaining(['debug LIMIT_CONTENT']),
    said: [{ envelope: over.envelope, attached: [] }],
  })
})

test('what is not that of the release is wrong for all', () => {
  expect(hear({ maxPathSegmentBytes: 5 }, [page, also, block])).toMatchObject({
    verdict: ['reject'],
    isOrdered: false,
  })
})

test('where more is attached than this node takes at all, the release counts, and it is passed on by itself', () => {
  const { length } = encodeReleaseGossip({ envelope: made.envelope, attached: [page, block, also] })
  expect(hear({ maxInlineBytes: length - 1 }, [page, also, block])).toEqual({
    verdict: ['ignore'],
    isOrdered: true,
    hasContent: false,
    notes: expect.arrayContaining(['debug LIMIT_BYTES']),
    said: [{ envelope: made.envelope, attached: [] }],
  })
  expect(hear({ maxInlineBytes: length }, [page, block, also])).toMatchObject({
    verdict: ['accept'],
    isOrdered: true,
    hasContent: true,
  })
})
