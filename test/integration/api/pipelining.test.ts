/** Requests sent ahead on one connection: answered in order, and what waits has nothing to hold. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeNode, type Served, serve } from './fake-node.ts'
import { ask } from './raw.ts'

const FILES = '/v1/channels/payments%2Fprod/files'
const WATCH = '/v1/channels/payments%2Fprod/watch'
const within = { timeout: 5_000, interval: 5 }

let node: FakeNode
let served: Served
let socket: Socket
let text = ''

beforeEach(async () => {
  node = new FakeNode()
  node.activate({ a: 'text A', b: 'text B' })
  served = await serve(node, { limits: { maxWatchers: 2, maxHttpAnswerBytes: 200, maxHttpWaiting: 5 } })
  const { hostname, port } = new URL(served.api.url)
  text = ''
  socket = connect(Number(port), hostname).setEncoding('latin1')
  socket.on('data', (part: string) => {
    text += part
  })
  socket.on('error', () => undefined)
})
afterEach(async () => {
  socket.destroy()
  await served.api.stop()
})

const send = (...targets: readonly string[]) =>
  socket.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''))
const codes = () => served.problems.map(({ code }) => code)

test('answers come in the order asked for, refusals among them', async () => {
  send(`${FILES}/a`, '/healthz', `${FILES}/none`, `${FILES}/b`)
  socket.write('DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: evil.example\r\n\r\n')
  await vi.waitFor(() => expect(text).toContain('API_HOST'), within)
  const seen = [...text.matchAll(/text A|"ok":true|text B|"code":"(?<code>\w+)"/g)]
  const wanted = ['text A', '"ok":true', 'API_NOT_FOUND', 'text B', 'API_METHOD', 'API_HOST']
  expect(seen.map(({ 0: all, groups }) => groups?.code ?? all)).toEqual(wanted)
})

test.each([
  ['while it stands', async () => undefined],
  ['and after it is gone', async () => void socket.destroy()],
])('what is asked behind a watch takes no place and no bytes, %s', async (_, act) => {
  const files = vi.spyOn(node, 'files')
  send(WATCH, WATCH, WATCH, FILES, FILES, '/v1/status')
  await vi.waitFor(() => expect(text).toContain('event: release'), within)
  expect([node.listeners.size, files.mock.calls.length]).toEqual([1, 1])
  await act()
  if (socket.destroyed) await vi.waitFor(() => expect(node.listeners.size).toBe(0), within)
  expect((await ask(served.api.url, FILES)).status).toBe(200)
  expect((await ask(served.api.url, '/v1/status')).status).toBe(200)
  expect(codes()).toEqual([])
  expect(files).toHaveBeenCalledTimes(2)
})

test('only so many may wait, on all connections together: one more ends its own, and is told', async () => {
  send(WATCH, ...Array.from({ length: 5 }, () => FILES))
  await vi.waitFor(() => expect(text).toContain('event: release'), within)
  expect(codes()).toEqual([])
  expect((await ask(served.api.url, '/healthz')).status).toBe(200)
  send(FILES, FILES)
  await once(socket, 'close')
  expect(codes()).toEqual(['API_BUSY'])
  await vi.waitFor(() => expect(node.listeners.size).toBe(0), within)
})

test('who was answered waits no more, nor who is gone', async () => {
  for (let round = 1; round <= 5; round++) {
    send(...Array.from({ length: 6 }, () => '/healthz'))
    await vi.waitFor(() => expect(text.match(/"ok":true/g)).toHaveLength(6 * round), within)
  }
  for (let round = 1; round <= 3; round++) {
    const { hostname, port } = new URL(served.api.url)
    const other = connect(Number(port), hostname)
    other.write(`GET ${WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(4))
    await vi.waitFor(() => expect(node.listeners.size).toBe(1), within)
    other.destroy()
    await vi.waitFor(() => expect(node.listeners.size).toBe(0), within)
  }
  expect(codes()).toEqual([])
})
