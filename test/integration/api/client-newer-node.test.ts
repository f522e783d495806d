/** A node of a later build, which has reasons that this build's client has no name for. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Client } from '../../../src/client/index.ts'
import { OTHER_CODE } from '../../../src/client/transport.ts'
import { CODES } from '../../../src/errors.ts'
import { CHANNEL } from './fake-node.ts'

vi.mock(import('node:timers/promises'), async (original) =>
  (await import('./short-waits.ts')).shortWaits(original),
)

const REASON = { status: 409, code: 'CONTENT_MOVED', detail: 'another node has it for now' }
let answer: object
let server: Server
let client: Client

beforeEach(async () => {
  server = createServer((_, response) => {
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((bound) => server.listen(0, '127.0.0.1', bound))
  client = new Client({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
afterEach(() => {
  server.close()
  server.closeAllConnections()
})

test('says why, and is asked again by a watch', async () => {
  answer = REASON
  const said = { code: 'API_UNAVAILABLE', message: 'another node has it for now (CONTENT_MOVED)' }
  await expect(client.snapshot(CHANNEL)).rejects.toMatchObject(said)
  const told: Error[] = []
  const ended = new AbortController()
  const onDisconnect = (error: Error) => told.push(error) === 2 && ended.abort()
  const watch = client.watch(CHANNEL, { signal: ended.signal, onDisconnect })
  expect((await watch.next()).done).toBe(true)
  expect(told).toMatchObject([said, said])
})

test.each([
  ['another status', { ...REASON, status: 410 }],
  ['no code', { ...REASON, code: 'moved' }],
])('but whoever answers in another form is no node: %s', async (_, other) => {
  answer = other
  await expect(client.snapshot(CHANNEL)).rejects.toThrow(/no confmesh node answers/)
})

test('and each code of this build has the form of codes', () => {
  expect(CODES.filter((code) => !OTHER_CODE.test(code))).toEqual([])
})
