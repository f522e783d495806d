/** Peers that a seed sends this node to and that are not linked: they are dialled, and some are beyond reach. */
import type { Limits } from '../../limits.ts'
import type { Address, PeerId } from '../../model/ids.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import type { Session } from '../session.ts'
import type { Step } from '../step.ts'

/** Of those that a seed names fetchers are most, and of more only the latest are told at once. */
export const MAX_SENT_TO = 64

export class SentOn {
  readonly #limits: Pick<Limits, 'dialDeadlineMs' | 'redialMinMs'>
  /** When each was dialled first, since nobody but seeds is linked. */
  readonly #sinceMonoMs = new LatestMap<PeerId, number>(MAX_SENT_TO)
  #nextDialMonoMs = 0

  constructor(limits: Pick<Limits, 'dialDeadlineMs' | 'redialMinMs'>) {
    this.#limits = limits
  }

  dial(step: Step, journey: Journey, peer: PeerId, address: Address | undefined): void {
    const { monoMs } = step.now
    if (monoMs < this.#nextDialMonoMs) return
    if (isAlone(journey)) this.#sinceMonoMs.set(peer, this.#sinceMonoMs.get(peer) ?? monoMs)
    // No address is known: somebody else may know one, for as long as a dial takes.
    if (address === undefined) return
    this.#nextDialMonoMs = monoMs + this.#limits.redialMinMs
    step.emit({ kind: 'dial', address })
  }

  /** What that one has, or others get from it, may come from there. */
  onAdmitted(session: Session | undefined): void {
    if (session?.hello?.submit !== true) this.#sinceMonoMs.clear()
  }

  /**
   * Nobody but seeds is linked, and no dial to this one has come to anything in time: what it was given comes here neither from
   * it nor from anybody else.
   */
  isBeyondReach(journey: Journey, peer: PeerId, monoMs: number): boolean {
    if (journey.session(peer) !== undefined || !isAlone(journey)) return false
    const sinceMonoMs = this.#sinceMonoMs.get(peer)
    return sinceMonoMs !== undefined && monoMs - sinceMonoMs >= this.#limits.dialDeadlineMs
  }
}

/** With nobody but seeds. */
function isAlone(journey: Journey): boolean {
  for (const { hello } of journey.admitted()) if (!hello.submit) return false
  return true
}
