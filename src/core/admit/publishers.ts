/** Strangers that publish, and which of them goes where there are too many. */
import type { Limits } from '../../limits.ts'
import type { RequestId } from '../events.ts'
import { hostOf } from '../hosts.ts'
import { isAdmitted } from '../session.ts'
import type { Link } from './link.ts'

export class Publishers {
  /** Questions of theirs that have no answer yet. */
  readonly #waiting = new Map<RequestId, Link>()

  asked(link: Link, id: RequestId): void {
    this.#waiting.set(id, link)
  }

  answered(id: RequestId): void {
    this.#waiting.delete(id)
  }

  gone(link: Link): void {
    for (const [id, of] of this.#waiting) if (of === link) this.#waiting.delete(id)
  }

  /**
   * Who goes for this one, if anybody: half of the places of strangers are for those that publish, so that whoever asks now and
   * then keeps out neither new nodes nor publishers, and of one address there are no more than may be strangers.
   */
  tooMany(link: Link, links: Iterable<Link>, limits: Limits): Link | undefined {
    if (isAdmitted(link.session)) return undefined
    const kept = [...links].filter((one) => one.publishedMonoMs !== undefined && !isAdmitted(one.session))
    const host = hostOf(link.session.address)
    const here = kept.filter(({ session }) => hostOf(session.address) === host)
    if (here.length > limits.maxUnadmittedPerAddress) return this.leastMissed(here)
    return kept.length > limits.maxUnadmitted / 2 ? this.leastMissed(kept) : undefined
  }

  /**
   * Of the host that has most: whoever takes many would else cut off all others, for a publisher says nothing while it waits
   * or sends. There, of those that wait for nothing, the one that was idle longest.
   */
  leastMissed(kept: readonly Link[]): Link {
    const ofHost = Map.groupBy(kept, ({ session }) => hostOf(session.address))
    const most = Math.max(...[...ofHost.values()].map(({ length }) => length))
    const of = [...ofHost.values()].filter(({ length }) => length === most).flat()
    const waiting = new Set(this.#waiting.values())
    const idle = of.filter((link) => !waiting.has(link))
    const since = ({ publishedMonoMs = 0 }: Link): number => publishedMonoMs
    return (idle.length > 0 ? idle : of).reduce((a, b) => (since(b) < since(a) ? b : a))
  }
}
