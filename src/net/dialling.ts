/** One dial, and what its failure means. */
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { MeshError } from '../errors.ts'
import type { Address } from '../model/ids.ts'

/** libp2p wraps noise's error and keeps the words alone (noise 17.0.3, `decodeHandshakePayload`). */
const WRONG_PEER = /does not match expected remote identity key/

/**
 * @param address ends in the peer's id
 * @throws MeshError NET_PEER_ID (somebody else answers there), NET_TIMEOUT, NET_UNREACHABLE, with `cut` in its details where
 *   the connection was taken up and ended, as one is that is too many
 */
export async function dial(
  node: Libp2p,
  address: Address,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Connection> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const ends = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
  try {
    return await node.dial(multiaddr(address), { signal: ends })
  } catch (error) {
    throw dialError(address, timeoutMs, error)
  }
}

function dialError(address: Address, timeoutMs: number, error: unknown): MeshError {
  const all = flatten(error)
  const reason = all.map(({ message }) => message).join('; ')
  const because = { cause: error }
  if (WRONG_PEER.test(reason))
    return new MeshError(
      'NET_PEER_ID',
      `${address}: another peer answers there; is the peer id right?`,
      {},
      because,
    )
  if (all.some(({ name }) => name === 'TimeoutError' || name === 'AbortError'))
    return new MeshError('NET_TIMEOUT', `${address}: no answer within ${timeoutMs} ms`, {}, because)
  const details = all.some(isCut) ? { cut: true } : {}
  return new MeshError('NET_UNREACHABLE', `${address}: ${reason}`, details, because)
}

/** libp2p says of a socket that ended in the handshake only that there is no encryption. */
const isCut = (error: Error): boolean =>
  error.name === 'EncryptionFailedError' || ('code' in error && error.code === 'ECONNRESET')

const flatten = (error: unknown): readonly Error[] =>
  error instanceof AggregateError ? error.errors.flatMap(flatten) : [error as Error]
