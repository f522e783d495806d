/** A node, reached over the mesh by what its API says of it: it stands for a seed on its own host. */
import type { Command } from 'commander'
import { parseAddress } from '../daemon/address.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Seeds } from '../publish/seeds.ts'
import { clientOf, isByThisHost } from './api-options.ts'
import { connect } from './publish-session.ts'

/**
 * The node behind the API. It answers its own host, and there it is reached where it listens: what it
 * announces may lead to it through others, or not from here. An API that is reached on this host may all the same be
 * handed on from another, as a container's is, where nothing else is.
 */
export async function reachNode(command: Command): Promise<Seeds> {
  const { addresses, listening } = await clientOf(command).status()
  const own = isByThisHost(command) ? listening : []
  const others = addresses.filter((address) => !own.includes(address))
  if (own.length + others.length === 0)
    throw new MeshError('NET_UNREACHABLE', 'the node listens on no address; name a seed: --seed ADDRESS')
  if (own.length === 0) return connect(others.map(parseAddress))
  try {
    return await connect(own.map(parseAddress))
  } catch (error) {
    if (!isMeshError(error) || !error.code.startsWith('NET_') || others.length === 0) throw error
    return await connect(others.map(parseAddress))
  }
}
