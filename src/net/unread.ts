/**
 * What peers sent and nobody has taken as a whole message yet, of all connections together. Each stream has its own bound,
 * and of five hundred peers these add up to more than a host has. Beyond the bound the connection that holds most ends:
 * an honest one holds a message or two, and only for as long as that takes to be read.
 */
import type { Stream } from '@libp2p/interface'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { LogPort } from '../runtime/ports.ts'

/** A connection, or what carries one: what yamux holds of it is counted apart from what its streams have handed out. */
interface Ending {
  abort(error: Error): void
}

/** What comes before each message to say how long it is: at most so much of ours. */
const LENGTH_BYTES = 4

export class Unread {
  readonly #most: number
  readonly #log: LogPort
  readonly #held = new Map<Ending, number>()
  /** On their way out: what they held is nobody's any more. */
  readonly #ended = new WeakSet<Ending>()
  #total = 0

  constructor({ maxUnreadBytes }: Pick<Limits, 'maxUnreadBytes'>, log: LogPort) {
    this.#most = maxUnreadBytes
    this.#log = log
  }

  get total(): number {
    return this.#total
  }

  /**
   * Counts what comes on a stream whose messages are read as they come.
   * @returns to be called with the length of each message that is done with
   */
  watch(stream: Stream, connection: Ending): (bytes: number) => void {
    let held = 0
    const change = (by: number) => {
      held += by
      this.change(connection, by)
    }
    stream.addEventListener('message', ({ data }) => {
      // what is handed out after the end would never be taken off again
      if (stream.status === 'open') change(data.byteLength)
    })
    stream.addEventListener('close', () => change(-held))
    return (bytes) => change(-Math.min(held, bytes + LENGTH_BYTES))
  }

  /** So much more, or less, is held of this connection. */
  change(connection: Ending, by: number): void {
    if (by === 0 || this.#ended.has(connection)) return
    const held = (this.#held.get(connection) ?? 0) + by
    if (held > 0) this.#held.set(connection, held)
    else this.#held.delete(connection)
    this.#total += by
    while (this.#total > this.#most) this.#endLargest()
  }

  #endLargest(): void {
    let [largest, most] = [undefined as Ending | undefined, 0]
    for (const [connection, held] of this.#held) if (held > most) [largest, most] = [connection, held]
    if (largest === undefined) return
    const text = `${this.#total} bytes of all peers are not read yet, at most ${this.#most} are held; ${most} of this one`
    this.#log.note({ kind: 'note', level: 'warn', code: 'LIMIT_BYTES', text })
    this.#held.delete(largest)
    this.#ended.add(largest)
    this.#total -= most
    // not from within the read that brought the last of them
    const ending = largest
    setImmediate(() => ending.abort(new MeshError('LIMIT_BYTES', text)))
  }
}
