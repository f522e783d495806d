/** Answers that their readers do not take: bounded in bytes over all connections, and in time on each. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Limits } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { CHANNEL, FakeNode, type Served, serve } from './fake-node.ts'
import { ask } from './raw.ts'

const MIB = 1024 * 1024
/** More than the system takes off our hands for a reader that reads nothing. */
const LONG = 'x'.repeat(16 * MIB)
const FILES = '/v1/channels/payments%2Fprod/files'
const WATCH = '/v1/channels/payments%2Fprod/watch'
const within = { timeout: 10_000, interval: 10 }

class LongNode extends FakeNode {
  override async files(channel: Channel) {
    const listing = await super.files(channel)
    const sized = listing?.files.map((file) => (file.path === 'long' ? { ...file, size: LONG.length } : file))
    return listing && { ...listing, files: sized ?? [] }
  }
  override read = async (...asked: Parameters<FakeNode['read']>) =>
    asked[1] === 'long' ? blocks() : super.read(...asked)
  override car = async () => ({ bytes: LONG.length, parts: blocks() })
}

async function* blocks(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < LONG.length; at += MIB / 4) yield Buffer.from(LONG.slice(at, at + MIB / 4))
}

let served: Served
const open: Socket[] = []
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  await served.api.stop()
})

async function start(files: Record<string, string>, limits: Partial<Limits>): Promise<LongNode> {
  const node = new LongNode()
  node.activate(files)
  served = await serve(node, { limits })
  return node
}

/** Asks, and reads no more than what comes with the first bytes. */
async function unread(...targets: readonly string[]): Promise<Socket> {
  const { hostname, port } = new URL(served.api.url)
  const socket = connect(Number(port), hostname)
  open.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''))
  await once(socket, 'readable')
  return socket
}

/** Reads what comes of a watch. */
function watching(): () => string {
  const { hostname, port } = new URL(served.api.url)
  let text = ''
  const socket = connect(Number(port), hostname, () =>
    socket.write(`GET ${WATCH} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
  )
  open.push(socket)
  socket.on('data', (part) => {
    text += part.toString('latin1')
  })
  return () => text
}

const codes = () => served.problems.map(({ code }) => code)

describe('long answers under way are bounded', () => {
  test.each([
    ['listings', FILES, { [LONG]: 'a' }],
    ['files', `${FILES}/long`, { long: '' }],
    ['releases', '/v1/channels/payments%2Fprod/car', { a: 'a' }],
    ['channels', '/v1/channels/payments%2Fprod', { a: 'a' }],
  ])('%s', async (_, target, files) => {
    const node = await start(files, { maxHttpAnswerBytes: 700_000 })
    if (target.endsWith('prod')) node.activate(files, LONG)
    const first = await unread(target)
    const refused = await ask(served.api.url, FILES)
    expect([refused.status, refused.code]).toEqual([503, 'API_BUSY'])
    expect(refused.head).toMatch(/^retry-after: \d+\r?$/im)
    expect(codes()).toEqual(['API_BUSY'])
    expect((await ask(served.api.url, '/readyz')).status).toBe(200)
    first.destroy()
    await vi.waitFor(async () => expect((await ask(served.api.url, '/v1/status')).status).toBe(200), within)
  })

  test('one that waits behind another on its connection is not made before its turn', async () => {
    const node = await start({ [LONG]: 'a' }, { maxHttpAnswerBytes: 17 * MIB })
    const files = vi.spyOn(node, 'files')
    await unread(FILES, FILES, FILES)
    expect((await ask(served.api.url, '/v1/status')).status).toBe(200)
    expect(files).toHaveBeenCalledOnce()
  })

  test('a short one passes all the same', async () => {
    await start({ long: '', short: 'short', [`${LONG}/x`]: '' }, { maxHttpAnswerBytes: 1 })
    await unread(`${FILES}/long`)
    expect((await ask(served.api.url, `${FILES}/short`)).body).toBe('short')
    expect((await ask(served.api.url, '/metrics')).status).toBe(200)
    expect((await ask(served.api.url, `${FILES}/long`)).code).toBe('API_BUSY')
    expect(codes()).toEqual(['API_BUSY'])
  })

  test('an event waits until there is room for it; meanwhile its reader hears that the stream stands', async () => {
    const node = await start({ [LONG]: 'a' }, { maxHttpAnswerBytes: 1, watchHeartbeatMs: 50 })
    const first = await unread(WATCH)
    expect((await ask(served.api.url, '/v1/status')).code).toBe('API_BUSY')
    const text = watching()
    await vi.waitFor(() => expect(text().match(/: alive\n/g)?.length).toBeGreaterThan(3), within)
    expect(text()).not.toContain('event: release')
    first.destroy()
    await vi.waitFor(() => expect(text()).toContain(`id: ${node.channels.get(CHANNEL)?.at(-1)?.id}`), within)
  })

  test('an event whose room another takes while it is made comes once there is some', async () => {
    const node = await start({ [LONG]: 'a' }, { maxHttpAnswerBytes: 1, watchHeartbeatMs: 50 })
    const both = Promise.withResolvers<void>()
    let asked = 0
    node.beforeFiles = () => {
      asked += 1
      return both.promise
    }
    const first = unread(WATCH)
    await vi.waitFor(() => expect(asked).toBe(1), within)
    const text = watching()
    await vi.waitFor(() => expect(asked).toBe(2), within)
    both.resolve()
    await vi.waitFor(() => expect(text().match(/: alive\n/g)?.length).toBeGreaterThan(3), within)
    expect(text()).not.toContain('event: release')
    const socket = await first
    socket.destroy()
    await vi.waitFor(() => expect(text()).toContain(`id: ${node.channels.get(CHANNEL)?.at(-1)?.id}`), within)
  })
})

describe('an answer that is not read', () => {
  test.each([
    ['is cut off', FILES],
    ['is cut off, an event, too', WATCH],
  ])('%s', async (_, target) => {
    const node = await start({ [LONG]: 'a' }, { httpRequestTimeoutMs: 300, minHttpBytesPerSecond: 0 })
    const socket = await unread(target)
    const text = expect.stringMatching(/: the answer is not read; connection closed$/)
    await vi.waitFor(() => expect(served.problems).toEqual([{ code: 'API_BUSY', text }]), within)
    socket.resume()
    await once(socket, 'close')
    expect(socket.bytesRead).toBeLessThan(LONG.length)
    expect(node.listeners.size).toBe(0)
  })

  test('is not one of which there is nothing to read: a watcher stays', async () => {
    const node = await start({ a: 'a' }, { httpRequestTimeoutMs: 100 })
    await unread(WATCH)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(codes()).toEqual([])
    expect(node.listeners.size).toBe(1)
  })
})
