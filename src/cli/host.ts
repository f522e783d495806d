import { BlockList, isIP } from 'node:net'
import { MeshError } from '../errors.ts'
import type { Address, PeerId } from '../model/ids.ts'

/** Where a seed is reached, as people write it: an IP address or a DNS name. */
export interface Host {
  readonly text: string
  readonly kind: 'ip4' | 'ip6' | 'dns'
  readonly loopback: boolean
}

/** With a dot at its end no search domains are tried. */
const DNS_NAME =
  /^(?=.{1,253}\.?$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.?$/i

/** Any address, and those of one link, which mean something with the name of an interface of that very host alone. */
const NOWHERE = new BlockList()
NOWHERE.addAddress('0.0.0.0')
NOWHERE.addAddress('::', 'ipv6')
NOWHERE.addSubnet('fe80::', 10, 'ipv6')

/** @throws MeshError USAGE */
export function parseHost(text: string): Host {
  const family = isIP(text)
  if (family !== 0 && (text.includes('%') || NOWHERE.check(text, `ipv${family as 4 | 6}`)))
    throw new MeshError(
      'USAGE',
      `--host: nobody reaches the seed at "${text}" from another host; name where others reach it, it listens on all addresses by itself`,
      { argument: '--host' },
    )
  if (family === 4) return { text, kind: 'ip4', loopback: text.startsWith('127.') }
  if (family === 6) return { text, kind: 'ip6', loopback: text === '::1' }
  // A last label of digits is a mistyped IP address, as no top-level domain is a number.
  if (DNS_NAME.test(text) && !/(^|\.)\d+\.?$/.test(text))
    return { text, kind: 'dns', loopback: /^localhost\.?$/.test(text) }
  throw new MeshError('USAGE', `--host: "${text}" is neither an IP address nor a DNS name`, {
    argument: '--host',
  })
}

export const addressOf = (host: Host, port: number): string => `/${host.kind}/${host.text}/tcp/${port}`

export const dialAddress = (host: Host, port: number, peer: PeerId): Address =>
  `${addressOf(host, port)}/p2p/${peer}` as Address

/** The seed's HTTP is on 127.0.0.1, which one that listens on IPv6 alone leaves free. @throws MeshError USAGE */
export function requireOther(hosts: readonly Host[], port: number, apiPort: number): void {
  if (port === apiPort && hosts.some(({ kind }) => kind !== 'ip6'))
    throw new MeshError(
      'USAGE',
      `--port ${port} is that of the seed's HTTP, too; name another, or --api-port`,
      {
        argument: '--port',
      },
    )
}

/** What to listen on so that every host address leads here, and no more than that: loopback stays on loopback. */
export function listenAddresses(hosts: readonly Host[], port: number): string[] {
  const addresses = hosts.map(({ kind, loopback }) => {
    if (kind === 'ip6') return `/ip6/${loopback ? '::1' : '::'}/tcp/${port}`
    return `/ip4/${loopback ? '127.0.0.1' : '0.0.0.0'}/tcp/${port}`
  })
  const wide = new Set(addresses.filter((address) => /\/(0\.0\.0\.0|::)\//.test(address)))
  const narrow = addresses.filter((address) => ![...wide].some((w) => w.slice(0, 5) === address.slice(0, 5)))
  return [...new Set([...wide, ...narrow])]
}

/** What nodes listen on that may be anywhere: the families in which their seed is reached. A name is taken for IPv4. */
export const nodeListenAddresses = (hosts: readonly Host[]): string[] => [
  ...new Set(hosts.map(({ kind }) => (kind === 'ip6' ? '/ip6/::/tcp/0' : '/ip4/0.0.0.0/tcp/0'))),
]
