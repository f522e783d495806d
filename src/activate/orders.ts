import type { Channel, ReleaseId } from '../model/ids.ts'
import { activateError } from './errors.ts'

interface Named {
  readonly channel: Channel
  readonly release: ReleaseId
}

/** Activations under way, those that wait for their turn among them: each can be taken back. */
export class Orders {
  readonly #open = new Map<AbortController, Named>()
  /** Why none is carried out any more. */
  #stopped: unknown

  /** @returns given back to `close`; aborted once the order is taken back, or the node stops */
  open({ channel, release }: Named): AbortController {
    const order = new AbortController()
    if (this.#stopped !== undefined) order.abort(this.#stopped)
    this.#open.set(order, { channel, release })
    return order
  }

  close(order: AbortController): void {
    this.#open.delete(order)
  }

  withdraw(channel: Channel, release: ReleaseId): void {
    for (const [order, named] of this.#open)
      if (named.channel === channel && named.release === release)
        order.abort(activateError('ACTIVATE_FAILED', 'withdrawn before it was shown'))
  }

  stop(why: unknown): void {
    this.#stopped = why
    for (const order of this.#open.keys()) order.abort(why)
  }
}
