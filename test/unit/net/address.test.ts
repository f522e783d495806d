import { syncBuiltinESMExports } from 'node:module'
import os, { type NetworkInterfaceInfo } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, test, vi } from 'vitest'
import { addressOf, diallable, isOwnHost, isTcp, parseAddress } from '../../../src/net/address.ts'
import { newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'

const peer = peerIdOf(newIdentityPem())

test.each(['/ip4/10.0.0.1/tcp/7400', '/ip6/2001:db8::1/tcp/7400', '/dns4/seed.example.com/tcp/7400'])(
  'an address is a TCP multiaddr with a peer id: %s',
  (host) => {
    expect(parseAddress(`${host}/p2p/${peer}`)).toBe(`${host}/p2p/${peer}`)
  },
)

const EXAMPLE = '/dns4/seed1.example.com/tcp/7400/p2p/12D3KooW…'
const NO_HOST = 'is no TCP address of a host'

test.each([
  ['host', 'is no multiaddr', EXAMPLE],
  ['host:7400', 'is no multiaddr', '/dns4/host/tcp/7400/p2p/12D3KooW…'],
  ['10.0.0.1:7400', 'is no multiaddr', '/ip4/10.0.0.1/tcp/7400/p2p/12D3KooW…'],
  ['[2001:db8::1]:7400', 'is no multiaddr', '/ip6/2001:db8::1/tcp/7400/p2p/12D3KooW…'],
  ['', NO_HOST, EXAMPLE],
  ['/ip4/10.0.0.1/tcp/7400', 'does not end in /p2p/', EXAMPLE],
  [`/ip4/10.0.0.1/p2p/${peer}`, NO_HOST, EXAMPLE],
  ['/ip4/10.0.0.1/tcp/7400/p2p/nonsense', 'is no peer id', EXAMPLE],
  [`/ip4/10.0.0.1/tcp/70000/p2p/${peer}`, 'is no multiaddr', EXAMPLE],
  [`/ip4/10.0.0.1/tcp/0/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p/${peer}`, 'more than one', EXAMPLE],
  [`/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/ip4/10.0.0.1/tcp/7400/ws/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/dns4/a.example/tcp/443/tls/ws/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/tcp/7400/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/dnsaddr/a.example/tcp/7400/p2p/${peer}`, NO_HOST, EXAMPLE],
  [`/ip6zone/eth0/ip6/fe80::1/tcp/7400/p2p/${peer}`, NO_HOST, EXAMPLE],
])('%s is refused and shown how to write it', (text, reason, form) => {
  let error: unknown
  try {
    parseAddress(text)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
  expect((error as Error).message).toContain(reason)
  expect((error as Error).message).toMatch(new RegExp(`; write it as ${form.replace(/[.[\]]/g, '\\$&')}$`))
})

test('what is longer than any address is refused unread: reading a peer id takes the square of its length', () => {
  const longest = `/dns4/${'a'.repeat(370)}/tcp/7400/p2p/${peer}`
  expect(parseAddress(longest)).toBe(longest)
  const text = `/ip4/10.0.0.1/tcp/7400/p2p/${'z'.repeat(500)}`
  expect(() => parseAddress(text)).toThrow('is longer than 470 characters')
  expect(() => parseAddress(`${'a'.repeat(466)}:7400`)).toThrow(`characters; write it as ${EXAMPLE}`)
})

test('the own host: loopback in any form, not a stranger', () => {
  expect(isOwnHost(multiaddr('/ip4/127.0.0.1/tcp/1'))).toBe(true)
  expect(isOwnHost(multiaddr('/ip6/::1/tcp/1'))).toBe(true)
  expect(isOwnHost(multiaddr('/ip4/192.0.2.7/tcp/1'))).toBe(false)
  expect(isOwnHost(multiaddr('/dns4/localhost.example/tcp/1'))).toBe(false)
})

test('addresses for others: no unspecified, no link-local, loopback last, the id once', () => {
  const given = [
    '/ip4/127.0.0.1/tcp/1',
    '/ip4/0.0.0.0/tcp/1',
    '/ip6/fe80::1/tcp/1',
    `/ip4/192.0.2.7/tcp/1/p2p/${peer}`,
  ]
  const all = given.map((text) => multiaddr(text))
  expect(diallable(all, peer)).toEqual([
    `/ip4/192.0.2.7/tcp/1/p2p/${peer}`,
    `/ip4/127.0.0.1/tcp/1/p2p/${peer}`,
  ])
  expect(addressOf(multiaddr('/ip4/192.0.2.7/tcp/1'), peer)).toBe(`/ip4/192.0.2.7/tcp/1/p2p/${peer}`)
})

test('addresses for others: public ones first, then private ones, then those of networks of containers here', () => {
  const bridges = Array.from({ length: 16 }, (_, at) => `172.${17 + at}.0.1`)
  const infos = bridges.map((address) => ({ address, family: 'IPv4' }) as NetworkInterfaceInfo)
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ docker0: infos.slice(0, 1), 'br-1': infos.slice(1) })
  syncBuiltinESMExports()
  const all = ['10.0.0.1', ...bridges, '192.168.1.5', '5.9.1.1'].map((host) =>
    multiaddr(`/ip4/${host}/tcp/1`),
  )
  const given = [multiaddr('/ip6/2a01:4f8::1/tcp/1'), multiaddr('/dns4/a.example/tcp/1'), ...all]
  const hosts = diallable(given, peer).map((address) => address.split('/')[2])
  expect(hosts).toEqual(['a.example', '5.9.1.1', '2a01:4f8::1', '10.0.0.1', '192.168.1.5', ...bridges])
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

test('only TCP to a host is dialled: peers may name a socket of this machine, or a carrier of others', () => {
  const tcp = [
    '/ip4/10.0.0.1/tcp/1',
    '/ip6/::1/tcp/1',
    '/ip6zone/eth0/ip6/fe80::1/tcp/1',
    '/dns/a.example/tcp/1',
  ]
  expect(tcp.filter((text) => !isTcp(multiaddr(text)))).toEqual([])
  const others = ['/unix/%2Frun%2Fd.sock', '/dnsaddr/a.example', '/ip4/10.0.0.1/udp/1', `/p2p/${peer}`]
  expect(others.filter((text) => isTcp(multiaddr(text)))).toEqual([])
})
