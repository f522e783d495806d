import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkPorts } from '../../../src/daemon/doctor/network.ts'
import type { StoreState } from '../../../src/daemon/doctor/store.ts'
import { freePort } from '../../e2e/free-port.ts'

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

test('in use is no fault of whoever holds it where that may be the node itself', async () => {
  const port = await listening('127.0.0.1')
  const config = { listen: [`/ip4/127.0.0.1/tcp/${port}`], api: { listen: 'unix:/nowhere' } }
  const check = (state: StoreState) => checkPorts(config as unknown as NodeConfig, state)
  expect(await check('running')).toMatchObject([{ ok: true }])
  expect(await check('unknown')).toMatchObject([
    { ok: false, text: 'in use, by the node perhaps', advice: "run confmesh doctor as the node's user" },
  ])
  expect(await check('stopped')).toMatchObject([{ ok: false, advice: expect.stringMatching(/^stop /) }])
})
