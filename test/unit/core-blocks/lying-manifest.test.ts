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

test('a release with a page longer than this node takes is given up, and whoever gave it is not blamed', () => {
  const { started, announce, give, failures, reasons, effects } = fetcher({ limits: { maxBlockBytes: 100 } })
  const [page] = started.length > 0 ? started : announce(OTHER, [0])
  expect(page).toBeDefined()
  if (page !== undefined) expect(give(page)).toEqual([])
  expect(failures).toEqual(['LIMIT_BYTES'])
  expect(reasons).toMatchObject([
    expect.stringContaining('raise limits.maxBlockBytes and limits.maxPageBytes,'),
  ])
  expect(effects.filter(({ kind }) => kind === 'note')).toEqual([])
})
