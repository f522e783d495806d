/** Content that is not, or not wholly, here: refused with its code, and where bytes have gone out, visibly cut off. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { FakeNode, type Served, serve } from './fake-node.ts'
import { ask, raw } from './raw.ts'

const CHANNEL = '/v1/channels/payments%2Fprod'
const FILE = `${CHANNEL}/files/a`
const CAR = `${CHANNEL}/car`
const damaged = () => new MeshError('STORE_CORRUPT', 'its content here is damaged')

let node: FakeNode
let served: Served
beforeEach(async () => {
  node = new FakeNode()
  node.activate({ a: 'x'.repeat(20) })
  served = await serve(node, { limits: { maxHttpAnswerBytes: 1 } })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await served.api.stop()
})

function answerWith(make: () => Promise<AsyncGenerator<Uint8Array>>): void {
  node.read = make
  node.car = async () => ({ bytes: 20, parts: await make() })
}

/** So many bytes, then the damage. */
async function* upTo(bytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes; at += 5) yield Buffer.from('xxxxx')
  throw damaged()
}

describe('what the node knows to lack', () => {
  test.each([
    ['GET', FILE, []],
    ['HEAD', FILE, []],
    ['GET', FILE, ['If-None-Match: *']],
    ['GET', FILE, ['Range: bytes=0-1']],
    ['GET', CAR, []],
    ['HEAD', CAR, []],
  ])('%s %s %j is refused in every form, and told', async (method, target, headers) => {
    for (const [code, status] of [
      ['STORE_CORRUPT', 503],
      ['API_UNAVAILABLE', 503],
      ['CONTENT_GONE', 410],
    ] as const) {
      answerWith(async () => Promise.reject(new MeshError(code, 'not here')))
      const answer = await ask(served.api.url, target, { method, headers })
      expect(answer.head).toMatch(new RegExp(`^confmesh-code: ${code}\\r?$`, 'im'))
      expect([answer.status, /^retry-after: \d/im.test(answer.head)]).toEqual([status, status === 503])
      expect(served.problems.splice(0).map((problem) => problem.code)).toEqual([code])
    }
  })

  test('is said though there is no room for the answer', async () => {
    let free: (() => void) | undefined
    const held = new Promise<void>((resolve) => {
      free = resolve
    })
    const { car } = node
    const parts = async function* () {
      yield Buffer.from('car')
      await held
    }
    node.car = async () => ({ bytes: 100_000, parts: parts() })
    const first = ask(served.api.url, CAR)
    const isFull = async () => expect((await ask(served.api.url, '/v1/status')).code).toBe('API_BUSY')
    await vi.waitFor(isFull, { timeout: 30_000 })
    expect((await ask(served.api.url, CAR)).code).toBe('API_BUSY')
    expect((await ask(served.api.url, CAR, { method: 'HEAD' })).status).toBe(200)
    node.car = car.bind(node)
    node.gone.add(node.channels.get('payments/prod')?.[0]?.id ?? '')
    const release = [...node.gone][0]
    expect((await ask(served.api.url, `${CAR}?release=${release}`)).code).toBe('CONTENT_GONE')
    free?.()
    expect((await first).body).toContain('car')
  })
})

describe('what proves damaged as it is read', () => {
  test.each([
    ['a file', FILE],
    ['a release', CAR],
  ])('%s, with its first bytes: refused with the right status', async (_, target) => {
    answerWith(async () => upTo(0))
    const answer = await ask(served.api.url, target)
    expect([answer.status, answer.code]).toEqual([503, 'STORE_CORRUPT'])
    expect(served.problems.map(({ code }) => code)).toEqual(['STORE_CORRUPT'])
  })

  test.each([
    ['a file', FILE, 5],
    ['a file, late', FILE, 15],
    ['a release', CAR, 5],
    ['a release, late', CAR, 15],
  ])('%s, later: cut off for all to see, and told once, in the log alone', async (_, target, bytes) => {
    const printed = vi.spyOn(console, 'error').mockReturnValue()
    answerWith(async () => upTo(bytes))
    const answer = await ask(served.api.url, target).catch(() => undefined)
    expect(answer?.body ?? '').not.toMatch(/damaged|\r\n0\r\n\r\n$/)
    await expect(fetch(served.api.url + target).then((response) => response.text())).rejects.toThrow()
    const told = { code: 'STORE_CORRUPT', text: `GET ${target}: cut off: its content here is damaged` }
    expect(served.problems).toEqual([told, told])
    expect(printed).not.toHaveBeenCalled()
  })

  test('a release, over HTTP/1.0: shorter than it was said to be, which knows no other end than that of the connection', async () => {
    answerWith(async () =>
      (async function* () {
        yield Buffer.from('xxxxx')
        // Until that has gone out.
        await delay(50)
        yield* upTo(5)
      })(),
    )
    const { head, body } = await raw(served.api.url, `GET ${CAR} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n`)
    expect(head).toMatch(/^content-length: 20\r?$/im)
    expect(body).toMatch(/^x{5,10}$/)
  })

  test('a failure without a code is the log’s to know', async () => {
    node.read = async () =>
      (async function* () {
        yield Buffer.from('xxxxx')
        throw new TypeError('a secret path')
      })()
    const answer = await ask(served.api.url, FILE).catch(() => undefined)
    expect(answer?.body ?? '').not.toContain('secret')
    expect(served.problems).toEqual([{ code: 'INTERNAL', text: `GET ${FILE}: cut off: a secret path` }])
  })
})
