/** Signatures that this node checks in a second, whoever sends the releases they are of. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { PublishRequest } from '../model/messages.ts'
import { type Bucket, type Buckets, createBucket, createBuckets } from './rate.ts'
import { hostOf, MAX_HOSTS } from './root-run.ts'
import { isAdmitted, type Session } from './session.ts'

/** Of all checks one that asks has a part, and all strangers together half: anybody may submit, and forgeries cost nothing. */
export const SHARES = 8
export const SHARES_OF_STRANGERS = 4

export class Checks {
  readonly #limits: Limits
  readonly #all: Bucket
  readonly #ofStrangers: Bucket
  readonly #ofOne: Buckets<string>

  constructor(limits: Limits) {
    const { verifiesPerSecond, verifiesBurst, maxSignatures } = limits
    // an envelope with all the signatures that it may have passes, however small its part
    const share = (shares: number): [perSecond: number, burst: number] => [
      (verifiesPerSecond * shares) / SHARES,
      Math.max((verifiesBurst * shares) / SHARES, maxSignatures),
    ]
    this.#limits = limits
    this.#all = createBucket(verifiesPerSecond, verifiesBurst)
    this.#ofStrangers = createBucket(...share(SHARES_OF_STRANGERS))
    this.#ofOne = createBuckets(...share(1), MAX_HOSTS)
  }

  /** Of a release that an admitted peer sends by itself, which has a bucket for its messages. */
  take(envelope: Uint8Array, monoMs: number): boolean {
    return this.#all.take(monoMs, this.#cost(envelope))
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
      const { signatures } = decodeEnvelope(envelope, this.#limits.maxEnvelopeBytes, this.#limits)
      return Math.max(1, signatures.length)
    } catch (error) {
      if (!isMeshError(error)) throw error
      return 1
    }
  }
}
