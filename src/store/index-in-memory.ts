import type { Digest, ReleaseId } from '../model/ids.ts'
import type { Write } from '../runtime/ports.ts'
import { blockKey } from './keys.ts'
import type { BlockEntry } from './records.ts'

interface EnvelopeEntry {
  /** Arrival: the lowest is the oldest. */
  readonly number: number
  readonly bytes: number
}

/** What is in the store, by name and size: kept in memory so that nobody waits for the disk to learn what is there. */
export class StoreIndex {
  /** Digest → size in bytes. */
  readonly blocks = new Map<Digest, number>()
  /** Oldest first. */
  readonly envelopes = new Map<ReleaseId, EnvelopeEntry>()
  /** Written since a collection began, or named by an upload that was under way by then: no release here names them yet. */
  readonly fresh = new Set<Digest>()
  /**
   * Places of blocks: the number in the key, undefined for a key of format 1. Also of those whose writing failed and of
   * those lost since: written again, such a block comes where what is left of it may lie, and never stays under two keys.
   * Their count is bounded by what this life stored, and by batches that failed though the disk had just taken bytes.
   */
  readonly #numbers = new Map<Digest, number | undefined>()
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

  addBlock(digest: Digest, { bytes, number }: BlockEntry): void {
    this.loseBlock(digest)
    this.blocks.set(digest, bytes)
    this.keepPlace(digest, number)
    this.#blockBytes += bytes
  }

  /** It may still lie there, whatever is in it. */
  loseBlock(digest: Digest): void {
    this.#blockBytes -= this.blocks.get(digest) ?? 0
    this.blocks.delete(digest)
    this.fresh.delete(digest)
  }

  /** Nothing of it is left. */
  removeBlock(digest: Digest): void {
    this.loseBlock(digest)
    this.#numbers.delete(digest)
  }

  /** Where it is to be written, should it come again. */
  keepPlace(digest: Digest, number: number | undefined): void {
    this.#numbers.set(digest, number)
    if (number !== undefined) this.#next = Math.max(this.#next, number + 1)
  }

  /** Where a block lies; undefined where it is not here. */
  keyOf(digest: Digest): string | undefined {
    return this.blocks.has(digest) ? blockKey(digest, this.#numbers.get(digest)) : undefined
  }

  /** Of a block that is here; undefined for a key of format 1. */
  numberOf(digest: Digest): number | undefined {
    return this.#numbers.get(digest)
  }

  /** Of the key a block is to be written under: the same however often it is asked for, and after a batch that failed. */
  numberFor(digest: Digest): number | undefined {
    if (!this.#numbers.has(digest)) this.#numbers.set(digest, this.next())
    return this.#numbers.get(digest)
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
        this.addBlock(write.digest, {
          bytes: write.bytes.length,
          number: this.numberFor(write.digest),
        })
        this.fresh.add(write.digest)
        return
      case 'envelope':
        this.addEnvelope(write.release, { number: this.next(), bytes: write.bytes.length })
        return
      case 'dropEnvelope':
        this.removeEnvelope(write.release)
        return
      default:
        return
    }
  }

  /** A collection begins: what `uploads` name is theirs, whoever had it written, and nothing else of what was before. */
  keepFresh(uploads: readonly Digest[]): void {
    this.fresh.clear()
    for (const digest of uploads) this.fresh.add(digest)
  }

  /** The last number given: what arrives from now on has a greater one. */
  get newest(): number {
    return this.#next - 1
  }

  arrivedSince(newest: number): readonly ReleaseId[] {
    const arrived: ReleaseId[] = []
    for (const [release, { number }] of this.envelopes) if (number > newest) arrived.push(release)
    return arrived
  }

  /** Once all were read, which is in the order of their names: from then on they come in that of their arrival. */
  arrange(): void {
    const entries = [...this.envelopes].sort(([, a], [, b]) => a.number - b.number)
    this.envelopes.clear()
    for (const [release, entry] of entries) this.envelopes.set(release, entry)
  }

  /** Oldest first. */
  byArrival(): readonly ReleaseId[] {
    return [...this.envelopes.keys()]
  }
}
