/**
 * A second process with this node's identity, as when a data folder was copied to another host. Peers keep one
 * connection for each identity, so the two push each other out for ever. What proves it is a peer record that bears
 * this node's signature, is younger than its start, and was not given out here.
 */
import { sha256 } from '../../codec/digest.ts'
import type { Address } from '../../model/ids.ts'
import type { PeerRecord } from '../../model/peer-record.ts'
import { LatestSet } from '../latest.ts'
import type { Step } from '../step.ts'

/** A record is signed anew when the own addresses change; nobody passes on older ones. */
const KEPT_RECORDS = 64
/** How long one is told of after it was last heard of, and how often it is logged. */
const TELL_MS = 600_000
/** What is further ahead than clocks of two hosts are apart may have been signed by this one, when its own clock was ahead. */
const CLOCKS_APART_MS = 60_000
/** So many records an earlier life may have left with peers that heard of it at different times. */
const RECORDS_LEFT = 2

export class Twin {
  readonly #given = new LatestSet<string>(KEPT_RECORDS)
  #startWallMs = Number.POSITIVE_INFINITY
  #heardMonoMs = Number.NEGATIVE_INFINITY
  #toldMonoMs = Number.NEGATIVE_INFINITY
  #addresses: readonly Address[] = []
  #notBefore = 0
  /** How often a record was later than all of before. */
  #outdone = 0

  started(wallMs: number): void {
    this.#startWallMs = wallMs
  }

  /** Of no earlier time has the own record to be, or peers keep to one that an earlier life gave them. */
  get notBefore(): number {
    return this.#notBefore
  }

  /** A record that goes out from here. */
  gave(record: Uint8Array): void {
    this.#given.add(sha256(record))
  }

  /** A record of this very identity that came from a peer, its signature checked. */
  heard(step: Step, { at, addresses }: PeerRecord, bytes: Uint8Array): void {
    const digest = sha256(bytes)
    if (at <= this.#startWallMs || this.#given.has(digest)) return
    const aheadMs = at - step.now.wallMs
    const canOutdo = aheadMs <= step.config.limits.admitSkewMs
    const isLatest = at >= this.#notBefore
    if (canOutdo && isLatest) this.#outdo(at)
    if (canOutdo && aheadMs > CLOCKS_APART_MS && (!isLatest || this.#outdone <= RECORDS_LEFT)) {
      this.#given.add(digest)
      return
    }
    const { monoMs } = step.now
    const isTold = monoMs - this.#toldMonoMs < TELL_MS && addresses.join() === this.#addresses.join()
    this.#heardMonoMs = monoMs
    this.#addresses = addresses
    if (isTold) return
    this.#toldMonoMs = monoMs
    const where = addresses.length === 0 ? 'without an address' : `at ${addresses.join(', ')}`
    const text = `another process runs with this node's identity, ${where}; give each its own data folder and never copy identity.key`
    step.emit({ kind: 'note', level: 'error', code: 'NET_DUPLICATE_ID', text })
  }

  /**
   * An earlier life whose clock was ahead has no answer to that but what it left; another process, which finds ours, outdoes
   * it in turn, and so on until both have told. Beyond what certificates allow nobody admits a node, nor is it outdone:
   * whoever has the key may name the end of all time.
   */
  #outdo(at: number): void {
    this.#notBefore = at + 1
    this.#outdone += 1
  }

  /** Where the other is reached; undefined: none was heard of lately. */
  at(monoMs: number): readonly Address[] | undefined {
    return monoMs - this.#heardMonoMs < TELL_MS ? this.#addresses : undefined
  }
}
