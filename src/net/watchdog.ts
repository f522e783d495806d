/**
 * gossipsub opens its streams once for each connection and never again: after an oversize RPC, a slow reader or two
 * crossing dials the connection stands and nothing is heard (js-libp2p#3531). So: look, and make the link anew.
 */
import type { Limits } from '../limits.ts'
import type { PeerId } from '../model/ids.ts'
import type { LogPort } from '../runtime/ports.ts'
import type { Gate } from './gate.ts'
import type { Pubsub } from './gossip.ts'

const MIB = 1024 * 1024
/** A peer that leaves this much unread gets nothing of ours any more. */
export const MAX_UNSENT_BYTES = 4 * MIB
/** And all peers together, each an equal part: at a seed with 500 of them 1 MiB. */
export const MAX_ALL_UNSENT_BYTES = 512 * MIB
export const MISSES = 2

export interface WatchdogOptions {
  readonly gate: Gate
  readonly pubsub: Pick<Pubsub, 'streamsOutbound' | 'streamsInbound'>
  readonly limits: Limits
  readonly log: LogPort
  /** The core sees `disconnected` and dials again. */
  readonly hangUp: (peer: PeerId) => Promise<void>
}

export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #misses = new Map<PeerId, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: WatchdogOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.#options.limits.watchdogMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** One look at every admitted peer. */
  look(): void {
    const { gate, log, hangUp } = this.#options
    const admitted = gate.admitted()
    const mostUnsent = Math.min(MAX_UNSENT_BYTES, MAX_ALL_UNSENT_BYTES / admitted.length)
    for (const peer of this.#misses.keys()) if (!gate.has(peer)) this.#misses.delete(peer)
    for (const peer of admitted) {
      const fault = this.#fault(peer, mostUnsent)
      const misses = fault === undefined ? 0 : (this.#misses.get(peer) ?? 0) + 1
      this.#misses.set(peer, misses)
      if (misses < MISSES) continue
      this.#misses.delete(peer)
      const text = `${fault}: the connection is made anew`
      log.note({ kind: 'note', level: 'warn', code: 'NET_UNREACHABLE', text, peer })
      void hangUp(peer)
    }
  }

  #fault(peer: PeerId, mostUnsent: number): string | undefined {
    const { streamsInbound, streamsOutbound } = this.#options.pubsub
    const outbound = streamsOutbound.get(peer)
    if (outbound === undefined || !streamsInbound.has(peer)) return 'no gossip streams with an admitted peer'
    const unsent = outbound.rawStream?.writeBufferLength ?? 0
    return unsent <= mostUnsent ? undefined : `an admitted peer leaves ${unsent} bytes of gossip unread`
  }
}
