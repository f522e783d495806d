import { syncBuiltinESMExports } from 'node:module'
import os, { type NetworkInterfaceInfo } from 'node:os'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkAnnounced } from '../../../src/daemon/doctor/network.ts'
import { announced, unreachable } from '../../../src/net/announced.ts'
import { newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'

const peer = peerIdOf(newIdentityPem())
const SEED = `/dns4/seed.example.com/tcp/7400/p2p/${peer}`
const WILD = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/7400']

/** This host has these addresses. */
function withAddresses(...addresses: readonly string[]): void {
  const infos = addresses.map((address) => {
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4' } as NetworkInterfaceInfo
  })
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ eth0: infos })
  syncBuiltinESMExports()
}
beforeEach(() => withAddresses('127.0.0.1', '::1', 'fe80::1'))
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

test.each([
  [
    ['/ip4/127.0.0.1/tcp/1', '/ip4/5.9.1.1/tcp/1', '/ip6/::1/tcp/1', '/ip6/2a01:4f8::1/tcp/1'],
    ['/ip4/5.9.1.1/tcp/1', '/ip6/2a01:4f8::1/tcp/1'],
  ],
  [['/ip4/127.0.0.1/tcp/1', '/ip6/fe80::1/tcp/1'], ['/ip4/127.0.0.1/tcp/1']],
  [[], []],
])(
  'of what it listens on others are told all but loopback, and that where there is nothing else: %j',
  (all, told) => {
    const addresses = announced(
      all.map((text) => multiaddr(text)),
      peer,
    )
    expect(addresses).toEqual(told.map((text) => `${text}/p2p/${peer}`))
  },
)

const NODE = { listen: WILD, announce: [], seeds: [SEED] }
test('it says that no other host can dial it where loopback is all that a wildcard stands for', () => {
  const text = `no other host can dial it at ${WILD.join(', ')}: this host has no address but loopback`
  const advice = 'bring its network up, or set announce'
  expect(unreachable(NODE)).toEqual({ text, advice })
  expect(unreachable({ ...NODE, seeds: [] })).toEqual({ text, advice })
  expect(checkAnnounced(NODE as unknown as NodeConfig)).toMatchObject({
    ok: false,
    advice: expect.stringContaining('announce'),
  })
})

test.each([
  ['it is told what to announce', { announce: ['/ip4/192.0.2.1/tcp/7400'] }],
  ['it listens on loopback alone, on purpose', { listen: ['/ip4/127.0.0.1/tcp/7400', '/ip6/::1/tcp/7400'] }],
  ['its seeds are of this host', { seeds: [`/ip4/127.0.0.1/tcp/7400/p2p/${peer}`] }],
  ['it listens on an address that it names', { listen: ['/ip4/192.0.2.7/tcp/7400'] }],
])('it does not say so where %s', (_, more) => {
  expect(unreachable({ ...NODE, ...more })).toBeUndefined()
  expect(checkAnnounced({ ...NODE, ...more } as unknown as NodeConfig)).toMatchObject({ ok: true })
})

test.each([
  [['127.0.0.1', '::1', '2001:db8::1'], '/ip4/0.0.0.0/tcp/7400', 'IPv6', '/ip6/::/tcp/7400'],
  [['127.0.0.1', '192.0.2.1', 'fe80::1'], '/ip6/::/tcp/0', 'IPv4', '/ip4/0.0.0.0/tcp/0'],
])(
  'of a host with %j that listens on %s it says that it has addresses of %s',
  (has, listens, family, add) => {
    withAddresses(...has)
    const node = { ...NODE, listen: [listens] }
    const found = {
      text: `no other host can dial it at ${listens}: this host has no address but loopback there, and others of ${family}`,
      advice: `add ${add} to listen, or bring the rest of its network up`,
    }
    // What is announced then leads to a port where nobody listens: so it is with a name that has an IPv6 address alone.
    for (const announce of [[], ['/dns/seed.example.com/tcp/7400']]) {
      expect(unreachable({ ...node, announce })).toEqual(found)
      const finding = checkAnnounced({ ...node, announce } as unknown as NodeConfig)
      expect(finding).toMatchObject({ ok: false, ...found })
    }
    // The first seed of a fleet on one host.
    expect(unreachable({ ...node, announce: ['/ip4/127.0.0.1/tcp/7400'], seeds: [] })).toBeUndefined()
  },
)

test('nor where one interface has an address', () => {
  withAddresses('127.0.0.1', '2a01:4f8::1')
  expect(unreachable(NODE)).toBeUndefined()
})
