import type { PeerId } from '../../model/ids.ts'

export interface Broken {
  /** Which of the promises, by number (docs/architecture.md). */
  readonly promise: number
  readonly text: string
}

/** The tail of a peer id differs from node to node. */
export const label = (peer: PeerId): string => peer.slice(-6)
