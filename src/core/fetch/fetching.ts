/** Whoever asks for blocks does so for the releases that are being fetched; what it needs to know of them. */
import type { Digest, ReleaseId } from '../../model/ids.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'
import type { FetchJob } from './job.ts'

export interface Fetching {
  job(release: ReleaseId): FetchJob | undefined
  jobs(): readonly FetchJob[]
  /** Those of this page or block. */
  naming(digest: Digest): readonly FetchJob[]
  /** A block whose digest is right. */
  received(step: Step, journey: Journey, digest: Digest, bytes: Uint8Array): void
}
