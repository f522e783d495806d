/** When a peer may be dialled again: endless, with a growing pause and jitter, so that a restarting fleet spreads out. */
import type { Limits } from '../limits.ts'
import type { Address, PeerId } from '../model/ids.ts'
import { LatestMap } from './latest.ts'

interface State {
  /** In a row, without a bound of its own: by it the addresses of a peer take turns. */
  failures: number
  /** Links in a row that were made and did not last. */
  flaps: number
  nextMonoMs: number
  /** A dial or an admission is under way until then at the latest. */
  busyUntilMonoMs: number
  /** The peer said when to come back: until then what ends is no failure. */
  toldUntilMonoMs: number
  /** Where it was dialled when it was admitted last. */
  worked: Address | undefined
}

export class Redial {
  readonly #limits: Limits
  readonly #random: () => number
  readonly #states: LatestMap<PeerId, State>

  constructor(limits: Limits, random: () => number) {
    this.#limits = limits
    this.#random = random
    // Every identity that was ever admitted here leaves one.
    this.#states = new LatestMap(limits.maxKnownPeers)
  }

  failures(peer: PeerId): number {
    return this.#states.get(peer)?.failures ?? 0
  }

  /** Where to dial it: its addresses take turns, and the one that worked last begins; of the others some may never answer. */
  address(peer: PeerId, addresses: readonly Address[], failures = this.failures(peer)): Address | undefined {
    const worked = this.#states.get(peer)?.worked
    const first = worked === undefined ? 0 : Math.max(0, addresses.indexOf(worked))
    return addresses[(first + failures) % Math.max(1, addresses.length)]
  }

  /** Monotonic time of the next attempt; 0: at once. */
  nextMonoMs(peer: PeerId): number {
    const state = this.#states.get(peer)
    return state === undefined ? 0 : Math.max(state.nextMonoMs, state.busyUntilMonoMs)
  }

  isBusy(peer: PeerId, nowMonoMs: number): boolean {
    return (this.#states.get(peer)?.busyUntilMonoMs ?? 0) > nowMonoMs
  }

  /** Dials of which nothing has come yet; one into a void, which costs nobody anything, counts for a while only. */
  underWay(nowMonoMs: number): number {
    const { dialDeadlineMs } = this.#limits
    let count = 0
    for (const { busyUntilMonoMs } of this.#states.values())
      if (busyUntilMonoMs - dialDeadlineMs > nowMonoMs) count += 1
    return count
  }

  dialled(peer: PeerId, nowMonoMs: number): void {
    this.#state(peer).busyUntilMonoMs = nowMonoMs + this.#limits.dialDeadlineMs + this.#limits.admitDeadlineMs
  }

  /** @param short below the wanted degree: the pause grows to `redialMaxMs` only */
  failed(peer: PeerId, nowMonoMs: number, short: boolean): void {
    const { redialMinMs, redialMaxMs, redialIdleMaxMs } = this.#limits
    const state = this.#state(peer)
    state.busyUntilMonoMs = 0
    if (nowMonoMs < state.toldUntilMonoMs) return
    const pauseMs = Math.min(short ? redialMaxMs : redialIdleMaxMs, redialMinMs * 2 ** state.failures)
    state.failures += 1
    state.nextMonoMs = nowMonoMs + pauseMs * (0.5 + this.#random() / 2)
  }

  /** @param dialled where it was dialled; undefined: the peer dialled, which says nothing of its addresses */
  admitted(peer: PeerId, dialled: Address | undefined): void {
    const { flaps = 0, worked } = this.#states.get(peer) ?? {}
    this.#states.delete(peer)
    const last = dialled ?? worked
    if (flaps === 0 && last === undefined) return
    const state = this.#state(peer)
    state.flaps = flaps
    state.worked = last
  }

  /** An admitted link is gone: made anew almost at once, later each time it does not last. */
  ended(peer: PeerId, nowMonoMs: number, livedMs: number): void {
    const { redialMinMs, redialMaxMs, settledLinkMs } = this.#limits
    const state = this.#state(peer)
    state.flaps = livedMs < settledLinkMs ? Math.min(state.flaps + 1, 30) : 0
    const mostMs = state.flaps === 0 ? redialMinMs : Math.min(redialMaxMs, redialMinMs * 2 ** state.flaps)
    this.wait(peer, nowMonoMs + mostMs * this.#random())
  }

  /** The peer has no room now and says when to come back: not before, with jitter, and within our own bounds. */
  told(peer: PeerId, nowMonoMs: number, retryAfterMs: number, short: boolean): void {
    const maxMs = short ? this.#limits.redialMaxMs : this.#limits.linkSwapMs
    const random = this.#random() / 4
    const waitMs = Math.min(Math.max(0, retryAfterMs) * (1 + random), maxMs * (0.75 + random))
    this.wait(peer, nowMonoMs + waitMs)
    this.#state(peer).toldUntilMonoMs = nowMonoMs + waitMs
  }

  isTold(peer: PeerId, nowMonoMs: number): boolean {
    return (this.#states.get(peer)?.toldUntilMonoMs ?? 0) > nowMonoMs
  }

  /** It may be dialled now, or could be once what it said is recalled. */
  isFree(peer: PeerId, nowMonoMs: number): boolean {
    return this.isTold(peer, nowMonoMs) || this.nextMonoMs(peer) <= nowMonoMs
  }

  /** What it said holds no longer. */
  recall(peer: PeerId, nowMonoMs: number): void {
    const state = this.#states.get(peer)
    if (state === undefined || state.toldUntilMonoMs <= nowMonoMs) return
    state.toldUntilMonoMs = nowMonoMs
    state.nextMonoMs = nowMonoMs
  }

  /** Not before so long. */
  wait(peer: PeerId, untilMonoMs: number): void {
    const state = this.#state(peer)
    state.busyUntilMonoMs = 0
    state.nextMonoMs = Math.max(state.nextMonoMs, untilMonoMs)
  }

  /** Below the wanted degree again: nobody waits longer than so long from now. */
  hurry(nowMonoMs: number, mostMsOf: (peer: PeerId) => number): void {
    for (const [peer, state] of this.#states) {
      const mostMs = mostMsOf(peer)
      if (state.nextMonoMs <= nowMonoMs + mostMs) continue
      state.nextMonoMs = nowMonoMs + mostMs * (0.5 + this.#random() / 2)
      // Dialled earlier than it was told: what comes to nothing from then on is a failure, and the pause grows.
      state.toldUntilMonoMs = Math.min(state.toldUntilMonoMs, state.nextMonoMs)
    }
  }

  forget(peer: PeerId): void {
    this.#states.delete(peer)
  }

  #state(peer: PeerId): State {
    let state = this.#states.get(peer)
    if (state === undefined) {
      const never = { nextMonoMs: 0, busyUntilMonoMs: 0, toldUntilMonoMs: 0, worked: undefined }
      state = { failures: 0, flaps: 0, ...never }
      this.#states.set(peer, state)
    }
    return state
  }
}
