/**
 * gossipsub opens the streams that it writes to one after the other, of all peers: one that does not answer would keep all
 * others waiting for as long as it may take to, and the watchdog would end their links. So they are opened beside that
 * queue, side by side, at most one on a connection.
 */
import type { Connection, Stream } from '@libp2p/interface'

interface Opening {
  readonly stream: Promise<Stream>
  isThrough: boolean
}

export class GossipStreams {
  readonly #openings = new WeakMap<Connection, Opening>()
  readonly #again: (connection: Connection) => boolean

  /** @param again has gossipsub ask for the stream once more, now that it stands or has failed; false: nobody wants it */
  constructor(again: (connection: Connection) => boolean) {
    this.#again = again
  }

  /**
   * What gossipsub is to take for the connection. Asked for a stream it begins to open one, and says at once that there is
   * none yet; what came of it is for whoever asks next. How long it may take is libp2p's to say (10 s).
   */
  of(connection: Connection): Connection {
    const newStream: Connection['newStream'] = async (protocols, options) => {
      const opening = this.#openings.get(connection) ?? this.#open(connection, protocols, options)
      if (!opening.isThrough) throw new Error('the stream is being opened')
      this.#openings.delete(connection)
      const stream = await opening.stream
      // it would be written to for ever, and none opened in its place
      if (stream.status !== 'open') throw new Error('the stream ended before it was used')
      return stream
    }
    return Object.create(connection, { newStream: { value: newStream } })
  }

  #open(connection: Connection, ...asked: Parameters<Connection['newStream']>): Opening {
    const opening = { stream: connection.newStream(...asked), isThrough: false }
    this.#openings.set(connection, opening)
    const through = (stream?: Stream) => {
      opening.isThrough = true
      if (this.#again(connection)) return
      this.#openings.delete(connection)
      stream?.abort(new Error('its peer is not admitted any more'))
    }
    // why it failed is told to gossipsub, which logs it
    opening.stream.then(through, () => through())
    return opening
  }
}
