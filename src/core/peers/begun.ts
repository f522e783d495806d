/**
 * Connections that began and are not admitted yet: the session of one that ends is forgotten before its end is told, and
 * what the end says of the next dial hangs on who began it and why it ended.
 */
import type { PeerId } from '../../model/ids.ts'

/** `unfinished`: dialled, taken up, and neither side had the time; `refused`: dialled, and one does not admit the other. */
export type End = 'unfinished' | 'refused' | 'inbound'

export class Begun {
  readonly #ends = new Map<PeerId, End>()

  connected(peer: PeerId, direction: 'inbound' | 'outbound'): void {
    this.#ends.set(peer, direction === 'outbound' ? 'unfinished' : 'inbound')
  }

  refused(peer: PeerId): void {
    if (this.#ends.get(peer) === 'unfinished') this.#ends.set(peer, 'refused')
  }

  admitted(peer: PeerId): void {
    this.#ends.delete(peer)
  }

  /** Undefined: it was admitted. */
  ended(peer: PeerId): End | undefined {
    const end = this.#ends.get(peer)
    this.#ends.delete(peer)
    return end
  }
}
