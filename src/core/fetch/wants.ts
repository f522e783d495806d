/** Blocks asked for and not answered yet, and their bytes. */

import type { Digest, PeerId, ReleaseId } from '../../model/ids.ts'
import type { RequestId } from '../events.ts'
import type { Way } from './patience.ts'
import type { Rescue } from './rescue.ts'

export interface Asked {
  readonly digest: Digest
  readonly release: ReleaseId
  readonly peer: PeerId
  readonly sinceMonoMs: number
  /** As the manifest has it; before it is read, the most it can be. */
  readonly bytes: number
  /** Over a region border it may stand until the other side has it. */
  readonly way: Way
  readonly seed: boolean
  /** Another's to bring in. */
  readonly takeOver: boolean
  /** Of a seed that sent this node on before, in vain. */
  readonly failed: boolean
  /** Nobody announces it, nor is it this node's to bring in: whose it is of those under way. */
  readonly rescue?: Rescue
  /** Whether a second peer was asked early. Undefined: one still may be. False: no more, this one has ended or is silent. */
  hedged?: boolean
  /** So long unanswered that others are asked. */
  silent?: boolean
  /** Its peer may be asked for the block anew. */
  letGo?: boolean
}

export class Wants {
  /** By request: those let go among them. */
  readonly #asked = new Map<RequestId, Asked>()
  readonly #peers = new Map<Digest, ReadonlySet<PeerId>>()
  /** Requests for a block whose peers do not count as silent. */
  readonly #awaited = new Map<Digest, number>()
  #bytes = 0
  #silentBytes = 0
  readonly #underWay: Record<Way, number> = { near: 0, seed: 0, border: 0 }

  /** Requests that go this way, and whose peers do not count as silent. */
  underWay(way: Way): number {
    return this.#underWay[way]
  }

  /** Of one release, those that seeds here were asked for and that may come in time. */
  ofSeeds(release: ReleaseId): number {
    let many = 0
    for (const asked of this.#asked.values())
      if (asked.way === 'seed' && asked.silent !== true && asked.release === release) many += 1
    return many
  }

  /**
   * Blocks, not requests: a second peer asked for the same takes no further place, and silent ones none at all, or a few
   * that are dead would keep everything from being asked of the others until the deadline.
   */
  get size(): number {
    return this.#awaited.size
  }

  /** What may come at once, were all of them answered now that do not count as silent. */
  get bytes(): number {
    return this.#bytes
  }

  /** What may come late. */
  get silentBytes(): number {
    return this.#silentBytes
  }

  /** Somebody is asked for something, silent or not. */
  get isAnyOpen(): boolean {
    return this.#peers.size > 0
  }

  peers(digest: Digest): ReadonlySet<PeerId> {
    return this.#peers.get(digest) ?? new Set()
  }

  all(): Iterable<Asked> {
    return this.#asked.values()
  }

  open(id: RequestId, asked: Asked): void {
    this.#asked.set(id, asked)
    this.#bytes += asked.bytes
    this.#awaited.set(asked.digest, (this.#awaited.get(asked.digest) ?? 0) + 1)
    this.#underWay[asked.way] += 1
    this.#peers.set(asked.digest, new Set(this.peers(asked.digest)).add(asked.peer))
  }

  /** Requests that this peer has not answered. */
  of(peer: PeerId): readonly RequestId[] {
    return [...this.#asked].flatMap(([id, asked]) => (asked.peer === peer ? [id] : []))
  }

  /** The request has ended, whatever the answer; undefined: it was none of these. */
  close(id: RequestId): Asked | undefined {
    const asked = this.#asked.get(id)
    if (asked === undefined) return undefined
    this.#asked.delete(id)
    if (asked.silent === true) this.#silentBytes -= asked.bytes
    else this.#noLonger(asked)
    this.#leave(asked)
    return asked
  }

  silent(asked: Asked): void {
    if (asked.silent === true) return
    asked.silent = true
    this.#silentBytes += asked.bytes
    this.#noLonger(asked)
  }

  /** Silent, and it keeps nobody from being asked any more; should the block come all the same, it is welcome. */
  letGo(asked: Asked): void {
    this.silent(asked)
    this.#leave(asked)
  }

  /** It was answered, or counts as silent. */
  #noLonger({ digest, bytes, way }: Asked): void {
    this.#bytes -= bytes
    this.#underWay[way] -= 1
    const left = (this.#awaited.get(digest) ?? 0) - 1
    if (left > 0) this.#awaited.set(digest, left)
    else this.#awaited.delete(digest)
  }

  #leave(asked: Asked): void {
    // its peer may have been asked again since: that question stands
    if (asked.letGo === true) return
    asked.letGo = true
    const { digest, peer } = asked
    const left = new Set(this.peers(digest))
    left.delete(peer)
    if (left.size === 0) this.#peers.delete(digest)
    else this.#peers.set(digest, left)
  }
}
