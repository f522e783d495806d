/** A peer without our code: says what the test gives it, byte for byte. */
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { Uint8ArrayList } from 'uint8arraylist'
import { encodeRequest } from '../../../src/codec/messages.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { plainHost } from './plain-host.ts'

export interface RawPeer {
  readonly id: PeerId
  readonly address: Address
  dial(address: Address, options?: { readonly force: boolean }): Promise<void>
  connections(): number
  /** Resolves once it knows which protocols the other side speaks. */
  identified(): Promise<void>
  /** Gossip streams opened to it. */
  meshsubStreams(): number
  stream(protocol: string): Promise<Stream>
  /** From now on it answers nothing on streams that are opened to it. */
  ignoreStreams(): void
  /** Frames of yamux as they are, whatever they say. */
  frames(bytes: Uint8Array): void
  /** Each as a message of noise, whatever is in it. */
  secured(messages: readonly Uint8Array[]): void
  /** Whatever is asked, these bytes come back. */
  answer(protocol: string, bytes: Uint8Array): Promise<void>
  encode(request: AnyRequest): Uint8Array
  stop(): Promise<void>
}

/** What libp2p answers with. */
interface Answering {
  readonly muxer: { removeEventListener(type: 'stream', listener: () => void): void }
  onIncomingStream(): void
}

/** What noise makes of a connection. */
interface Secured {
  readonly handshake: { encrypt(message: Uint8Array): Uint8Array | Uint8ArrayList }
  readonly stream: { send(bytes: Uint8ArrayList): void }
}

export async function rawPeer({ listen = false, meshsub = false } = {}): Promise<RawPeer> {
  const known = Promise.withResolvers<void>()
  let meshsubStreams = 0
  const node = await plainHost({ listen })
  node.addEventListener('peer:identify', () => known.resolve())
  if (meshsub)
    await node.handle('/meshsub/1.1.0', () => {
      meshsubStreams += 1
    })
  return {
    id: node.peerId.toString() as PeerId,
    get address() {
      return String(node.getMultiaddrs()[0]) as Address
    },
    async dial(address, { force } = { force: false }) {
      await node.dial(multiaddr(address), { force })
    },
    connections: () => node.getConnections().length,
    identified: () => known.promise,
    meshsubStreams: () => meshsubStreams,
    async stream(protocol) {
      const [connection] = node.getConnections()
      if (connection === undefined) throw new Error('not connected')
      return connection.newStream([protocol], { maxOutboundStreams: 64 })
    },
    ignoreStreams() {
      for (const connection of node.getConnections()) {
        const { muxer, onIncomingStream } = connection as unknown as Answering
        muxer.removeEventListener('stream', onIncomingStream)
      }
    },
    frames(bytes) {
      const [connection] = node.getConnections()
      const { muxer } = connection as unknown as { readonly muxer: { send(bytes: Uint8Array): void } }
      muxer.send(bytes)
    },
    secured(messages) {
      const [connection] = node.getConnections()
      const { maConn } = (connection as unknown as { readonly muxer: { readonly maConn: Secured } }).muxer
      for (const message of messages) {
        const text = maConn.handshake.encrypt(message)
        maConn.stream.send(
          new Uint8ArrayList(Uint8Array.of(text.byteLength >> 8, text.byteLength & 255), text),
        )
      }
    },
    async answer(protocol, bytes) {
      await node.handle(protocol, (stream) => {
        stream.addEventListener('message', () => void stream.send(bytes))
      })
    },
    encode: ({ protocol, message }) => encodeRequest(protocol, message as never),
    async stop() {
      await node.stop()
    },
  }
}
