import fc from 'fast-check'
import { expect, test } from 'vitest'
import { changedPaths, type ListedFile } from '../../src/activate/changed-paths.ts'
import { eitherOf } from '../../src/api/changed-paths.ts'
import { comparePaths } from '../../src/codec/path.ts'

/** Few of them, so that both lists often have the same; the last two come in another order by bytes than by code units. */
const path = fc
  .array(fc.constantFrom('a', 'b', '/', '.', '\uffee', '\u{10000}'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join(''))
const file = fc.record({ path, digest: fc.constantFrom('0', '1'), mode: fc.constantFrom(0o444, 0o555) })
const anyFiles = fc.uniqueArray(file, { selector: (each) => each.path, maxLength: 12 })
const files = anyFiles.map((list) => list.toSorted((a, b) => comparePaths(a.path, b.path)))

/** By definition: in one of them alone, or in both with another content or mode. */
function differing(before: readonly ListedFile[], after: readonly ListedFile[]): string[] {
  const key = (list: readonly ListedFile[], of: string): string => {
    const found = list.find((each) => each.path === of)
    return found === undefined ? 'none' : `${found.digest} ${found.mode}`
  }
  const paths = new Set([...before, ...after].map((each) => each.path))
  return [...paths].filter((of) => key(before, of) !== key(after, of)).sort()
}

test('what changed between two manifests is what is other, new or gone, sorted', async () => {
  await fc.assert(
    fc.asyncProperty(files, files, async (before, after) => {
      expect(await changedPaths(before, after)).toEqual(differing(before, after))
    }),
  )
})

test('of lists that do not ascend nothing that changed is left out', async () => {
  await fc.assert(
    fc.asyncProperty(anyFiles, anyFiles, async (before, after) => {
      expect(await changedPaths(before, after)).toEqual(expect.arrayContaining(differing(before, after)))
    }),
  )
})

test('the paths of two changes are those of either, once and sorted', () => {
  const paths = fc.uniqueArray(path).map((list) => list.toSorted())
  fc.assert(
    fc.property(paths, paths, (a, b) => {
      expect(eitherOf(a, b)).toEqual([...new Set([...a, ...b])].sort())
    }),
  )
})

test('long manifests are compared in slices', async () => {
  const long = Array.from({ length: 20_000 }, (_, at) => ({
    path: `${100_000 + at}`,
    digest: '0',
    mode: 0o444,
  }))
  let turns = 0
  const count = (): void => {
    turns++
    next = setImmediate(count)
  }
  let next = setImmediate(count)
  expect(await changedPaths(long, long)).toEqual([])
  clearImmediate(next)
  expect(turns).toBeGreaterThanOrEqual(4)
})
