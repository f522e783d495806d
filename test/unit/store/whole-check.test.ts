import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { StoreIndex } from '../../../src/store/index-in-memory.ts'
import { checkWhole } from '../../../src/store/whole-check.ts'
import { CHANNEL, makeRelease } from '../../contract/store-fixtures.ts'

const [one, two] = [1, 2].map((counter) => makeRelease(counter, [{ path: 'a.yaml', content: 'a: 1\n' }])) as [
  ReturnType<typeof makeRelease>,
  ReturnType<typeof makeRelease>,
]

test('a page that several releases share is read once, and without a block of it none of them is whole', async () => {
  const index = new StoreIndex()
  const disk = new Map<string, Uint8Array>()
  for (const [digest, bytes] of one.blocks) {
    index.addBlock(digest, { bytes: bytes.length, number: index.next() })
    disk.set(index.keyOf(digest) ?? '', bytes)
  }
  const reads: string[] = []
  const check = () =>
    checkWhole(
      {
        whole: [one.id, two.id],
        envelopes: [one, two].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
        damaged: [],
      },
      index,
      {
        wasSetAside: false,
        get: async (key) => {
          reads.push(key)
          return disk.get(key)
        },
        async *keys() {},
      },
      LIMITS,
    )
  const [page] = one.pages
  expect(two.pages).toEqual([page])
  expect(await check()).toEqual({ whole: [one.id, two.id], lacking: [], operations: [] })
  expect(reads).toEqual([index.keyOf(page as never)])
  for (const digest of one.blocks.keys()) if (digest !== page) index.removeBlock(digest)
  expect(await check()).toMatchObject({ whole: [], lacking: [one.id, two.id] })
})
