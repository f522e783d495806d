import { channelHash } from '../codec/digest.ts'
import type { ChannelHash } from '../model/beacon.ts'
import type { Channel } from '../model/ids.ts'

/** Hashes of names, each made once: a stored channel stays for ever. */
export class ChannelHashes {
  readonly #hashes = new Map<Channel, ChannelHash>()
  readonly #names = new Map<ChannelHash, Channel>()

  of = (channel: Channel): ChannelHash => {
    let hash = this.#hashes.get(channel)
    if (hash === undefined) {
      hash = channelHash(channel)
      this.#hashes.set(channel, hash)
      this.#names.set(hash, channel)
    }
    return hash
  }

  /** Whose hash this is, of the channels asked for so far. */
  nameOf(hash: ChannelHash): Channel | undefined {
    return this.#names.get(hash)
  }
}
