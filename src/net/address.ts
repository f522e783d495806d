/** Addresses of peers: multiaddrs, as people write them and as connections show them. */
import { networkInterfaces } from 'node:os'
import { peerIdFromString } from '@libp2p/peer-id'
import { isPrivateIp } from '@libp2p/utils'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { MeshError } from '../errors.ts'
import type { Address, PeerId } from '../model/ids.ts'

const EXAMPLE = '/dns4/seed1.example.com/tcp/7400/p2p/12D3KooW…'
/** As long as those that peers tell each other (`parseAddress` of model/names.ts). */
export const MAX_CHARACTERS = 470
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/
const UNUSABLE = /^(0\.0\.0\.0|::|fe80:.*)$/

const HOST_NAMES: ReadonlySet<string> = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6'])

const HOST_PORT = /^\[?([\d.]+|[\da-f:]*:[\da-f:]*|[a-z\d.-]+)\]?:(\d{1,5})$/i

/** What most people try first is HOST:PORT: the same as a multiaddr. */
export function ofHostPort(text: string): string | undefined {
  // nothing so long is a host, and the colons of a file's whole text would be tried in pairs
  const [, host, port] = text.length > MAX_CHARACTERS ? [] : (HOST_PORT.exec(text) ?? [])
  if (host === undefined) return undefined
  const kind = host.includes(':') ? 'ip6' : /^[\d.]+$/.test(host) ? 'ip4' : 'dns4'
  return `/${kind}/${host}/tcp/${port}`
}

const form = (text: string): string => {
  const place = ofHostPort(text)
  return place === undefined ? EXAMPLE : `${place}/p2p/12D3KooW…`
}

/**
 * The address of a peer as given by a person: host, TCP port and `/p2p/<peer id>`, since whoever answers there must prove to
 * be exactly that peer, and no more, since nothing else is dialled.
 * @throws MeshError CONFIG_INVALID
 */
export function parseAddress(text: string): Address {
  const wrong = (reason: string, cause?: unknown) =>
    new MeshError(
      'CONFIG_INVALID',
      `address "${text.slice(0, 200)}" ${reason}; write it as ${form(text)}`,
      {},
      { cause },
    )
  // a peer id is base58: reading one takes the square of its length, hours where a file's whole text is one
  if (text.length > MAX_CHARACTERS) throw wrong(`is longer than ${MAX_CHARACTERS} characters`)
  let address: Multiaddr
  try {
    address = multiaddr(text)
  } catch (error) {
    throw wrong('is no multiaddr', error)
  }
  const [host, port, ...ids] = address.getComponents()
  const isTcpAlone = HOST_NAMES.has(host?.name ?? '') && port?.name === 'tcp' && Number(port.value) > 0
  if (!isTcpAlone || ids.some(({ name }) => name !== 'p2p')) throw wrong('is no TCP address of a host')
  const [last] = ids
  if (last?.value === undefined) throw wrong('does not end in /p2p/<peer id>')
  if (ids.length > 1) throw wrong('names more than one peer id')
  try {
    peerIdFromString(last.value)
  } catch (error) {
    throw wrong('ends in something that is no peer id', error)
  }
  return address.toString() as Address
}

/** TCP to a host: what peers say of others may name sockets of this machine, too (`/unix/…`), which are not dialled. */
export function isTcp(address: Multiaddr): boolean {
  const [host, port] = address.getComponents().filter(({ name }) => name !== 'ip6zone')
  return HOST_NAMES.has(host?.name ?? '') && port?.name === 'tcp'
}

/** The peer id at the end, where there is one. */
export function peerIdIn(address: Multiaddr): PeerId | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value as PeerId | undefined
}

/** IP address or host name. */
export function hostOf(address: Multiaddr): string | undefined {
  return address.getComponents().find(({ name }) => /^(ip4|ip6|dns|dns4|dns6|dnsaddr)$/.test(name))?.value
}

/** Of `/<kind>/<host>/tcp/<port>…`, the host as multiaddrs write it. @throws Error saying what is wrong with either */
export function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [host, tcp] = multiaddr(text).getComponents()
  return { host: host?.value ?? '', port: Number(tcp?.value) }
}

/** With the peer's id at the end, whatever the connection shows. */
export function addressOf(address: Multiaddr, peer: PeerId): Address {
  const bare = peerIdIn(address) === undefined ? `${address}/p2p/${peer}` : address.toString()
  return bare as Address
}

/** From this very host: loopback, or one of its own addresses (which a container's host, say, does not have). */
export function isOwnHost(address: Multiaddr): boolean {
  const host = hostOf(address)
  if (host === undefined) return false
  if (LOOPBACK.test(host)) return true
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return own.some(({ address: mine }) => mine === host.replace(/^::ffff:/, ''))
}

/** Networks of containers and virtual machines on this host: another one has its own at the same addresses. */
const INNER = /^(docker|br-|veth|virbr|cni|podman|flannel|cali|lxc)/

/** How far away an address is understood: 0 everywhere, 1 on private networks, 2 and 3 on this host alone. */
function rankOf(address: Multiaddr, inner: ReadonlySet<string>): number {
  const host = hostOf(address) ?? ''
  if (LOOPBACK.test(host)) return 3
  if (inner.has(host)) return 2
  return isPrivateIp(host) === true ? 1 : 0
}

/**
 * What others can dial, each with `/p2p/<peer id>`; first what most can: records and heartbeats have room for few, and the
 * first one is dialled first.
 */
export function diallable(addresses: readonly Multiaddr[], peer: PeerId): readonly Address[] {
  const usable = addresses.filter((address) => !UNUSABLE.test(hostOf(address) ?? ''))
  const interfaces = Object.entries(networkInterfaces()).filter(([name]) => INNER.test(name))
  const inner = new Set(interfaces.flatMap(([, list]) => (list ?? []).map(({ address }) => address)))
  const rank = (address: Multiaddr) => rankOf(address, inner)
  const sorted = usable.toSorted((a, b) => rank(a) - rank(b) || (a.toString() < b.toString() ? -1 : 1))
  return [...new Set(sorted.map((address) => addressOf(address, peer)))]
}
