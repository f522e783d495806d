/** Strangers that publish, and which of them goes where there are too many. */
import type { RequestId } from '../events.ts'
import { hostOf } from '../hosts.ts'
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
