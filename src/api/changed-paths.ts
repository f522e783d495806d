import type { FileView } from './node-view.ts'

/** The one empty listing, so that whoever has nothing shares what differs from it. */
export const NO_FILES: readonly FileView[] = []

/** Paths that are new, gone or other between two listings, sorted. */
export const changedPaths = ofPair(
  (before: readonly FileView[], after: readonly FileView[]): readonly string[] => {
    const key = (file: FileView): string => `${file.digest} ${file.mode}`
    const [was, is] = [
      new Map(before.map((file) => [file.path, key(file)])),
      new Map(after.map((file) => [file.path, key(file)])),
    ]
    return [...new Set([...was.keys(), ...is.keys()])].filter((path) => was.get(path) !== is.get(path)).sort()
  },
)

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
