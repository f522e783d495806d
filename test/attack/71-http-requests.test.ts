import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { FakeNode, type Served, serve } from '../integration/api/fake-node.ts'
import { ask, raw } from '../integration/api/raw.ts'

const FILES = '/v1/channels/payments%2Fprod/files'
let node: FakeNode
let served: Served

beforeAll(async () => {
  node = new FakeNode()
  node.activate({
    'app.json': 'content of app.json',
    'a/b': 'content of a/b',
    '%2e%2e': 'odd',
    b: 'content of b',
  })
  served = await serve(node, { limits: { maxWatchers: 3 } })
})
afterEach(() => served.problems.splice(0))
afterAll(() => served.api.stop())

describe('paths', () => {
  test.each([
    '/a/%2e%2e/b',
    '/a/%2E%2e/app.json',
    '/a/../b',
    '/a/./b',
    '/a%2fb',
    '/a%2Fb',
    '/a//b',
    '/a/b/',
    '/app.json%00',
    '/%00',
    '/a%5cb',
    '/..%5c..%5cetc%5cpasswd',
    '/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '/%ff%fe',
    '/%c0%ae%c0%ae/b',
    '/%',
    '/%zz',
  ])('files%s names no file', async (path) => {
    const { status, code, body } = await ask(served.api.url, FILES + path)
    expect({ status, code, body }).toMatchObject({ status: 400, code: 'API_BAD_REQUEST' })
    expect(body).not.toContain('content of')
  })

  test.each(['/../../../../etc/passwd', '/%2e%2e/%2e%2e/status', '/../files', '/%252e%252e/b', '/a%252fb'])(
    'files%s leads nowhere else',
    async (path) => {
      const { status, body } = await ask(served.api.url, FILES + path)
      expect([400, 404]).toContain(status)
      expect(body).not.toMatch(/content of|root:|peerId/)
    },
  )

  test.each([
    '/v1/channels/payments%2Fprod/../elsewhere/files',
    '/v1/channels/payments%2Fprod/%2e%2e/elsewhere/files',
    '/v1/channels/payments%2Fprod/./files',
    '/x/../v1/channels/payments%2Fprod/files',
    '/v1/%2E/channels/payments%2Fprod',
  ])('%s names no channel: a proxy would read another one in it', async (target) => {
    const { status, code } = await ask(served.api.url, target)
    expect([status, code]).toEqual([400, 'API_BAD_REQUEST'])
  })

  test('double encoding is decoded once: a file of that very name is found', async () => {
    expect((await ask(served.api.url, `${FILES}/%252e%252e`)).body).toBe('odd')
  })

  test.each([
    'payments/prod',
    '..%2Fprod',
    'payments%2F..%2Fprod',
    'payments%252Fprod',
    'payments%2Fprod%00',
    '%2F',
  ])('channel %s is none', async (channel) => {
    const { status } = await ask(served.api.url, `/v1/channels/${channel}`)
    expect([400, 404]).toContain(status)
  })
})

describe('sizes', () => {
  test('1000 ranges are refused at once', async () => {
    const range = Array.from({ length: 1000 }, (_, i) => `${i}-${i}`).join(',')
    const { status, code } = await ask(served.api.url, `${FILES}/app.json`, {
      headers: [`Range: bytes=${range}`],
    })
    expect([status, code]).toEqual([416, 'API_RANGE'])
  })

  test('a URL may be as long as the bound and no longer', async () => {
    const target = (bytes: number) => `/v1/channels/${'a'.repeat(bytes - '/v1/channels/'.length)}`
    const long = await ask(served.api.url, target(LIMITS.maxHttpUrlBytes + 1))
    expect([long.status, long.code]).toEqual([400, 'API_BAD_REQUEST'])
    expect(long.body).toContain('URL is longer')
    expect((await ask(served.api.url, target(LIMITS.maxHttpUrlBytes))).body).not.toContain('URL is longer')
  })

  test('huge headers are refused, and told', async () => {
    const headers = [`X-Big: ${'x'.repeat(LIMITS.maxHttpHeaderBytes)}`]
    const { status, code } = await ask(served.api.url, '/healthz', { headers })
    expect([status, code]).toEqual([431, 'API_BAD_REQUEST'])
    expect(served.problems.map((problem) => problem.code)).toEqual(['API_BAD_REQUEST'])
  })

  test('what is no HTTP is refused, and told', async () => {
    const { status, code } = await raw(served.api.url, '\x16\x03\x01\x02\x00\x01\r\n\r\n')
    expect([status, code]).toEqual([400, 'API_BAD_REQUEST'])
    expect(served.problems.map((problem) => problem.code)).toEqual(['API_BAD_REQUEST'])
  })

  test.each([
    ['OPTIONS * HTTP/1.1', 405, 'API_METHOD'],
    ['CONNECT 127.0.0.1:80 HTTP/1.1', 405, 'API_METHOD'],
    ['GET * HTTP/1.1', 400, 'API_BAD_REQUEST'],
    ['GET /\\ HTTP/1.1', 400, 'API_BAD_REQUEST'],
    ['GET http://[ HTTP/1.1', 400, 'API_BAD_REQUEST'],
    ['GET / HTTP/1.1\r\nExpect: foo', 417, 'API_BAD_REQUEST'],
    ['GET / HTTP/1.1\r\nHost: 127.0.0.1', 400, 'API_BAD_REQUEST'],
  ])('%j is refused in the form of every refusal, and told', async (line, status, code) => {
    const answer = await raw(served.api.url, `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect(answer.head).toMatch(/^content-type: application\/problem\+json\r?$/im)
    expect(answer.head).toMatch(new RegExp(`^confmesh-code: ${code}\\r?$`, 'im'))
    expect(served.problems.map((problem) => problem.code)).toEqual([code])
  })

  test('a request that trickles in is ended at the timeout, and told', async () => {
    const { api, problems } = await serve(node, { limits: { httpRequestTimeoutMs: 400 } })
    const { status, code } = await raw(api.url, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    expect([status, code]).toEqual([408, 'API_BAD_REQUEST'])
    expect(problems.map((problem) => problem.code)).toEqual(['API_BAD_REQUEST'])
    await api.stop()
  })

  test.each([
    ['a tunnel that is refused', 'CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a request that trickles in', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: '],
  ])('%s holds no connection, though its sender never ends it', async (_what, text) => {
    const narrow = await serve(node, { limits: { maxHttpConnections: 1, httpRequestTimeoutMs: 100 } })
    const { hostname, port } = new URL(narrow.api.url)
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }).resume()
    try {
      await once(socket, 'connect')
      socket.write(text)
      await once(socket, 'end')
      await vi.waitFor(
        async () => expect((await ask(narrow.api.url, '/healthz').catch(() => undefined))?.status).toBe(200),
        { timeout: 5_000, interval: 20 },
      )
    } finally {
      socket.destroy()
      await narrow.api.stop()
    }
  })

  test('an encoded body is refused', async () => {
    const { status, code } = await ask(served.api.url, '/healthz', { headers: ['Content-Encoding: gzip'] })
    expect([status, code]).toEqual([415, 'API_ENCODING'])
  })
})

describe('watchers', () => {
  const WATCH = '/v1/channels/payments%2Fprod/watch'

  /** Opens a watch and resolves once its first event is here. */
  const watcher = () =>
    new Promise<() => void>((resolve, reject) => {
      const { hostname, port } = new URL(served.api.url)
      const socket = connect(Number(port), hostname, () =>
        socket.write(`GET ${WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
      )
      socket.once('error', reject)
      socket.on('data', (part) => {
        if (part.includes('event: release')) resolve(() => socket.destroy())
      })
    })

  test('are bounded; one that leaves makes room; HEAD takes none', async () => {
    for (let i = 0; i < 5; i++)
      expect((await ask(served.api.url, WATCH, { method: 'HEAD' })).status).toBe(200)
    const open = await Promise.all([watcher(), watcher(), watcher()])
    const { status, code, head } = await ask(served.api.url, WATCH)
    expect([status, code]).toEqual([503, 'API_BUSY'])
    expect(served.problems.map((problem) => problem.code)).toEqual(['API_BUSY'])
    expect(head).toMatch(/^retry-after: \d+\r?$/im)
    expect(node.listeners.size).toBe(3)

    open[0]?.()
    await vi.waitFor(() => expect(node.listeners.size).toBe(2), { timeout: 5_000 })
    const another = await watcher()
    for (const close of [another, ...open]) close()
    await vi.waitFor(() => expect(node.listeners.size).toBe(0), { timeout: 5_000 })
  })
})

test('connections are bounded, and one too many is told', async () => {
  const { api, problems } = await serve(node, { limits: { maxHttpConnections: 1 } })
  const { hostname, port } = new URL(api.url)
  const open = connect(Number(port), hostname)
  await once(open, 'connect')
  const refused = connect(Number(port), hostname).resume()
  // Which of end and reset comes is the system's matter.
  refused.on('error', () => undefined)
  await once(refused, 'close')
  expect(problems.map((problem) => problem.code)).toEqual(['API_BUSY'])
  open.destroy()
  await api.stop()
})
