import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ROUTES, STATUS } from '../../../src/api/contract.ts'
import { MeshError } from '../../../src/errors.ts'
import { FakeNode, type FakeRelease, type Served, serve, sha } from './fake-node.ts'

const TEXT = '{"limit": 100}'
/** No control characters, and yet they end a line. */
const LINES = 'two\u2028li/nes\u2029.txt'
let node: FakeNode
let first: FakeRelease
let active: FakeRelease
let served: Served

beforeAll(async () => {
  node = new FakeNode()
  first = node.activate({ 'app.json': '{"limit": 1}' })
  const files = { 'app.json': TEXT, 'a/b c.txt': 'below', [LINES]: 'lines', empty: '' }
  active = node.activate(files, 'second')
  served = await serve(node)
})
beforeEach(() => served.problems.splice(0))
afterAll(() => served.api.stop())

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(served.api.url + path, { headers, method })
const CHANNEL = '/v1/channels/payments%2Fprod'
const FILE = `${CHANNEL}/files/app.json`

async function refused(response: Response, status: number, code: string): Promise<void> {
  const body = await response.json()
  expect({ status: response.status, code: body.code }).toEqual({ status, code })
  expect(body).toEqual({
    type: 'about:blank',
    title: expect.any(String),
    status,
    code,
    detail: expect.any(String),
  })
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('confmesh-code')).toBe(code)
}

describe('the process', () => {
  test('healthz answers 200 whatever the content', async () => {
    const response = await get('/healthz')
    expect([response.status, await response.json()]).toEqual([200, { ok: true }])
  })

  test('readyz is 503 and names what it waits for, 200 once nothing is missing', async () => {
    node.waitingFor = ['payments/prod']
    const waiting = await get('/readyz')
    expect([waiting.status, await waiting.json()]).toEqual([
      503,
      { ready: false, waitingFor: ['payments/prod'] },
    ])
    node.waitingFor = []
    const ready = await get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, waitingFor: [] }])
  })

  test('status is what the contract says', async () => {
    const status = await (await get('/v1/status')).json()
    expect(STATUS.parse(status)).toEqual(status)
    expect(status.channels[0].active.release).toBe(active.id)
  })

  test('metrics are Prometheus text', async () => {
    const response = await get('/metrics')
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await response.text()).toContain('confmesh_ready 1')
  })

  test('openapi.json lists every route, and the first page too', async () => {
    const { paths, info } = await (await get('/openapi.json')).json()
    const routes = Object.values(ROUTES).map(({ path }) => path)
    expect(Object.keys(paths).sort()).toEqual(routes.sort())
    expect(info.version).toBe('1.2.3')
    const page = await (await get('/')).text()
    for (const route of [...routes, '/openapi.json']) expect(page).toContain(route)
  })

  test('openapi.json names what every route may be refused with', async () => {
    const { paths } = await (await get('/openapi.json')).json()
    for (const [path, { get: route }] of Object.entries<{ get: { responses: object } }>(paths)) {
      const token = path === '/healthz' || path === '/readyz' ? [] : ['401']
      expect(Object.keys(route.responses)).toEqual(expect.arrayContaining([...token, '400', '405', '421']))
    }
  })

  test('every route of the contract is served', async () => {
    for (const { path } of Object.values(ROUTES)) {
      const target = path.replace('{channel}', 'payments%2Fprod').replace('{path}', 'app.json')
      expect([path, (await get(target, {}, 'HEAD')).status]).toEqual([path, 200])
    }
  })

  test('what a browser may do with an answer: nothing', async () => {
    const { headers } = await get('/v1/status', { origin: 'http://elsewhere.example' })
    expect(headers.get('content-security-policy')).toBe("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

test('whatever is answered may be kept only to be asked about anew: what is active changes under its name', async () => {
  const answers: [string, number][] = [
    [FILE, 200],
    [`${FILE}?release=${first.id}`, 200],
    [`${CHANNEL}/files`, 200],
    [CHANNEL, 200],
    ['/v1/channels/nowhere', 404],
    ['/v1/status', 200],
    ['/readyz', 200],
  ]
  for (const [path, status] of answers) {
    const response = await get(path)
    expect([path, response.status, response.headers.get('cache-control')]).toEqual([path, status, 'no-cache'])
  }
})

describe('channels', () => {
  test('an entry has its history', async () => {
    const entry = await (await get(CHANNEL)).json()
    expect(entry.active.message).toBe('second')
    expect(entry.history.map((item: { release: string }) => item.release)).toEqual([first.id])
  })

  test('unknown is 404, malformed is 400, no such route is 404', async () => {
    await refused(await get('/v1/channels/nowhere'), 404, 'API_NOT_FOUND')
    await refused(await get('/v1/channels/UPPER'), 400, 'API_BAD_REQUEST')
    await refused(await get('/v2/status'), 404, 'API_NOT_FOUND')
  })

  test('a listing names size, mode and digest, also of a stored release', async () => {
    const listing = await (await get(`${CHANNEL}/files`)).json()
    expect(listing.release).toBe(active.id)
    expect(listing.files[0]).toEqual({ path: 'app.json', mode: 0o444, size: TEXT.length, digest: sha(TEXT) })
    const old = await (await get(`${CHANNEL}/files?release=${first.id}`)).json()
    expect([old.release, old.files.length]).toEqual([first.id, 1])
  })

  test('a release that is gone is 410, a malformed one 400, nothing active 404', async () => {
    await refused(await get(`${CHANNEL}/files?release=${sha('x')}`), 410, 'CONTENT_GONE')
    await refused(await get(`${FILE}?release=${sha('x')}`), 410, 'CONTENT_GONE')
    await refused(await get(`${CHANNEL}/car?release=${sha('x')}`), 410, 'CONTENT_GONE')
    await refused(await get(`${CHANNEL}/files?release=abc`), 400, 'API_BAD_REQUEST')
    await refused(await get('/v1/channels/other/files'), 404, 'API_NOT_FOUND')
  })

  test('a CAR comes whole', async () => {
    const response = await get(`${CHANNEL}/car`)
    expect(response.headers.get('content-type')).toBe('application/vnd.ipld.car')
    const { length } = `car of ${active.id}`
    expect(response.headers.get('content-length')).toBe(`${length}`)
    expect(await response.text()).toBe(`car of ${active.id}`)
    const head = await get(`${CHANNEL}/car`, {}, 'HEAD')
    expect(head.headers.get('content-length')).toBe(`${length}`)
  })
})

describe('files', () => {
  test('bytes, digest as ETag, type, length and release', async () => {
    const response = await get(FILE)
    const { headers } = response
    expect([response.status, await response.text()]).toEqual([200, TEXT])
    expect(headers.get('etag')).toBe(`"${sha(TEXT)}"`)
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('content-length')).toBe(String(TEXT.length))
    expect(headers.get('confmesh-release')).toBe(active.id)
    expect(headers.get('accept-ranges')).toBe('bytes')
  })

  test('names are decoded once; an empty file is empty; an unknown one is 404', async () => {
    expect(await (await get(`${CHANNEL}/files/a/b%20c.txt`)).text()).toBe('below')
    const lines = LINES.split('/').map(encodeURIComponent).join('/')
    expect(await (await get(`${CHANNEL}/files/${lines}`)).text()).toBe('lines')
    const empty = await get(`${CHANNEL}/files/empty`)
    expect([empty.status, await empty.text(), empty.headers.get('content-type')]).toEqual([
      200,
      '',
      'application/octet-stream',
    ])
    await refused(await get(`${CHANNEL}/files/a`), 404, 'API_NOT_FOUND')
  })

  test('a stored release is served beside the active one', async () => {
    const response = await get(`${FILE}?release=${first.id}`)
    expect([await response.text(), response.headers.get('confmesh-release')]).toEqual([
      '{"limit": 1}',
      first.id,
    ])
  })

  test.each([`"${sha(TEXT)}"`, `W/"${sha(TEXT)}"`, `"other", "${sha(TEXT)}"`, '*'])(
    'If-None-Match %s is 304 without bytes',
    async (tag) => {
      const response = await get(FILE, { 'if-none-match': tag })
      expect([response.status, await response.text()]).toEqual([304, ''])
      expect(response.headers.get('confmesh-release')).toBe(active.id)
    },
  )

  test('another ETag is 200', async () => {
    expect((await get(FILE, { 'if-none-match': `"${sha('other')}"` })).status).toBe(200)
  })

  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=2-5', 2, 5],
    ['bytes=10-', 10, 13],
    ['bytes=-3', 11, 13],
    ['bytes=-99', 0, 13],
    ['bytes=12-999', 12, 13],
    ['Bytes=1-1', 1, 1],
    ['bytes=0-999999999999999999', 0, 13],
    ['bytes=-999999999999999999', 0, 13],
  ])('range %s is 206 with those bytes', async (range, start, end) => {
    const response = await get(FILE, { range })
    expect([response.status, await response.text()]).toEqual([206, TEXT.slice(start, end + 1)])
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/${TEXT.length}`)
    expect(response.headers.get('content-length')).toBe(String(end - start + 1))
  })

  test.each(['bytes=14-', 'bytes=99-100', 'bytes=999999999999999999-', 'bytes=-0', 'bytes=0-1,3-4'])(
    'range %s is 416 and says the size',
    async (range) => {
      const response = await get(FILE, { range })
      expect(response.headers.get('content-range')).toBe('bytes */14')
      await refused(response, 416, 'API_RANGE')
    },
  )

  test.each(['lines=1-2', 'lines=1-2,5-6', 'bytes=-', 'bytes=a-b', 'bytes=5-2', 'bytes=99-98'])(
    'range %s is let be',
    async (range) => {
      expect((await get(FILE, { range })).status).toBe(200)
    },
  )

  test('If-Range with an older ETag gives the whole file, with this one the range', async () => {
    expect((await get(FILE, { range: 'bytes=0-1', 'if-range': `"${sha('old')}"` })).status).toBe(200)
    expect((await get(FILE, { range: 'bytes=0-1', 'if-range': `"${sha(TEXT)}"` })).status).toBe(206)
  })

  test('HEAD has the headers of GET and no body', async () => {
    const response = await get(FILE, {}, 'HEAD')
    expect([response.status, await response.text()]).toEqual([200, ''])
    expect(response.headers.get('content-length')).toBe(String(TEXT.length))
    expect(response.headers.get('etag')).toBe(`"${sha(TEXT)}"`)
  })

  test.each(['bytes=2-5', 'bytes=99-'])('HEAD takes no range %s', async (range) => {
    const response = await get(FILE, { range }, 'HEAD')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toBe(String(TEXT.length))
  })
})

describe('failures', () => {
  test('inside the node: 500, without a word of the cause, which is told to the log', async () => {
    node.failure = new TypeError('a secret path')
    try {
      const response = await get(CHANNEL)
      expect(await response.clone().text()).not.toContain('secret')
      await refused(response, 500, 'INTERNAL')
      expect(served.problems.map(({ text }) => text).join()).toContain('a secret path')
    } finally {
      node.failure = undefined
    }
  })

  test.each(['STORE_CORRUPT', 'STORE_FULL', 'STORE_FAILED'] as const)(
    '%s: 503, and when to ask again',
    async (code) => {
      node.failure = new MeshError(code, 'block is damaged')
      try {
        const response = await get(FILE)
        expect(response.headers.get('retry-after')).toBe('5')
        await refused(response, 503, code)
      } finally {
        node.failure = undefined
      }
    },
  )

  test('each refusal is told with its stable code', async () => {
    await get('/v1/status', {}, 'DELETE')
    await get(FILE, { range: 'bytes=99-' })
    await get('/v2/status')
    await get('/v1/channels/nowhere')
    expect(served.problems.map(({ code }) => code)).toEqual([
      'API_METHOD',
      'API_RANGE',
      'API_NOT_FOUND',
      'API_NOT_FOUND',
    ])
  })

  test('a fault of the node is told once, with where it is', async () => {
    node.failure = new Error('a fault')
    await refused(await get(CHANNEL), 500, 'INTERNAL')
    node.failure = undefined
    expect(served.problems).toEqual([{ code: 'INTERNAL', text: expect.stringContaining('a fault\n    at ') }])
  })

  test('a node that is not ready refuses nothing', async () => {
    node.waitingFor = ['payments/prod']
    expect((await get('/readyz')).status).toBe(503)
    node.waitingFor = []
    expect(served.problems).toEqual([])
  })
})
