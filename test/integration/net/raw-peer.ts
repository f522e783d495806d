/** A peer without our code: says what the test gives it, byte for byte. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { encodeRequest } from '../../../src/codec/messages.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'

export interface RawPeer {
  readonly id: PeerId
  readonly address: Address
  dial(address: Address): Promise<void>
  stream(protocol: string): Promise<Stream>
  /** Whatever is asked, these bytes come back. */
  answer(protocol: string, bytes: Uint8Array): Promise<void>
  encode(request: AnyRequest): Uint8Array
  stop(): Promise<void>
}

export async function rawPeer({ listen = false } = {}): Promise<RawPeer> {
  const node = await createLibp2p({
    addresses: { listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  return {
    id: node.peerId.toString() as PeerId,
    get address() {
      return String(node.getMultiaddrs()[0]) as Address
    },
    async dial(address) {
      await node.dial(multiaddr(address))
    },
    async stream(protocol) {
      const [connection] = node.getConnections()
      if (connection === undefined) throw new Error('not connected')
      return connection.newStream([protocol], { maxOutboundStreams: 64 })
    },
    async answer(protocol, bytes) {
      await node.handle(protocol, (stream) => {
        stream.addEventListener('message', () => void stream.send(bytes), { once: true })
      })
    },
    encode: ({ protocol, message }) => encodeRequest(protocol, message as never),
    async stop() {
      await node.stop()
    },
  }
}
