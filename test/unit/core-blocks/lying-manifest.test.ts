import { expect, test } from 'vitest'
import { fetcher, OTHER } from './fetcher.ts'

test('a release whose blocks have other sizes than its manifest says is given up, and nothing of it is written', () => {
  const { started, announce, give, failures } = fetcher({ sizeLie: -1 })
  const [page] = started.length > 0 ? started : announce(OTHER, [0])
  const [block] = page === undefined ? [] : give(page)
  expect(block).toBeDefined()
  if (block !== undefined) expect(give(block)).toEqual([])
  expect(failures).toEqual(['LIMIT_CONTENT'])
  expect(announce(OTHER, [1, 2, 3])).toEqual([])
})

test.each([
  [{ maxBlockBytes: 100 }, 'LIMIT_BYTES', 'raise limits.maxBlockBytes and limits.maxPageBytes,'],
  [{ maxPageBytes: 100 }, 'LIMIT_BYTES', 'raise limits.maxBlockBytes and limits.maxPageBytes,'],
  [{ maxPathBytes: 0 }, 'LIMIT_CONTENT', 'limits.maxPathBytes'],
  [{ maxPathSegmentBytes: 0 }, 'LIMIT_CONTENT', 'limits.maxPathSegmentBytes'],
] as const)(
  'a release with a page longer than this node takes, or a path, is given up, and whoever gave it is not blamed: %j',
  (limits, code, which) => {
    const { started, announce, give, failures, reasons, effects } = fetcher({ limits })
    const [page] = started.length > 0 ? started : announce(OTHER, [0])
    expect(page).toBeDefined()
    if (page !== undefined) give(page)
    expect(failures).toEqual([code])
    expect(reasons).toMatchObject([expect.stringContaining(which)])
    expect(effects.filter(({ kind }) => kind === 'note' || kind === 'hangUp')).toEqual([])
  },
)

test('nor is a page longer than this node takes written', () => {
  const { started, announce, give } = fetcher({ limits: { maxBlockBytes: 100 } })
  const [page] = started.length > 0 ? started : announce(OTHER, [0])
  expect(page && give(page)).toEqual([])
})

test('a block may be longer than a page here', () => {
  const { started, announce, give, failures } = fetcher({
    blocks: 1,
    blockBytes: 4_000,
    limits: { maxPageBytes: 400 },
  })
  const [page] = started.length > 0 ? started : announce(OTHER, [0])
  const [block] = page === undefined ? [] : give(page)
  expect(block).toBeDefined()
  if (block !== undefined) give(block)
  expect(failures).toEqual([])
})
