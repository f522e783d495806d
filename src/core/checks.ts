/** Signatures that this node checks in a second, whoever sends the releases they are of. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Name, PeerId } from '../model/ids.ts'
import type { PublishRequest } from '../model/messages.ts'
import { hostOf, MAX_HOSTS } from './hosts.ts'
import type { Ingested } from './journey.ts'
import { type Bucket, type Buckets, createBucket, createBuckets } from './rate.ts'
import { leastBuiltIn, readRelease } from './release-bytes.ts'
import { isAdmitted, type Session } from './session.ts'

/**
 * Of all checks one peer has a part for what comes to nothing, as has one that submits, and all strangers together half:
 * anybody may submit, and forgeries cost nothing.
 */
export const SHARES = 8
export const SHARES_OF_STRANGERS = 4
/** Once one publisher has had half the rest is for others: its key may sign releases of new channels without end. */
export const SHARES_OF_PUBLISHER = 4

export class Checks {
  readonly #readable: Limits
  readonly #all: Bucket
  readonly #ofStrangers: Bucket
  readonly #ofOne: Buckets<string>
  /** By what verified alone: whoever forges in a publisher's name takes nothing of its part. */
  readonly #ofPublisher: Buckets<Name>
  readonly #forOthers: number

  constructor(limits: Limits) {
    // what is over a lower limit of this node's own is checked, too, for whose it is
    this.#readable = leastBuiltIn(limits)
    const { verifiesPerSecond, verifiesBurst, maxSignatures } = this.#readable
    // an envelope with all the signatures that it may have passes, however small its part
    const share = (shares: number): [perSecond: number, burst: number] => [
      (verifiesPerSecond * shares) / SHARES,
      Math.max((verifiesBurst * shares) / SHARES, maxSignatures),
    ]
    this.#all = createBucket(...share(SHARES))
    this.#ofStrangers = createBucket(...share(SHARES_OF_STRANGERS))
    this.#ofOne = createBuckets(...share(1), MAX_HOSTS)
    this.#ofPublisher = createBuckets(...share(SHARES_OF_PUBLISHER), limits.maxPublishers)
    this.#forOthers = (verifiesBurst * (SHARES - SHARES_OF_PUBLISHER)) / SHARES
  }

  /**
   * Of a release that a peer says by itself: what it takes, or whose part is used up. Forgeries, and the same release in ever
   * new envelopes, use up the part of the peer that says them and not the checks of all others; whoever relays much that
   * is new is held up by `gossipPerSecond` alone, and where all are short of checks by the part of its publisher: sync brings
   * what is left out.
   */
  take(envelope: Uint8Array, peer: PeerId, monoMs: number): number | 'of-peer' | 'of-all' | 'of-publisher' {
    const cost = this.#cost(envelope)
    if (this.#isOverShare(envelope, monoMs, cost)) return 'of-publisher'
    if (!this.#ofOne.take(peer, monoMs, cost)) return 'of-peer'
    if (this.#all.take(monoMs, cost)) return cost
    this.#ofOne.giveBack(peer, cost)
    return 'of-all'
  }

  /** It was new: the part of that peer is as it was, what all take is not, nor that of the publisher. */
  accepted(peer: PeerId, cost: number, { release }: Pick<Ingested, 'release'>, monoMs: number): void {
    this.#ofOne.giveBack(peer, cost)
    if (release !== undefined) this.#ofPublisher.take(release.header.publisher, monoMs, cost)
  }

  /** While there is enough for all nothing is read for this. */
  #isOverShare(envelope: Uint8Array, monoMs: number, cost: number): boolean {
    if (this.#all.has(monoMs, this.#forOthers + cost)) return false
    const read = readRelease(envelope, this.#readable)
    return read.kind === 'read' && !this.#ofPublisher.has(read.release.header.publisher, monoMs, cost)
  }

  /** Of one that is submitted, or whose place is asked for; whatever else is asked needs none. */
  takeAsked(message: PublishRequest, session: Session, monoMs: number): boolean {
    if (message.type !== 'submit' && message.type !== 'lease') return true
    const cost = this.#cost(message.envelope)
    const stranger = !isAdmitted(session)
    return (
      this.#ofOne.take(stranger ? hostOf(session.address) : session.peer, monoMs, cost) &&
      (!stranger || this.#ofStrangers.take(monoMs, cost)) &&
      this.#all.take(monoMs, cost)
    )
  }

  /** Each signature may name a key of the publisher's, and is tried then. */
  #cost(envelope: Uint8Array): number {
    try {
      const { signatures } = decodeEnvelope(envelope, this.#readable.maxEnvelopeBytes, this.#readable)
      return Math.max(1, signatures.length)
    } catch (error) {
      if (!isMeshError(error)) throw error
      return 1
    }
  }
}
