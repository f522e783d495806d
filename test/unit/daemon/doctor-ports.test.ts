import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type ListenOptions, Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { freePort } from '../../../src/cli/demo/free-port.ts'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkPorts } from '../../../src/daemon/doctor/network.ts'
import type { StoreState } from '../../../src/daemon/doctor/store.ts'

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
    api: { listen: '127.0.0.1:0' },
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

test('what the node leaves out on a host without IPv6 is no fault', async () => {
  const { listen } = Server.prototype
  const noIpv6 = vi.spyOn(Server.prototype, 'listen').mockImplementation(function (
    this: Server,
    ...args: unknown[]
  ) {
    if ((args[0] as ListenOptions).host !== '::') return Reflect.apply(listen, this, args)
    process.nextTick(() => this.emit('error', Object.assign(new Error('no'), { code: 'EAFNOSUPPORT' })))
    return this
  })
  const port = await freePort()
  const alone = { ...bothAt(port), listen: [`/ip6/::/tcp/${port}`] }
  const findings = [...(await checkPorts(bothAt(port), 'stopped')), ...(await checkPorts(alone, 'stopped'))]
  noIpv6.mockRestore()
  expect(findings).toMatchObject([
    { ok: true, text: 'free' },
    { ok: true, text: 'left out, as this host has no IPv6 (EAFNOSUPPORT)' },
    { ok: false, text: 'EAFNOSUPPORT' },
  ])
})

test('in use is no fault of whoever holds it where that may be the node itself', async () => {
  const port = await listening('127.0.0.1')
  const config = { listen: [`/ip4/127.0.0.1/tcp/${port}`], api: { listen: '127.0.0.1:0' } }
  const check = (state: StoreState) => checkPorts(config as unknown as NodeConfig, state)
  expect(await check('running')).toMatchObject([{ ok: true }])
  expect(await check('unknown')).toMatchObject([
    { ok: false, text: 'in use, by the node perhaps', advice: "run confmesh doctor as the node's user" },
  ])
  expect(await check('stopped')).toMatchObject([{ ok: false, advice: expect.stringMatching(/^stop /) }])
})

test('the socket of the API: what keeps the node from listening there is said, and who does', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
  const check = (path: string, state: StoreState) =>
    checkPorts({ listen: [], api: { listen: `unix:${path}` } } as unknown as NodeConfig, state)
  try {
    const path = join(dir, 'sock')
    expect(await check(path, 'stopped')).toEqual([{ check: `api unix:${path}`, ok: true, text: 'free' }])
    expect(await check(path, 'running')).toMatchObject([
      { ok: false, advice: expect.stringMatching(/Restart/) },
    ])
    const data = join(dir, 'data')
    const inData = { listen: [], data, api: { listen: `unix:${data}/api/sock` } } as unknown as NodeConfig
    expect(await checkPorts(inData, 'none')).toMatchObject([{ ok: true }])
    expect(await check('/nowhere/sock', 'none')).toMatchObject([{ ok: false, text: '/nowhere: ENOENT' }])
    const long = join(dir, 'x'.repeat(109))
    expect(await check(long, 'none')).toMatchObject([
      { ok: false, text: expect.stringMatching(/a socket's at most/) },
    ])
    writeFileSync(join(dir, 'file'), '')
    expect(await check(join(dir, 'file'), 'running')).toMatchObject([
      { ok: false, text: expect.stringMatching(/no socket/) },
    ])
    const server = createServer().listen(path)
    servers.push(server)
    await once(server, 'listening')
    expect(await check(path, 'running')).toMatchObject([{ ok: true }])
    expect(await check(path, 'stopped')).toMatchObject([{ ok: false, text: 'EADDRINUSE' }])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
