import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { loadConfig, type NodeConfig } from '../../../src/daemon/config.ts'
import { checkBeacons } from '../../../src/daemon/doctor/freshness.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../trust/fixtures.ts'

let dir: string
let server: Server
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
  const root = encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys))
  writeFileSync(join(dir, 'root.json'), root)
})
afterEach(() => {
  server.close()
  rmSync(dir, { recursive: true })
})

/** Of a node whose API answers so. */
async function answering(status: number, body: object): Promise<NodeConfig> {
  server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const path = join(dir, 'node.yaml')
  writeFileSync(path, `root: root.json\ndata: data\napi: { listen: "127.0.0.1:${port}" }\n`)
  return loadConfig(path, {}, new Map())
}

test('a running node that does not take the token of its file is no node without beacons', async () => {
  const config = await answering(401, { code: 'API_UNAUTHORISED', status: 401, detail: 'no token' })
  expect(await checkBeacons(config, 'running')).toEqual([
    {
      check: 'beacons',
      ok: false,
      text: 'the running node did not say when it heard one: API_UNAUTHORISED',
      advice: 'was the token file changed? Restart the node',
    },
  ])
  expect(await checkBeacons(config, 'stopped')).toEqual([])
})

test('nor is one that does not answer at all', async () => {
  const config = await answering(200, {})
  server.close()
  expect(await checkBeacons(config, 'running')).toMatchObject([
    { ok: false, text: expect.stringMatching(/: NET_UNREACHABLE$/) },
  ])
})
