/**
 * Handshakes of others that are under way. libp2p counts them in all and not by who they are of, so one address with
 * sockets that never speak would shut a node to everybody.
 *
 * Each costs tens of milliseconds of CPU. With all of them begun at once none would end before its dialler gives up, who
 * then comes again: a fleet that restarts together would keep its seeds at work for nothing, for ever. So there are as
 * many at a time as end soon; one turned away at once costs a thousandth and comes back a little later.
 */
import type { MultiaddrConnection } from '@libp2p/interface'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { LogPort } from '../runtime/ports.ts'

/** So soon: twice what three round trips around the world take, and a fifth of what a dialler waits. */
const SOON_MS = 2_000
/** At a time to begin with, and at least: with fewer a handful of slow networks would be in the way of all others. */
export const FIRST = 32
export const LEAST = 16

interface Handshake {
  readonly network: string
  readonly sinceMs: number
}

export class Handshakes {
  readonly #most: number
  readonly #log: LogPort
  readonly #underWay = new Map<MultiaddrConnection, Handshake>()
  /** At a time; one more for each that ended soon, one fewer for each that was late. */
  #room: number

  constructor({ maxHandshakes }: Pick<Limits, 'maxHandshakes'>, log: LogPort) {
    this.#most = maxHandshakes
    this.#room = Math.min(FIRST, maxHandshakes)
    this.#log = log
  }

  /**
   * One network has no more than what is free for all others together: alone it gets half, beside others less. A fixed
   * bound would either slow many nodes behind one address or let a few fill it. Six networks fill it all the same: whoever
   * has fewer under way than one of them then gets a place of that one.
   */
  begin(connection: MultiaddrConnection, network: string): boolean {
    const counts = new Map<string, number>()
    for (const one of this.#underWay.values()) counts.set(one.network, (counts.get(one.network) ?? 0) + 1)
    const here = counts.get(network) ?? 0
    const all = this.#underWay.size
    if (here >= this.#room - all && !(all >= this.#room && this.#makeRoom(counts, here))) {
      const text = `${all} handshakes are under way, ${here} of them of ${network}: one more refused`
      this.#log.note({ kind: 'note', level: 'warn', code: 'LIMIT_STREAMS', text })
      return false
    }
    this.#underWay.set(connection, { network, sinceMs: performance.now() })
    connection.addEventListener('close', () => this.#underWay.delete(connection), { once: true })
    return true
  }

  /**
   * Ends the handshake under way longest, of the network that has most, unless it may still end soon. That network has more
   * than the other even then: where all have as many, as when a fleet restarts and this host is slow, one that is nearly
   * through would make room for one that will not be either.
   */
  #makeRoom(counts: ReadonlyMap<string, number>, here: number): boolean {
    let [largest, most] = ['', here + 1]
    for (const [network, count] of counts) if (count > most) [largest, most] = [network, count]
    // in the order in which they began
    for (const [connection, { network, sinceMs }] of this.#underWay) {
      if (network !== largest) continue
      if (performance.now() - sinceMs <= SOON_MS) return false
      this.#underWay.delete(connection)
      const text = `${most} handshakes of ${network} are under way: the one that is so longest ends`
      this.#log.note({ kind: 'note', level: 'warn', code: 'LIMIT_STREAMS', text })
      connection.abort(new MeshError('LIMIT_STREAMS', text))
      return true
    }
    return false
  }

  /** Done. One that came to nothing tells nothing: most likely the other side never spoke. */
  readonly through = (connection: MultiaddrConnection): void => {
    const handshake = this.#underWay.get(connection)
    if (handshake === undefined) return
    this.#underWay.delete(connection)
    const late = performance.now() - handshake.sinceMs > SOON_MS
    this.#room = late
      ? Math.max(this.#room - 1, Math.min(LEAST, this.#most))
      : Math.min(this.#room + 1, this.#most)
  }
}
