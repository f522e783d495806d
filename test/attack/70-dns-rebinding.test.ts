import { afterAll, beforeAll, expect, test } from 'vitest'
import { FakeNode, type Served, serve } from '../integration/api/fake-node.ts'
import { ask, raw } from '../integration/api/raw.ts'

let served: Served
const url = () => served.api.url

beforeAll(async () => {
  const node = new FakeNode()
  node.activate({ 'app.json': '{}' })
  served = await serve(node, { hosts: ['Config.Internal'] })
})
afterAll(() => served.api.stop())

test.each([
  'attacker.example',
  'attacker.example:7480',
  'localhost.attacker.example',
  '127.0.0.1.attacker.example',
  '127.0.0.1@attacker.example',
  'config.internal.attacker.example',
  'xconfig.internal',
  'localhost.',
  '2130706433',
  '0x7f.1',
  '[attacker.example]',
  'attacker.example@127.0.0.1',
  'attacker example/127.0.0.1',
  '',
])('foreign Host %j is refused on every route', async (host) => {
  for (const target of ['/', '/healthz', '/v1/status', '/v1/channels/payments%2Fprod/files/app.json']) {
    const { status, code, body } = await ask(url(), target, { host })
    expect([status, code]).toEqual([421, 'API_HOST'])
    expect(body).not.toContain('payments')
  }
})

test('the refusal of a name is 421 API_HOST, and told', async () => {
  served.problems.splice(0)
  const { status, code } = await ask(url(), '/v1/status', { host: 'attacker.example' })
  expect([status, code]).toEqual([421, 'API_HOST'])
  expect(served.problems).toEqual([{ code: 'API_HOST', text: 'GET /v1/status' }])
})

test.each([
  ['no Host', 'GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['no Host in HTTP/1.0', 'GET /v1/status HTTP/1.0\r\n\r\n'],
  ['a tunnel', 'CONNECT attacker.example:80 HTTP/1.1\r\nHost: attacker.example:80\r\n\r\n'],
  ['an expectation', 'GET / HTTP/1.1\r\nHost: attacker.example\r\nExpect: foo\r\nConnection: close\r\n\r\n'],
])('%s: refused in the same form, and told', async (_what, text) => {
  served.problems.splice(0)
  const { status, code, head } = await raw(url(), text)
  expect([status, code]).toEqual([421, 'API_HOST'])
  expect(head).toMatch(/^content-type: application\/problem\+json\r?$/im)
  expect(head).toMatch(/^confmesh-code: API_HOST\r?$/im)
  expect(served.problems.map((problem) => problem.code)).toEqual(['API_HOST'])
})

test('a name in the request line does not stand in for the Host header', async () => {
  const { status } = await ask(url(), 'http://attacker.example/v1/status', { host: 'attacker.example' })
  expect(status).toBe(421)
})

test.each([
  '127.0.0.1',
  '127.0.0.1:7480',
  '127.0.0.1:',
  '[::1]:7480',
  '[0:0:0:0:0:0:0:1]:7480',
  '[::ffff:127.0.0.1]',
  '10.1.2.3',
  'localhost',
  'LOCALHOST:1',
  'config.internal:80',
])('Host %s passes', async (host) => {
  expect((await ask(url(), '/v1/status', { host })).status).toBe(200)
})

test('a page from elsewhere is given no leave to read, and preflight is refused', async () => {
  const headers = ['Origin: http://attacker.example', 'Access-Control-Request-Method: GET']
  const read = await ask(url(), '/v1/status', { headers })
  expect(read.head).not.toMatch(/access-control/i)
  const preflight = await ask(url(), '/v1/status', { method: 'OPTIONS', headers })
  expect([preflight.status, preflight.code]).toEqual([405, 'API_METHOD'])
  expect(preflight.head).not.toMatch(/access-control/i)
})

test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
  '%s is refused: read-only',
  async (method) => {
    const { status, code, head } = await ask(url(), '/v1/channels/payments%2Fprod', { method })
    expect([status, code]).toEqual([405, 'API_METHOD'])
    expect(head).toMatch(/^allow: GET, HEAD\r?$/im)
  },
)
