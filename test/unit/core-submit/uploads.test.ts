/** What a seed does with content that is not as it should be, that it has already, or that its disk loses or refuses. */
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { gossip, type Made, make, SELF, withLimits } from '../core/fleet.ts'
import { ofKind, refusal, replies, SubmitNode, TOOL, writes } from './submit-node.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const LARGE = 'x'.repeat(LIMITS.maxInlineBytes)

interface File {
  readonly text: string
  /** What the manifest says, where that is a lie. */
  readonly size?: number
}
const entryOf = ({ text, size }: File, at: number) => {
  const bytes = utf8(text)
  const ref = { digest: sha256(bytes), size: size ?? bytes.length }
  return { path: `${'abcdefgh'[at]}.conf`, mode: 0o444 as const, ...ref, blocks: [ref] }
}

/** A signed release of these pages, whatever they say. */
function madeOf(pages: readonly Uint8Array[], files: number, bytes: number, counter = 1): Made {
  return make({
    clock: { alice: counter },
    header: { pages: pages.map((page) => sha256(page)), files, bytes },
  })
}
const pageOf = (...files: readonly File[]): Uint8Array => encodePage(files.map(entryOf))

const submit = (node: SubmitNode, made: Made) =>
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
const page = (node: SubmitNode, made: Made, bytes = made.page) =>
  node.ask({ type: 'page', release: made.id, bytes })
const block = (node: SubmitNode, made: Made, bytes = made.block) =>
  node.ask({ type: 'block', release: made.id, bytes })
const reads = (effects: readonly Effect[]): Digest[] => ofKind(effects, 'read').map(({ digest }) => digest)
const read = (node: SubmitNode, digest: Digest | undefined, bytes: Uint8Array | undefined) => {
  if (digest === undefined) throw new Error('nothing was read')
  return node.settled(node.handle({ kind: 'blockRead', digest, bytes }))
}
const isOrdered = (effects: readonly Effect[]) => writes(effects).some((kinds) => kinds.endsWith('whole!'))

/** The upload has ended, and what still comes of it is late. */
function expectEnded(node: SubmitNode, made: Made): void {
  expect(node.view().channels.find(({ target }) => target === made.id)).toBeUndefined()
  expect(refusal(block(node, made))).toBe('ORDER_PLACE_TAKEN')
}

describe('Content that is not what it says', () => {
  test('more bytes than a release may have: no block is asked for', () => {
    const node = new SubmitNode({ limits: withLimits({ maxReleaseBytes: 1_000 }) })
    expect(refusal(submit(node, madeOf([pageOf()], 1, 1_001)))).toBe('LIMIT_CONTENT')
    expect(refusal(submit(node, madeOf([pageOf()], 1, 1_000)))).toBe('need')
  })

  test.each([
    ['a page that is none', [utf8('no page')], 1, 10, 'CODEC_MALFORMED'],
    [
      'one block with two sizes',
      [pageOf({ text: 'same' }, { text: 'same', size: 5 })],
      2,
      9,
      'LIMIT_CONTENT',
    ],
    ['fewer files than the header says', [pageOf({ text: 'one' })], 2, 3, 'LIMIT_CONTENT'],
  ])('%s: the publisher is told, and the upload ends', (_, pages, files, bytes, code) => {
    for (const more of [0, LIMITS.maxInlineBytes]) {
      const node = new SubmitNode()
      const made = madeOf(pages, files, bytes + more)
      submit(node, made)
      const sent = node.settled(page(node, made, pages[0]))
      // What is too large to travel with its announcement is written first, and read for the manifest.
      const told = more === 0 ? sent : read(node, reads(sent)[0], pages[0])
      expect(refusal(told)).toBe(code)
      expect(writes(told)).toContain('dropLease')
      expectEnded(node, made)
    }
  })

  test('a block of another size than the manifest says is not written', () => {
    const node = new SubmitNode()
    const lie = pageOf({ text: 'four', size: 5 })
    const made = madeOf([lie], 1, 5)
    submit(node, made)
    expect(replies(page(node, made, lie))).toMatchObject([{ type: 'need' }])
    const told = block(node, made, utf8('four'))
    expect(refusal(told)).toBe('LIMIT_CONTENT')
    expect(writes(told)).not.toContain('block')
    expectEnded(node, made)
  })
})

test('Pages are asked for together, read in order, and give one manifest', () => {
  const node = new SubmitNode()
  const [first, second] = [pageOf({ text: 'one' }), encodePage([entryOf({ text: 'two' }, 1)])]
  const made = madeOf([first, second], 2, 6)
  const pages = [sha256(first), sha256(second)]
  expect(replies(submit(node, made))).toEqual([{ type: 'need', pages, blocks: [] }])
  expect(replies(page(node, made, second))).toEqual([{ type: 'noted' }])
  expect(replies(page(node, made, first))).toEqual([
    { type: 'need', pages: [], blocks: [sha256(utf8('one')), sha256(utf8('two'))] },
  ])
  expect(replies(block(node, made, utf8('one')))).toEqual([{ type: 'noted' }])
  expect(isOrdered(block(node, made, utf8('two')))).toBe(true)
})

test('Submitted again before its lease is on disk: both wait for the same question', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 } })
  const asked = node.ask({ type: 'submit', envelope: made.envelope })
  expect(replies(node.ask({ type: 'submit', envelope: made.envelope }))).toEqual([])
  const need = { type: 'need', pages: made.release.header.pages, blocks: [] }
  expect(replies(node.persist(asked))).toEqual([need, need])
})

describe('What an earlier release left here is not asked for again', () => {
  /** One release is here; the next has its file and another. */
  function beside(text: string, also: string) {
    const node = new SubmitNode()
    const first = make({ clock: { alice: 1 }, text })
    submit(node, first)
    const paged = node.settled(page(node, first))
    if (reads(paged).length > 0) read(node, reads(paged)[0], first.page)
    node.settled(block(node, first))
    const next = make({ clock: { alice: 2 }, text, also })
    submit(node, next)
    const sent = node.settled(page(node, next))
    return { node, first, next, need: replies(sent) }
  }

  test('it is read back, to travel with the announcement', () => {
    const { node, first, next, need } = beside('here already', 'new')
    expect(need).toEqual([{ type: 'need', pages: [], blocks: [sha256(utf8('new'))] }])
    const last = block(node, next, utf8('new'))
    expect(reads(last)).toEqual([sha256(first.block)])
    expect(isOrdered(read(node, sha256(first.block), first.block))).toBe(true)
  })

  test('where it turns out to be lost, it is asked for after all', () => {
    const { node, first, next } = beside('here already', 'new')
    block(node, next, utf8('new'))
    expect(replies(read(node, sha256(first.block), undefined))).toEqual([
      { type: 'need', pages: [], blocks: [sha256(first.block)] },
    ])
    expect(isOrdered(block(node, next, first.block))).toBe(true)
  })

  test('where it is too much to travel, what was kept is written, and all is ordered once it is', () => {
    const size =
      LIMITS.maxInlineBytes - make({ clock: { alice: 2 }, text: 'y', also: 'new' }).envelope.length - 30
    const { node, first, next } = beside('y'.repeat(size), 'new')
    const last = block(node, next, utf8('new'))
    expect(reads(last)).toEqual([sha256(first.block)])
    const effects = node.handle({ kind: 'blockRead', digest: sha256(first.block), bytes: first.block })
    expect(writes(effects)).toEqual(['block', 'block'])
    expect(isOrdered(node.persist(effects))).toBe(true)
  })

  test('where of what is read back one part is lost and the rest is too much to travel, the lost one is asked for, once', () => {
    const of = (large: string) => ({ text: 'new', also: ['lost', large, 'late'] })
    const overhead = make({ clock: { alice: 4 }, ...of('y') }).envelope.length
    const text = 'y'.repeat(LIMITS.maxInlineBytes - overhead - 60)
    const node = new SubmitNode()
    for (const [at, one] of ['lost', text, 'late'].entries()) {
      const first = make({ clock: { alice: at + 1 }, text: one })
      submit(node, first)
      node.settled(page(node, first))
      node.settled(block(node, first))
    }
    const next = make({ clock: { alice: 4 }, ...of(text) })
    submit(node, next)
    node.settled(page(node, next))
    const [lost, large, late] = ['lost', text, 'late'].map((one) => sha256(utf8(one)))
    expect(reads(block(node, next))).toEqual([lost, large, late])
    node.handle({ kind: 'blockLost', digest: lost as Digest })
    expect(replies(read(node, lost, undefined))).toEqual([])
    expect(writes(read(node, large, utf8(text)))).toContain('block')
    expect(replies(read(node, late, utf8('late')))).toEqual([{ type: 'need', pages: [], blocks: [lost] }])
    expect(isOrdered(node.settled(block(node, next, utf8('lost'))))).toBe(true)
  })

  test('a page that the disk has lost meanwhile is asked for', () => {
    const node = new SubmitNode()
    const first = make({ clock: { alice: 1 } })
    submit(node, first)
    page(node, first)
    node.settled(block(node, first))
    const same = make({ clock: { alice: 2 } })
    const begun = submit(node, same)
    expect(reads(begun)).toEqual(same.release.header.pages)
    expect(replies(read(node, reads(begun)[0], undefined))).toEqual([
      { type: 'need', pages: same.release.header.pages, blocks: [] },
    ])
  })
})

describe('What comes from elsewhere in the middle of an upload', () => {
  /** Two publishers, the same large files; a block is asked for at a time. */
  function together() {
    const node = new SubmitNode({ limits: withLimits({ maxNeed: 1 }) })
    const content = { text: LARGE, also: 'second' }
    const [mine, theirs] = [
      make({ clock: { alice: 1 }, ...content }),
      make({ clock: { bob: 1 }, publisher: 'bob', ...content }),
    ]
    submit(node, mine)
    read(node, reads(node.settled(page(node, mine)))[0], mine.page)
    const begun = submit(node, theirs)
    expect(replies(read(node, reads(begun)[0], mine.page))).toEqual([
      { type: 'need', pages: [], blocks: [sha256(mine.block)] },
    ])
    return { node, mine, theirs, second: utf8('second') }
  }

  test('is not asked for any more: the release is ordered once what was asked for is there', () => {
    const { node, mine, theirs, second } = together()
    node.settled(block(node, theirs))
    expect(isOrdered(node.settled(block(node, theirs, second)))).toBe(true)
    expect(isOrdered(node.settled(block(node, mine)))).toBe(true)
  })

  test('is asked for all the same where it was lost again', () => {
    const { node, mine, theirs, second } = together()
    node.settled(block(node, theirs))
    node.settled(block(node, theirs, second))
    node.handle({ kind: 'blockLost', digest: sha256(second) })
    expect(replies(node.settled(block(node, mine)))).toEqual([
      { type: 'need', pages: [], blocks: [sha256(second)] },
    ])
  })
})

test('A block that is sent again while it is being written is noted', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 }, text: LARGE, also: 'second' })
  submit(node, made)
  read(node, reads(node.settled(page(node, made)))[0], made.page)
  const first = block(node, made)
  expect(writes(first)).toEqual(['block'])
  const again = block(node, made)
  expect([replies(again), writes(again)]).toEqual([[{ type: 'noted' }], []])
})

describe('What grows too long for its announcement on the way', () => {
  /** Page and block fit each, not both. */
  function growing() {
    const overhead = make({ clock: { alice: 1 }, text: 'y' }).envelope.length
    const made = make({ clock: { alice: 1 }, text: 'y'.repeat(LIMITS.maxInlineBytes - overhead - 30) })
    const node = new SubmitNode()
    submit(node, made)
    expect(writes(page(node, made))).toEqual([])
    const sent = block(node, made)
    expect(writes(sent)).toEqual(['block', 'block'])
    const [kept, last] = ofKind(sent, 'persist')
    if (kept === undefined || last === undefined) throw new Error('two were written')
    return { node, made, kept: kept.ticket, last: last.ticket }
  }

  test.each(['as they came', 'the other way round'])('is ordered when both are written, %s', (order) => {
    const { node, kept, last } = growing()
    const tickets = order === 'as they came' ? [kept, last] : [last, kept]
    const ends = tickets.map((ticket) => isOrdered(node.settled(node.handle({ kind: 'persisted', ticket }))))
    expect(ends).toEqual([false, true])
  })

  test('ends where the disk refuses what nobody waits for, and where it refuses what somebody does', () => {
    for (const which of ['kept', 'last'] as const) {
      const one = growing()
      const failed = one.node.handle({ kind: 'persistFailed', ticket: one[which], code: 'STORE_FULL' })
      expect(failed.map(({ kind }) => kind)).toEqual(['reply', 'persist', 'persist'])
      // Also whoever sent what is still being written: nothing else would answer.
      const text = 'this seed cannot write to its disk; try another seed'
      expect(replies(failed)).toEqual([{ type: 'refused', code: 'STORE_FULL', text }])
      expect(writes(failed)).toEqual(['dropLease', 'audit'])
      expectEnded(one.node, one.made)
      // The other write ends later, and finds nothing to go on with.
      const ticket = one[which === 'kept' ? 'last' : 'kept']
      expect(one.node.handle({ kind: 'persisted', ticket })).toEqual([])
    }
  })
})

test('Parts that are being written when the upload ends are refused with its cause, each of them once', () => {
  const node = new SubmitNode()
  const made = make({ clock: { alice: 1 }, text: LARGE, also: ['second', 'third'] })
  submit(node, made)
  read(node, reads(node.settled(page(node, made)))[0], made.page)
  const parts = [made.block, utf8('second')].map((bytes) => block(node, made, bytes))
  const [first, second] = ofKind(parts.flat(), 'persist')
  expect(parts.flat().map(({ kind }) => kind)).toEqual(['persist', 'persist'])
  const ended = node.tick(LIMITS.leaseMs)
  expect(ended.map(({ kind }) => kind)).toEqual(['reply', 'reply', 'persist', 'persist'])
  const late = { type: 'refused', code: 'LIMIT_TIMEOUT', text: 'no progress for too long; submit again' }
  expect(replies(ended)).toEqual([late, late])
  expect(writes(ended)).toEqual(['dropLease', 'audit'])

  // Submitted again meanwhile: those writes are not what it waits for.
  submit(node, made)
  const digest = made.release.header.pages[0]
  read(node, digest, made.page)
  const again = block(node, made)
  expect(writes(again)).toEqual(['block'])
  for (const write of [first, second])
    expect(node.handle({ kind: 'persisted', ticket: write?.ticket ?? 0 })).toEqual([])
  expect(replies(node.settled(again))).toEqual([{ type: 'noted' }])
})

describe('A disk that loses or refuses', () => {
  /** A large release of two blocks, the first of them written. */
  function halfway() {
    const node = new SubmitNode()
    const made = make({ clock: { alice: 1 }, text: LARGE, also: 'second' })
    submit(node, made)
    const paged = node.settled(page(node, made))
    read(node, reads(paged)[0], made.page)
    expect(replies(node.settled(block(node, made)))).toEqual([{ type: 'noted' }])
    return { node, made, first: sha256(made.block), second: utf8('second') }
  }

  test('a block that was written and lost is asked for again, with the next batch', () => {
    const { node, made, first, second } = halfway()
    node.handle({ kind: 'blockLost', digest: sha256(second) }) // not here yet: asked for as it is
    node.handle({ kind: 'blockLost', digest: sha256(utf8('of another release')) })
    node.handle({ kind: 'blockLost', digest: first })
    expect(replies(node.settled(block(node, made, second)))).toEqual([
      { type: 'need', pages: [], blocks: [first] },
    ])
    expect(isOrdered(node.settled(block(node, made)))).toBe(true)
  })

  test('a page that was read and then lost is asked for again, before anything is ordered', () => {
    const { node, made, second } = halfway()
    const [digest] = made.release.header.pages
    if (digest === undefined) throw new Error('no page')
    node.handle({ kind: 'blockLost', digest })
    const last = node.settled(block(node, made, second))
    expect(last.map(({ kind }) => kind)).toEqual(['persist', 'reply'])
    expect(writes(last)).toEqual(['block'])
    expect(replies(last)).toEqual([{ type: 'need', pages: [], blocks: [digest] }])
    // Publishers send what is asked for as a block.
    expect(isOrdered(node.settled(block(node, made, made.page)))).toBe(true)
  })

  test('the last batch cannot be written: whoever waits is told, and nothing was ordered', () => {
    const node = new SubmitNode()
    const made = make({ clock: { alice: 1 } })
    submit(node, made)
    page(node, made)
    const [batch] = ofKind(block(node, made), 'persist')
    if (batch === undefined) throw new Error('nothing was to be ordered')
    expect(replies(node.ask({ type: 'await', release: made.id }))).toEqual([])
    expect(replies(node.tick(1))).toEqual([])
    const failed = node.handle({ kind: 'persistFailed', ticket: batch.ticket, code: 'STORE_FULL' })
    expect(refusal(failed)).toBe('STORE_FULL')
    expect(writes(failed)).toContain('dropLease')
    expectEnded(node, made)
    // what waits for room is written then: the channel as it was, and nothing of what was refused
    expect(writes(node.handle({ kind: 'storeMode', readOnly: false }))).toEqual(['floor channel!'])
  })
})

test('Where a twin came by gossip in the middle of an upload, its publisher gets the twin as proof', () => {
  const node = new SubmitNode()
  const [slow, twin] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 1 }, text: 'twin' })]
  submit(node, slow)
  page(node, slow)
  node.settled(node.handle(gossip(twin)))
  expect(replies(block(node, slow))).toMatchObject([
    { type: 'refused', code: 'ORDER_PLACE_TAKEN', envelope: twin.envelope },
  ])
})

test('A lease does not end under an upload that goes on', () => {
  const node = new SubmitNode()
  const [mine, theirs] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 1 }, text: 'theirs' })]
  submit(node, mine)
  node.tick(LIMITS.leaseMs - 1)
  page(node, mine)
  expect(writes(node.tick(1))).toEqual([])
  expect(refusal(node.ask({ type: 'submit', envelope: theirs.envelope }))).toBe('ORDER_PLACE_TAKEN')
  expect(isOrdered(block(node, mine))).toBe(true)
})

test('Of what was never submitted here nothing can be awaited, and not by any number', () => {
  const node = new SubmitNode({ limits: withLimits({ maxAwaits: 2 }) })
  const made = make({ clock: { alice: 1 } })
  expect(refusal(node.ask({ type: 'await', release: made.id }, TOOL))).toBe('FETCH_UNAVAILABLE')
  submit(node, made)
  const waits = [1, 2, 3].map(() => refusal(node.ask({ type: 'await', release: made.id }, TOOL)))
  expect(waits).toEqual(['no reply', 'no reply', 'LIMIT_RATE'])
  page(node, made)
  const done = node.settled(block(node, made))
  expect(replies(done).filter(({ type }) => type === 'done')).toEqual(
    [1, 2].map(() => ({ type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] })),
  )
})
