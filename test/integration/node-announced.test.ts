/** What a whole node announces on hosts of other kinds than this one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os, { type NetworkInterfaceInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { encodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../src/codec/root.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { startNode } from '../../src/daemon/node.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../unit/trust/fixtures.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(os.tmpdir(), 'confmesh-announced-'))
  writeFileSync(
    join(dir, 'root.json'),
    encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys)),
  )
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  rmSync(dir, { recursive: true })
})

/** On a host with these addresses a node starts that listens where it is not told. */
async function onHost(...addresses: readonly string[]) {
  const infos = addresses.map((address) => {
    return { address, family: address.includes(':') ? 'IPv6' : 'IPv4' } as NetworkInterfaceInfo
  })
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ eth0: infos })
  syncBuiltinESMExports()
  const settings = [
    'root: root.json',
    'data: data',
    'api: { listen: "127.0.0.1:0" }',
    'log: { level: error }',
  ]
  writeFileSync(join(dir, 'node.yaml'), `${settings.join('\n')}\n`)
  const node = await startNode(loadConfig(join(dir, 'node.yaml'), {}, new Map()), '0.0.0')
  try {
    const metrics = await (await fetch(`${node.ready.api}/metrics`)).text()
    return {
      hosts: node.ready.addresses.map((address) => address.split('/')[2]),
      isTold: metrics.includes('confmesh_refused_total{code="NET_LISTEN"} 1'),
    }
  } finally {
    await node.stop()
  }
}

test('one with an address that is routed globally announces it', async () => {
  expect(await onHost('127.0.0.1', '5.9.1.1')).toEqual({ hosts: ['5.9.1.1'], isTold: false })
})

test('one with loopback alone announces that, and says that no other host can dial it', async () => {
  expect(await onHost('127.0.0.1')).toEqual({ hosts: ['127.0.0.1'], isTold: true })
})
