import type { FileView } from './node-view.ts'

/** Paths that are new, gone or other between two listings, sorted. */
export function changedPaths(before: readonly FileView[], after: readonly FileView[]): string[] {
  const key = (file: FileView): string => `${file.digest} ${file.mode}`
  const [was, is] = [
    new Map(before.map((file) => [file.path, key(file)])),
    new Map(after.map((file) => [file.path, key(file)])),
  ]
  return [...new Set([...was.keys(), ...is.keys()])].filter((path) => was.get(path) !== is.get(path)).sort()
}
