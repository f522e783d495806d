import type { PeerId } from '@libp2p/interface'
import { plainHost } from './plain-host.ts'

interface Locking {
  readonly peerId: PeerId
  getLock(this: Locking, id: PeerId): unknown
}

/**
 * Locks of libp2p's peer store (`@libp2p/peer-store` 12.0.28) are those of all hosts in a process: what hangs on one would hold
 * up another. From now on each host of this file has its own, as in a process of its own.
 */
export async function lockAlone(): Promise<void> {
  const { peerStore } = await plainHost({ listen: false })
  const locking: Locking = Object.getPrototypeOf((peerStore as unknown as { store: Locking }).store)
  const { getLock } = locking
  locking.getLock = function (id) {
    const name = `${id} at ${this.peerId}`
    return getLock.call(this, Object.create(id, { toString: { value: () => name } }))
  }
}
