/** How a node ends that runs inside another program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { encodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../src/codec/root.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { startNode } from '../../src/daemon/node.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../unit/trust/fixtures.ts'

/** What the end of HTTP fails with. */
let failure: Error | undefined
vi.mock(import('../../src/api/server.ts'), async (original) => {
  const server = await original()
  const startApi: typeof server.startApi = async (...init) => {
    const api = await server.startApi(...init)
    const stop = async (): Promise<void> => {
      await api.stop()
      if (failure !== undefined) throw failure
    }
    return { ...api, stop }
  }
  return { ...server, startApi }
})

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-stop-'))
  failure = undefined
  const root = encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys))
  writeFileSync(join(dir, 'root.json'), root)
  const settings = ['root: root.json', 'data: data', 'listen: [/ip4/127.0.0.1/tcp/0]']
  writeFileSync(
    join(dir, 'node.yaml'),
    `${[...settings, 'api: { listen: "127.0.0.1:0" }', 'log: { level: error }'].join('\n')}\n`,
  )
})
afterEach(() => rmSync(dir, { recursive: true }))

const start = () => startNode(loadConfig(join(dir, 'node.yaml'), {}, new Map()), '0.0.0')

test('whoever stops it a second time waits for the same end', async () => {
  const node = await start()
  let ended = false
  const first = node.stop().then(() => {
    ended = true
  })
  await node.stop()
  expect(ended).toBe(true)
  await first
})

test('what cannot be ended is said, and holds back nothing else: its data folder is free', async () => {
  const node = await start()
  failure = new Error('HTTP would not end')
  await expect(node.stop()).rejects.toBe(failure)
  failure = undefined
  await (await start()).stop()
})
