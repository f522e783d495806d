/** Where a node says that it is reached, unless it was told what to say. */
import { getThinWaistAddresses } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Address, PeerId } from '../model/ids.ts'
import { diallable } from './address.ts'

const LOOPBACK = /^\/(ip4\/127\.|ip6\/(::1|::ffff:127\.[^/]*)\/|dns[46]?\/localhost\/)/
const isLoopback = (address: Multiaddr | string): boolean => LOOPBACK.test(address.toString())

/**
 * Every address that it listens on, and not what libp2p makes of them: of those that are routed globally it announces none
 * before somebody has confirmed it, and nobody here does. Loopback leads another host to itself: it is for nodes of one host,
 * where there is nothing else.
 */
export function announced(listening: readonly Multiaddr[], peer: PeerId): readonly Address[] {
  const beyond = diallable(
    listening.filter((address) => !isLoopback(address)),
    peer,
  )
  return beyond.length > 0 ? beyond : diallable(listening, peer)
}

interface Place {
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly seeds: readonly string[]
}

/**
 * What keeps other hosts from dialling this node, though it listens for them; undefined: nothing that is seen from here, or it
 * is one of a fleet on one host.
 */
export function unreachable({ listen, announce, seeds }: Place): string | undefined {
  if (announce.length > 0 || listen.every(isLoopback)) return undefined
  if (seeds.length > 0 && seeds.every(isLoopback)) return undefined
  const addresses = listen.flatMap((address) => getThinWaistAddresses(multiaddr(address)))
  if (!addresses.every(isLoopback)) return undefined
  return `no other host can dial it at ${listen.join(', ')}: this host has no address but loopback`
}

export const UNREACHABLE_ADVICE = 'bring its network up, or set announce'
