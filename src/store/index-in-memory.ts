import type { Digest, ReleaseId } from '../model/ids.ts'
import type { Write } from '../runtime/ports.ts'

interface EnvelopeEntry {
  /** Arrival: the lowest is the oldest. */
  readonly number: number
  readonly bytes: number
}

/** What is in the store, by name and size: kept in memory so that nobody waits for the disk to learn what is there. */
export class StoreIndex {
  /** Digest → size in bytes. */
  readonly blocks = new Map<Digest, number>()
  readonly envelopes = new Map<ReleaseId, EnvelopeEntry>()
  readonly whole = new Set<ReleaseId>()
  /** Written since this start: an upload or fetch under way may need them although no release here names them yet. */
  readonly fresh = new Set<Digest>()
  #blockBytes = 0
  #envelopeBytes = 0
  #next = 1

  /** A fresh number above all seen. */
  readonly next = (): number => this.#next++

  get blockBytes(): number {
    return this.#blockBytes
  }

  get bytes(): number {
    return this.#blockBytes + this.#envelopeBytes
  }

  addBlock(digest: Digest, size: number): void {
    this.removeBlock(digest)
    this.blocks.set(digest, size)
    this.#blockBytes += size
  }

  removeBlock(digest: Digest): void {
    this.#blockBytes -= this.blocks.get(digest) ?? 0
    this.blocks.delete(digest)
    this.fresh.delete(digest)
  }

  addEnvelope(release: ReleaseId, entry: EnvelopeEntry): void {
    this.removeEnvelope(release)
    this.envelopes.set(release, entry)
    this.#envelopeBytes += entry.bytes
    this.#next = Math.max(this.#next, entry.number + 1)
  }

  removeEnvelope(release: ReleaseId): void {
    this.#envelopeBytes -= this.envelopes.get(release)?.bytes ?? 0
    this.envelopes.delete(release)
  }

  /** Follows what was just written. */
  apply(write: Write): void {
    switch (write.kind) {
      case 'block':
        this.addBlock(write.digest, write.bytes.length)
        this.fresh.add(write.digest)
        return
      case 'envelope':
        this.addEnvelope(write.release, { number: this.next(), bytes: write.bytes.length })
        return
      case 'dropEnvelope':
        this.removeEnvelope(write.release)
        return
      case 'whole':
        this.whole.add(write.release)
        return
      case 'unwhole':
        this.whole.delete(write.release)
        return
      default:
        return
    }
  }

  /** The last number given: what arrives from now on has a greater one. */
  get newest(): number {
    return this.#next - 1
  }

  arrivedSince(newest: number): readonly ReleaseId[] {
    return [...this.envelopes].flatMap(([release, { number }]) => (number > newest ? [release] : []))
  }

  /** Oldest first. */
  byArrival(): readonly ReleaseId[] {
    return [...this.envelopes].sort(([, a], [, b]) => a.number - b.number).map(([release]) => release)
  }
}
