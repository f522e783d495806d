import type { Extra } from './extra.ts'
import type { KeyId, Name, PeerId } from './ids.ts'

export type Labels = ReadonlyMap<string, string>

/** Signed by an admission key or by a pool's key; a chain has at most two links. */
export interface Certificate {
  readonly v: 1
  readonly critical: readonly string[]
  readonly subject:
    | { readonly peer: PeerId }
    | { readonly pool: Name; readonly key: KeyId; readonly spki: Uint8Array }
  /** A node: its labels. A pool: label → pattern of what it may grant. */
  readonly labels: Labels
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  readonly extra?: Extra
}

/** A node without the label. */
const UNLABELLED = 'default'

/** Where a node stands in the eyes of others: only what its certificate says. */
export const regionIn = (labels: Labels): string => labels.get('region') ?? UNLABELLED
export const zoneIn = (labels: Labels): string => labels.get('zone') ?? UNLABELLED
