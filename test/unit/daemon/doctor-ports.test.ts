import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkPorts } from '../../../src/daemon/doctor/network.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listening(host: string): Promise<number> {
  const server = createServer().listen({ host, port: 0, ipv6Only: true })
  servers.push(server)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const port = await listening('0.0.0.0')
  const [server] = servers.splice(0) as [Server]
  server.close()
  await once(server, 'close')
  return port
}

const bothAt = (port: number): NodeConfig =>
  ({
    listen: [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`],
    api: { listen: 'unix:/nowhere' },
  }) as unknown as NodeConfig

test.runIf(hasIpv6)('every address of both kinds on one port: as free as it is for the node', async () => {
  const findings = await checkPorts(bothAt(await freePort()), 'stopped')
  expect(findings).toMatchObject([
    { ok: true, text: 'free' },
    { ok: true, text: 'free' },
  ])
})

test.runIf(hasIpv6)('and in use where somebody else has one of them', async () => {
  const port = await listening('::')
  const findings = await checkPorts(bothAt(port), 'stopped')
  expect(findings).toMatchObject([
    { ok: true, text: 'free' },
    { ok: false, text: 'EADDRINUSE' },
  ])
})
