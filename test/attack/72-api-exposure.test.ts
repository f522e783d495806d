import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/daemon/config.ts'
import { FakeNode, type Served, serve } from '../integration/api/fake-node.ts'
import { ask } from '../integration/api/raw.ts'

const TOKEN = 'a-long-token-of-the-operator'
let dir: string
let served: Served

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-exposure-'))
  const node = new FakeNode()
  node.activate({ 'app.json': '{}' })
  served = await serve(node, { token: TOKEN })
})
afterAll(async () => {
  await served.api.stop()
  rmSync(dir, { recursive: true })
})

describe('beyond loopback', () => {
  const load = (api: string) => {
    const file = join(dir, 'node.yaml')
    writeFileSync(file, `root: root.json\ndata: data\napi: ${api}\n`)
    return loadConfig(file, {}, new Map())
  }

  test.each([
    '0.0.0.0:7480',
    '[::]:7480',
    '10.0.0.1:7480',
    ':7480',
    'node.example:7480',
    '127.0.0.1.example:7480',
  ])('%s alone is refused', (listen) => {
    expect(() => load(`{ listen: "${listen}" }`)).toThrow(
      expect.objectContaining({ code: 'CONFIG_API_PUBLIC', message: expect.stringContaining(listen) }),
    )
  })

  test.each(['public: true', 'tokenFile: token'])('with %s it starts', (more) => {
    expect(load(`{ listen: "0.0.0.0:7480", ${more} }`).api.listen).toBe('0.0.0.0:7480')
  })

  test.each(['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1', 'unix:api.sock'])(
    '%s needs nothing',
    (listen) => {
      expect(() => load(`{ listen: "${listen}" }`)).not.toThrow()
    },
  )
})

describe('with a token', () => {
  const status = (headers: string[]) => ask(served.api.url, '/v1/status', { headers })

  test.each([
    [],
    ['Authorization: Bearer'],
    ['Authorization: Bearer '],
    [`Authorization: ${TOKEN}`],
    [`Authorization: Basic ${TOKEN}`],
    [`Authorization: Bearer ${TOKEN.slice(0, -1)}`],
    [`Authorization: Bearer ${TOKEN}x`],
    [`Authorization: Bearer ${TOKEN.toUpperCase()}`],
    [`Authorization: Bearer ${'x'.repeat(8_000)}`],
  ])('%j is refused', async (...headers) => {
    const answer = await status(headers)
    expect([answer.status, answer.code]).toEqual([401, 'API_UNAUTHORISED'])
    expect(answer.head).toMatch(/^www-authenticate: Bearer\r?$/im)
    expect(answer.body).not.toContain(TOKEN)
  })

  test('the token opens every route; a refusal does not repeat what was sent', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      expect([scheme, (await status([`Authorization: ${scheme} ${TOKEN}`])).status]).toEqual([scheme, 200])
    served.problems.splice(0)
    await status(['Authorization: Bearer guessed'])
    expect(JSON.stringify(served.problems)).not.toContain('guessed')
  })

  test.each(['/', '/openapi.json', '/metrics', '/v1/channels/payments%2Fprod/files/app.json', '/nowhere'])(
    '%s asks for it',
    async (target) => {
      expect((await ask(served.api.url, target)).status).toBe(401)
    },
  )

  test.each(['/healthz', '/readyz'])('%s does not: probes have no token', async (target) => {
    expect((await ask(served.api.url, target)).status).toBe(200)
  })

  test.each([
    '//v1/status',
    '/healthz/../v1/status',
    '/healthz/%2e%2e/v1/status',
    '/healthz%2f..%2fv1/status',
  ])('%s is no way round', async (target) => {
    const { status, body } = await ask(served.api.url, target)
    expect([400, 401, 404]).toContain(status)
    expect(body).not.toContain('peerId')
  })
})
