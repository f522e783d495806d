import type { Channel, ReleaseId } from '../model/ids.ts'
import { activateError } from './errors.ts'

interface Named {
  readonly channel: Channel
  readonly release: ReleaseId
}

/** Activations under way, those that wait for their turn among them: each can be taken back. */
export class Orders {
  /** By channel, each of which has few: a root may take back those of all at once. */
  readonly #open = new Map<Channel, Map<AbortController, ReleaseId>>()
  /** Why none is carried out any more. */
  #stopped: unknown

  /** @returns given back to `close`; aborted once the order is taken back, or the node stops */
  open({ channel, release }: Named): AbortController {
    const order = new AbortController()
    if (this.#stopped !== undefined) order.abort(this.#stopped)
    const orders = this.#open.get(channel) ?? new Map<AbortController, ReleaseId>()
    this.#open.set(channel, orders.set(order, release))
    return order
  }

  close(channel: Channel, order: AbortController): void {
    const orders = this.#open.get(channel)
    orders?.delete(order)
    if (orders?.size === 0) this.#open.delete(channel)
  }

  withdraw(channel: Channel, release: ReleaseId): void {
    for (const [order, named] of this.#open.get(channel) ?? [])
      if (named === release) order.abort(activateError('ACTIVATE_FAILED', 'withdrawn before it was shown'))
  }

  stop(why: unknown): void {
    this.#stopped = why
    for (const orders of this.#open.values()) for (const order of orders.keys()) order.abort(why)
  }
}
