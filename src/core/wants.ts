/** Blocks asked for and not answered yet. */

import type { Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { RequestId } from './events.ts'

export interface Asked {
  readonly digest: Digest
  readonly release: ReleaseId
  readonly peer: PeerId
  readonly sinceMonoMs: number
}

export class Wants {
  readonly #asked = new Map<RequestId, Asked>()
  readonly #peers = new Map<Digest, ReadonlySet<PeerId>>()

  /** Blocks, not requests: a second peer asked for the same takes no further place. */
  get size(): number {
    return this.#peers.size
  }

  has(digest: Digest): boolean {
    return this.#peers.has(digest)
  }

  peers(digest: Digest): ReadonlySet<PeerId> {
    return this.#peers.get(digest) ?? new Set()
  }

  all(): readonly Asked[] {
    return [...this.#asked.values()]
  }

  open(id: RequestId, asked: Asked): void {
    this.#asked.set(id, asked)
    this.#peers.set(asked.digest, new Set(this.peers(asked.digest)).add(asked.peer))
  }

  /** The request has ended, whatever the answer; undefined: it was none of these. */
  close(id: RequestId): Asked | undefined {
    const asked = this.#asked.get(id)
    if (asked === undefined) return undefined
    this.#asked.delete(id)
    const left = new Set(this.peers(asked.digest))
    left.delete(asked.peer)
    if (left.size === 0) this.#peers.delete(asked.digest)
    else this.#peers.set(asked.digest, left)
    return asked
  }
}
