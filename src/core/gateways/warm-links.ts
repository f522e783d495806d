/** Links kept for the bridge alone: dialled for ever while they are wanted, closed a while after they are not. */
import type { Address, PeerId } from '../../model/ids.ts'
import { peerOf } from '../../model/names.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import { Redial } from '../redial.ts'
import type { Step } from '../step.ts'

/** A gateway that changes for a moment must not cost its links. */
const LINGER_MS = 60_000
/** Of two that want each other the one with the lower id dials; the other only after so long. */
const PATIENCE_MS = 3_000

export class WarmLinks {
  readonly #config: CoreConfig
  readonly #redial: Redial
  #wanted: ReadonlySet<PeerId> = new Set()
  /** Since when it is wanted. */
  readonly #since = new Map<PeerId, number>()
  /** Dialled and not made yet, and when. */
  readonly #dialled = new Map<PeerId, number>()
  /** Made for the bridge, and when it was last wanted. */
  readonly #made = new Map<PeerId, number>()

  constructor(config: CoreConfig) {
    this.#config = config
    this.#redial = new Redial(config.limits, config.random)
  }

  keeps(peer: PeerId): boolean {
    return this.#wanted.has(peer)
  }

  /** @param dialled where it was dialled; undefined: the peer dialled */
  made(peer: PeerId, dialled: Address | undefined): void {
    this.#dialled.delete(peer)
    this.#redial.admitted(peer, dialled)
  }

  /**
   * The dial came to nothing, or the link has ended.
   * @param retryAfterMs when the peer says to come back
   * @returns whether another may be dialled for it
   */
  ended(peer: PeerId, monoMs: number, retryAfterMs?: number): boolean {
    if (retryAfterMs !== undefined && this.#since.has(peer))
      this.#redial.told(peer, monoMs, retryAfterMs, false)
    return this.#dialled.delete(peer)
  }

  look(
    step: Step,
    journey: Journey,
    wanted: readonly PeerId[],
    addressesOf: (peer: PeerId) => readonly Address[],
  ): void {
    const { monoMs } = step.now
    this.#wanted = new Set(wanted)
    for (const peer of this.#since.keys())
      if (!this.#wanted.has(peer)) {
        this.#since.delete(peer)
        this.#redial.forget(peer)
      }
    for (const [peer, atMonoMs] of this.#dialled)
      if (monoMs - atMonoMs >= this.#config.limits.admitDeadlineMs) this.#dialled.delete(peer)
    const due: PeerId[] = []
    for (const peer of wanted) {
      const since = this.#since.get(peer) ?? monoMs
      this.#since.set(peer, since)
      if (this.#made.has(peer)) this.#made.set(peer, monoMs)
      if (journey.session(peer) !== undefined) continue
      const patient = this.#config.self < peer || monoMs - since >= PATIENCE_MS
      if (patient && this.#redial.nextMonoMs(peer) <= monoMs) due.push(peer)
    }
    // Who waits longest first: where some are never reached the last would never be dialled.
    due.sort((a, b) => this.#redial.nextMonoMs(a) - this.#redial.nextMonoMs(b))
    for (const peer of due)
      if (this.#dialled.size < this.#config.limits.maxDialsAtOnce) this.#dial(step, peer, addressesOf(peer))
    this.#close(step, journey)
  }

  /** Addresses take turns; whoever vouches for a peer vouches for its id, and nobody else answers to it. */
  #dial(step: Step, peer: PeerId, addresses: readonly Address[]): void {
    const own = addresses.filter((address) => peerOf(address) === peer)
    const address = this.#redial.address(peer, own)
    if (address === undefined) return
    // Counted as failed until it is admitted: the next attempt waits longer.
    this.#redial.failed(peer, step.now.monoMs, false)
    this.#dialled.set(peer, step.now.monoMs)
    this.#made.set(peer, step.now.monoMs)
    step.emit({ kind: 'dial', address })
  }

  /** One that nobody needs any more: the few links outside that sync wants stay. */
  #close(step: Step, journey: Journey): void {
    if (this.#made.size === 0) return
    const { limits, region } = this.#config
    const outside = [...journey.admitted()].filter(({ hello }) => hello.region !== region)
    let spare = outside.length - limits.outsideDegree
    const longest = [...this.#made].sort(([a, since], [b, other]) => since - other || (a < b ? -1 : 1))
    for (const [peer, lastMonoMs] of longest) {
      if (step.now.monoMs - lastMonoMs < LINGER_MS) continue
      this.#made.delete(peer)
      const session = outside.find((one) => one.peer === peer)
      if (session === undefined || session.direction !== 'outbound' || spare <= 0) continue
      spare -= 1
      step.emit({ kind: 'hangUp', peer, code: 'done' })
    }
  }
}
