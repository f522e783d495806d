/** Where a node says that it is reached, unless it was told what to say. */
import { getThinWaistAddresses } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Address, PeerId } from '../model/ids.ts'
import { addressOf, diallable, peerIdIn } from './address.ts'

const LOOPBACK = /^\/(ip4\/127\.|ip6\/(::1|::ffff:127\.[^/]*)\/|dns[46]?\/localhost\.?\/)/
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

/**
 * What it is told to announce, in that order: whoever wrote it knows what most of the others reach, which may be a private
 * address before a public one.
 */
export function asWritten(announce: readonly string[], peer: PeerId): readonly Address[] {
  return [...new Set(announce.map((text) => addressOf(multiaddr(text), peer)))]
}

/** The first that bears the id of another peer: nobody takes this node for that one, so nobody's dial comes to anything. */
export function ofAnother(announce: readonly string[], self: PeerId): string | undefined {
  return announce.find((text) => (peerIdIn(multiaddr(text)) ?? self) !== self)
}

interface Place {
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly seeds: readonly string[]
}

export interface Unreachable {
  readonly text: string
  readonly advice: string
}

/**
 * What keeps other hosts from dialling this node, though it listens for them; undefined: nothing that is seen from here, or it
 * is one of a fleet on one host. Where it is told what to announce, somebody may pass on to it what comes there, unless
 * this host has addresses, but of the family alone on which it does not listen.
 */
export function unreachable({ listen, announce, seeds }: Place): Unreachable | undefined {
  if (listen.every(isLoopback)) return undefined
  if ([announce, seeds].some((list) => list.length > 0 && list.every(isLoopback))) return undefined
  if (listen.some(leadsHere)) return undefined
  const other = EVERYWHERE.find(leadsHere)
  if (other === undefined && announce.length > 0) return undefined
  const text = `no other host can dial it at ${listen.join(', ')}: this host has no address but loopback`
  if (other === undefined) return { text, advice: 'bring its network up, or set announce' }
  const family = other.startsWith('/ip6') ? 'IPv6' : 'IPv4'
  const port = /\/tcp\/(\d+)/.exec(listen[0] as string)?.[1] ?? '0'
  const advice = `add ${other.replace(/\d+$/, port)} to listen, or bring the rest of its network up`
  return { text: `${text} there, and others of ${family}`, advice }
}

const EVERYWHERE = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']

/** One address at least that this stands for is beyond loopback. */
const leadsHere = (address: string): boolean => !getThinWaistAddresses(multiaddr(address)).every(isLoopback)
