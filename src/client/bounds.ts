import type { Files } from '../api/contract.ts'
import { MeshError } from '../errors.ts'

/** Of what a client takes into memory. */
export interface Bounds {
  readonly maxFileBytes: number
  readonly maxSnapshotBytes: number
}

/** By the listing alone: nothing is brought that cannot be kept. @throws MeshError LIMIT_BYTES */
export function requireWithin(
  channel: string,
  { release, files }: Files,
  { maxFileBytes, maxSnapshotBytes }: Bounds,
): void {
  let bytes = 0
  for (const { path, size } of files) {
    bytes += size
    if (size > maxFileBytes)
      throw over(`${channel}: ${JSON.stringify(path)}`, size, `maxFileBytes of this client, ${maxFileBytes}`)
  }
  if (bytes > maxSnapshotBytes)
    throw over(
      `${channel}: release ${release.slice(0, 12)}`,
      bytes,
      `maxSnapshotBytes of this client, ${maxSnapshotBytes}`,
    )
}

const over = (what: string, bytes: number, bound: string): MeshError =>
  new MeshError(
    'LIMIT_BYTES',
    `${what} has ${bytes} bytes, over ${bound}; raise that, or read files as streams`,
  )
