import type { Files } from '../api/contract.ts'
import { MeshError } from '../errors.ts'

/** Of what a client takes into memory. */
export interface Bounds {
  readonly maxFileBytes: number
}

/** By the listing alone: nothing is brought that cannot be kept. @throws MeshError LIMIT_BYTES */
export function requireWithin(channel: string, { files }: Files, { maxFileBytes }: Bounds): void {
  for (const { path, size } of files)
    if (size > maxFileBytes)
      throw new MeshError(
        'LIMIT_BYTES',
        `${channel}: ${JSON.stringify(path)} has ${size} bytes, over maxFileBytes of this client, ${maxFileBytes}; raise that, or read the file as a stream`,
      )
}
