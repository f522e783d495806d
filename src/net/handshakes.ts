/**
 * Handshakes of others that are under way. libp2p counts them in all and not by who they are of, so one address with
 * sockets that never speak would shut a node to everybody.
 */
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Limits } from '../limits.ts'
import type { LogPort } from '../runtime/ports.ts'

export class Handshakes {
  readonly #most: number
  readonly #log: LogPort
  /** Each with the network it is of. */
  readonly #underWay = new Map<MultiaddrConnection, string>()

  constructor({ maxHandshakes }: Pick<Limits, 'maxHandshakes'>, log: LogPort) {
    this.#most = maxHandshakes
    this.#log = log
  }

  /**
   * One network has no more than what is free for all others together: alone it gets half, beside others less, and there
   * is always room for one more. A fixed bound would either slow many nodes behind one address or let a few fill it.
   */
  begin(connection: MultiaddrConnection, network: string): boolean {
    let here = 0
    for (const one of this.#underWay.values()) if (one === network) here += 1
    const all = this.#underWay.size
    if (here >= this.#most - all) {
      const text = `${all} handshakes are under way, ${here} of them of ${network}: one more refused`
      this.#log.note({ kind: 'note', level: 'warn', code: 'LIMIT_STREAMS', text })
      return false
    }
    this.#underWay.set(connection, network)
    connection.addEventListener('close', () => this.end(connection), { once: true })
    return true
  }

  /** Through, or in vain. */
  readonly end = (connection: MultiaddrConnection): void => {
    this.#underWay.delete(connection)
  }
}
