import { channelHash } from '../codec/digest.ts'
import type { ChannelHash } from '../model/beacon.ts'
import type { Channel } from '../model/ids.ts'

/** Hashes of names, each made once: a stored channel stays for ever. */
export class ChannelHashes {
  readonly #hashes = new Map<Channel, ChannelHash>()

  of = (channel: Channel): ChannelHash => {
    let hash = this.#hashes.get(channel)
    if (hash === undefined) {
      hash = channelHash(channel)
      this.#hashes.set(channel, hash)
    }
    return hash
  }
}
