/** The publisher's side of `/confmesh/publish/1`: a host that listens to nobody and takes no part in gossip. */
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import type { Connection } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Address, PeerId } from '../model/ids.ts'
import type { AnyRequest, PublishReply, PublishRequest } from '../model/messages.ts'
import { addressOf, parseAddress } from './address.ts'
import { dial } from './dialling.ts'
import { type Identity, libp2pKey, newIdentityPem } from './identity.ts'
import { Line } from './line.ts'
import { boundedYamux } from './muxer.ts'
import { nativeNoise } from './noise.ts'
import { protocolRules } from './protocols.ts'
import { Unread } from './unread.ts'

export { parseAddress }

export interface PublishConnection {
  /** Who answered, proven by the handshake. */
  readonly peer: PeerId
  readonly address: Address
  /** It has ended, by whom ever: every request fails. */
  readonly isGone: boolean
  /**
   * One request, one reply; a refusal is a reply.
   * @throws MeshError NET_TIMEOUT, NET_UNREACHABLE, NET_PROTOCOL, LIMIT_BYTES, CODEC_MALFORMED
   */
  ask(request: PublishRequest, timeoutMs: number): Promise<PublishReply>
  /**
   * One after another, none waiting for the reply to the one before it; each reply is handed over, in order.
   * @param timeoutMs for each
   * @throws MeshError as `ask`; what `requests` or `onReply` throw
   */
  askInOrder(
    requests: AsyncIterable<PublishRequest>,
    timeoutMs: number,
    onReply: (reply: PublishReply, request: PublishRequest) => void,
  ): Promise<void>
  /** Frees the socket; safe to call twice. */
  close(): Promise<void>
}

export interface DialOptions {
  readonly limits: Limits
  /** A lasting identity, where the seed is to know the caller again; without, a fresh key. */
  readonly identity?: Identity
  /** Ends a dial that is still under way. */
  readonly signal?: AbortSignal
}

/**
 * @param address as `parseAddress` gives it
 * @throws MeshError NET_UNREACHABLE, NET_PEER_ID, NET_TIMEOUT
 */
export async function dialPublisher(address: Address, options: DialOptions): Promise<PublishConnection> {
  const { limits } = options
  // a connection that ends for it shows in the request that fails
  const unread = new Unread(limits, { note: () => {} })
  const node = await clientHost(options, unread)
  try {
    const connection = await dial(node, address, limits.dialDeadlineMs, options.signal)
    return publishConnection(
      node,
      connection,
      new Line(connection, protocolRules(limits).publish, limits, unread),
    )
  } catch (error) {
    await node.stop()
    throw error
  }
}

async function clientHost({ identity, limits }: DialOptions, unread: Unread): Promise<Libp2p> {
  setDefaultAutoSelectFamilyAttemptTimeout(2_000)
  return createLibp2p({
    privateKey: await libp2pKey(identity?.pem ?? newIdentityPem()),
    transports: [tcp()],
    connectionEncrypters: [nativeNoise()],
    streamMuxers: [boundedYamux(unread, limits)],
    connectionMonitor: { enabled: false },
    connectionManager: { dialTimeout: limits.dialDeadlineMs, addressDialTimeout: limits.dialDeadlineMs },
  })
}

function publishConnection(node: Libp2p, connection: Connection, line: Line): PublishConnection {
  const peer = connection.remotePeer.toString() as PeerId
  const gone = () => line.close(new MeshError('NET_UNREACHABLE', `${peer}: the connection is gone`))
  node.addEventListener('connection:close', gone)
  return {
    peer,
    address: addressOf(connection.remoteAddr, peer),
    get isGone() {
      return line.isClosed
    },
    async ask(message, timeoutMs) {
      let last: PublishReply | undefined
      await line.ask({ protocol: 'publish', message }, timeoutMs, (reply) => {
        if (reply.protocol === 'publish') last = reply.message
      })
      if (last === undefined) throw new MeshError('INTERNAL', `${message.type}: no reply was handed on`)
      return last
    },
    askInOrder: (requests, timeoutMs, onReply) =>
      line.askInOrder(ofPublish(requests), timeoutMs, (reply, request) => {
        if (reply.protocol === 'publish' && request.protocol === 'publish')
          onReply(reply.message, request.message)
      }),
    async close() {
      node.removeEventListener('connection:close', gone)
      line.close(new MeshError('NET_UNREACHABLE', `${peer}: closed by this side`))
      await node.stop()
    },
  }
}

async function* ofPublish(requests: AsyncIterable<PublishRequest>): AsyncGenerator<AnyRequest> {
  for await (const message of requests) yield { protocol: 'publish', message }
}
