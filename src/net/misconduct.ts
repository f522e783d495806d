import type { MeshError } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'
import type { LogPort, MetricsPort, TransportEvent } from '../runtime/ports.ts'

/**
 * A peer broke a protocol: counted each time, told to the core each time, logged once for each peer, code and
 * connection, so that it cannot fill the log.
 */
export class Misconduct {
  readonly #log: LogPort
  readonly #metrics: MetricsPort
  readonly #sink: (event: TransportEvent) => void
  readonly #logged = new Map<PeerId, Set<string>>()

  constructor(log: LogPort, metrics: MetricsPort, sink: (event: TransportEvent) => void) {
    this.#log = log
    this.#metrics = metrics
    this.#sink = sink
  }

  report(peer: PeerId, { code, message }: MeshError): void {
    const logged = this.#logged.get(peer) ?? new Set()
    if (logged.has(code)) {
      this.#metrics.count({ kind: 'count', metric: 'refused', by: 1, label: code })
    } else {
      this.#logged.set(peer, logged.add(code))
      // a refusal that is logged is counted by the log
      this.#log.note({ kind: 'note', level: 'warn', code, text: message, peer })
    }
    this.#sink({ kind: 'misbehaved', peer, code })
  }

  /** The connection is gone. */
  forget(peer: PeerId): void {
    this.#logged.delete(peer)
  }
}
