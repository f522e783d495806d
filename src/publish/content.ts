/** What a release is made of, wherever it lies: built from files, read from a CAR file, or at the seeds only. */
import type { Digest, ReleaseId } from '../model/ids.ts'
import type { Release } from '../model/release.ts'

export interface Content {
  /** Digests of the manifest's pages, in order. */
  readonly pages: readonly Digest[]
  readonly files: number
  readonly bytes: number
  /**
   * A page or a block, checked against its digest; undefined where it is not here.
   * @throws MeshError CONTENT_DIGEST (a file changed meanwhile, a damaged CAR file), INPUT_PATH
   */
  read(digest: Digest): Promise<Uint8Array | undefined>
  /** Seeds alone have it, as this release. */
  readonly heldAs?: ReleaseId
}

/** Of an earlier release, so that nothing needs to be at hand. */
export const contentAtSeeds = ({ id, header: { pages, files, bytes } }: Release): Content => ({
  ...{ pages, files, bytes, heldAs: id },
  read: async () => undefined,
})
