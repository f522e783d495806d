/** Catching up with a peer's roots, one message at a time, each checked before the next is asked for. */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { AdmitReply } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import { hostOf, MAX_HOSTS } from '../hosts.ts'
import type { Journey } from '../journey.ts'
import { LatestMap } from '../latest.ts'
import type { Step } from '../step.ts'

const MINUTE_MS = 60_000
/** Root bytes per host (of strangers) or peer, and minute, given and taken together: reading a root costs a millisecond. */
export class RootBudget {
  readonly #spent = new LatestMap<string, { sinceMonoMs: number; bytes: number }>(MAX_HOSTS)

  /** False: this much is over the budget, and nothing is spent. */
  spend(host: string, bytes: number, nowMonoMs: number, limits: Limits): boolean {
    const known = this.#spent.get(host)
    if (known === undefined || nowMonoMs - known.sinceMonoMs >= MINUTE_MS) {
      if (bytes > limits.maxRootBytesPerMinute) return false
      this.#spent.set(host, { sinceMonoMs: nowMonoMs, bytes })
      return true
    }
    if (known.bytes + bytes > limits.maxRootBytesPerMinute) return false
    known.bytes += bytes
    return true
  }
}

export class RootRun {
  readonly peer: PeerId
  readonly #where: 'above' | 'hole'
  #taken = 0
  #since = 0

  /** @param where roots newer than ours, or those that lack below */
  constructor(peer: PeerId, where: 'above' | 'hole' = 'above') {
    this.peer = peer
    this.#where = where
  }

  /** Ask for the root after ours. */
  ask(step: Step, journey: Journey): RequestId {
    const id = step.nextRequest()
    this.#since = this.#reached(journey)
    const since = this.#since
    const message = since === 0 ? ({ type: 'firstRoot' } as const) : ({ type: 'root', since } as const)
    const request = { protocol: 'admit', message } as const
    step.emit({
      kind: 'request',
      id,
      peer: this.peer,
      request,
      timeoutMs: step.config.limits.admitDeadlineMs,
    })
    return id
  }

  /**
   * Takes the answer in. `more`: we advanced (or somebody else's answer was faster) and may ask again; `ended`: the
   * peer has no more, the root failed, or the run is as long as one may be.
   */
  take(step: Step, journey: Journey, reply: AdmitReply, budget: RootBudget): 'more' | 'ended' {
    const { limits } = step.config
    if (reply.type !== 'root' || reply.root === undefined) return 'ended'
    const address = journey.session(this.peer)?.address
    if (address === undefined) return 'ended'
    if (!budget.spend(hostOf(address), reply.root.length, step.now.monoMs, limits)) {
      const text = 'more root bytes from this address than a minute allows; asked again later'
      step.emit({ kind: 'note', level: 'warn', code: 'LIMIT_RATE', text, peer: this.peer })
      return 'ended'
    }
    this.#taken += 1
    journey.adoptRoot(step, reply.root, this.peer)
    const advanced = this.#reached(journey) > this.#since
    return advanced && this.#taken < limits.maxRootRun ? 'more' : 'ended'
  }

  #reached(journey: Journey): number {
    return this.#where === 'hole' ? journey.lacksRootAfter() : journey.root().version
  }
}
