/**
 * Whoever waits over a border for a block hears now and then that this node lives, where it hears nothing else: what it asked
 * for may stand here, or in line, for longer than a peer that says nothing takes to count as silent.
 */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'

export class SignsOfLife {
  readonly #limits: Limits
  /** Peers over a border that wait, and when each is to be told, unless it is given something before. */
  readonly #dueMonoMs = new Map<PeerId, number>()
  /** To whom one was sent since it was linked, and when the last. */
  readonly #sentMonoMs = new Map<PeerId, number>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Half of what makes a neighbour count as silent: of the 700 ms that there are over a border the way takes up to 330, and timers are late. */
  get #pauseMs(): number {
    return this.#limits.blockSilenceMs / 2
  }

  /**
   * One over a border asks, and has to wait. Where it was told nothing for long, or never, it is told at once: the stream that
   * signs take, which costs a round trip, stands by the time that they are needed, unless what this node asks for itself has
   * taken it by then.
   */
  waits(step: Step, peer: PeerId): void {
    if (!this.#dueMonoMs.has(peer)) this.#due(step, peer, this.#isCold(step, peer) ? 0 : this.#pauseMs)
  }

  /** A block has left for it, which is as good, but opens no stream for what may have to be said later. */
  gave(step: Step, peer: PeerId): void {
    if (this.#dueMonoMs.has(peer) && !this.#isCold(step, peer)) this.#due(step, peer, this.#pauseMs)
  }

  forget(peer: PeerId): void {
    this.#sentMonoMs.delete(peer)
    this.#dueMonoMs.delete(peer)
  }

  /** @param wants all that are not answered yet */
  onTick(step: Step, journey: Journey, wants: () => readonly { readonly peer: PeerId }[]): void {
    if (this.#dueMonoMs.size === 0) return
    const waiting = new Set(wants().map(({ peer }) => peer))
    for (const [peer, dueMonoMs] of this.#dueMonoMs) {
      if (!waiting.has(peer)) this.#dueMonoMs.delete(peer)
      else if (dueMonoMs > step.now.monoMs) step.wakeAt(dueMonoMs)
      else {
        this.#tell(step, journey, peer)
        this.#due(step, peer, this.#pauseMs)
      }
    }
  }

  /** A stream is given up once it has stood idle for half of what it may: half of that again, to be sure. */
  #isCold({ now }: Step, peer: PeerId): boolean {
    const sentMonoMs = this.#sentMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY
    return now.monoMs - sentMonoMs >= this.#limits.admittedStreamIdleMs / 4
  }

  #due(step: Step, peer: PeerId, inMs: number): void {
    const dueMonoMs = step.now.monoMs + inMs
    this.#dueMonoMs.set(peer, dueMonoMs)
    step.wakeAt(dueMonoMs)
  }

  /** Nothing new of a release, whichever: it is not known of which the block is, once that is whole. */
  #tell(step: Step, journey: Journey, peer: PeerId): void {
    for (const { channel, target: release } of journey.channels()) {
      if (release === undefined) continue
      const message = { type: 'holds', release, channel, whole: false } as const
      // The first opens a stream: a round trip more, and on a busy host far longer than two pauses.
      const [id, timeoutMs] = [step.nextRequest(), this.#limits.standMs]
      this.#sentMonoMs.set(peer, step.now.monoMs)
      return step.emit({ kind: 'request', id, peer, request: { protocol: 'blocks', message }, timeoutMs })
    }
  }
}
