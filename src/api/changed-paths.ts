import { changedPaths as between } from '../activate/changed-paths.ts'
import type { FileView } from './node-view.ts'

/** The one empty listing, so that whoever has nothing shares what differs from it. */
export const NO_FILES: readonly FileView[] = []

/** Paths that are new, gone or other between two listings, sorted. */
export const changedPaths = ofPair(
  (before: readonly FileView[], after: readonly FileView[]): Promise<readonly string[]> =>
    between(before, after),
)

/** Paths of either of two sorted lists, sorted. In one walk: of two releases of the most files this is in one turn. */
export const eitherOf = ofPair((a: readonly string[], b: readonly string[]): readonly string[] => {
  const paths: string[] = []
  for (let [at, to] = [0, 0]; at < a.length || to < b.length; ) {
    const [of, other] = [a[at], b[to]]
    const isFirst = of !== undefined && (other === undefined || of <= other)
    if (isFirst) at++
    if (!isFirst || of === other) to++
    paths.push((isFirst ? of : other) as string)
  }
  return paths
})

/** Made once for all who ask for the same two, as long as both are held: a thousand watchers see the same listings. */
export function ofPair<A extends object, B extends object, R>(make: (a: A, b: B) => R): (a: A, b: B) => R {
  const made = new WeakMap<A, WeakMap<B, { readonly result: R }>>()
  return (a, b) => {
    const ofA = made.get(a) ?? new WeakMap<B, { readonly result: R }>()
    made.set(a, ofA)
    const known = ofA.get(b) ?? { result: make(a, b) }
    ofA.set(b, known)
    return known.result
  }
}
