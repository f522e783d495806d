/** Readers that take something all the time, but hardly anything: the room that they hold is what others wait for. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Limits } from '../../../src/limits.ts'
import { FakeNode, type Served, serve } from './fake-node.ts'

const KIB = 1024
const MIB = 1024 * KIB
const LONG = 'x'.repeat(6 * MIB)
const FILES = '/v1/channels/payments%2Fprod/files'
const WATCH = '/v1/channels/payments%2Fprod/watch'
const within = { timeout: 10_000, interval: 10 }

let folder: string
let node: FakeNode
let served: Served
const open: Socket[] = []
const timers: NodeJS.Timeout[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'api-'))
  node = new FakeNode()
})
afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer)
  for (const socket of open.splice(0)) socket.destroy()
  await served.api.stop()
  rmSync(folder, { recursive: true })
})

/** On a Unix socket: of TCP the system takes some MiB at once, and says late that they are gone. */
async function start(limits: Partial<Limits>): Promise<void> {
  served = await serve(node, {
    listen: `unix:${join(folder, 'api')}`,
    limits: { watchHeartbeatMs: 50, ...limits },
  })
}

interface Reader {
  readonly socket: Socket
  readonly text: () => string
}

/** Takes what comes at once, or so many bytes of it, and then 64 KiB each so often. */
async function read(target: string, everyMs?: number, atOnce = 0): Promise<Reader> {
  const parts: Buffer[] = []
  const socket = connect(join(folder, 'api'))
  open.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  await once(socket, 'readable')
  if (everyMs === undefined) socket.on('data', (part) => parts.push(part))
  else {
    let taken = 0
    const take = (): void => {
      const part = socket.read(Math.min(socket.readableLength, 64 * KIB))
      if (part === null) return
      parts.push(part)
      taken += part.length
    }
    socket.on('readable', () => taken < atOnce && take())
    timers.push(setInterval(take, everyMs))
  }
  return { socket, text: () => Buffer.concat(parts).toString('latin1') }
}

const texts = (what: RegExp) => served.problems.filter(({ text }) => what.test(text))

test.each([
  ['a listing', FILES],
  ['a channel', '/v1/channels/payments%2Fprod'],
  ['an event', WATCH],
])('of %s lets the event of a watcher through in time', async (_, target) => {
  node.activate({ [LONG]: 'a' }, LONG)
  await start({ maxHttpAnswerBytes: 1, httpRequestTimeoutMs: 1_000, minHttpBytesPerSecond: MIB })
  const slow = await read(target, 200)
  const watcher = await read(WATCH)
  const { id } = node.activate({ [LONG]: 'b' })
  await vi.waitFor(() => expect(watcher.text()).toContain(`id: ${id}`), within)
  const said = /^GET \S+: the answer is read too slowly; connection closed$/
  expect(texts(/closed$/)).toEqual([{ code: 'API_BUSY', text: expect.stringMatching(said) }])
  expect(slow.text().length).toBeLessThan(LONG.length)
})

test('what was taken fast before is no reason to dawdle', async () => {
  node.activate({ [LONG]: 'a' })
  await start({ maxHttpAnswerBytes: 1, httpRequestTimeoutMs: 1_000, minHttpBytesPerSecond: MIB })
  await read(FILES, 200, 4.5 * MIB)
  await vi.waitFor(() => expect(texts(/read too slowly/)).toHaveLength(1), within)
})

test.each([
  ['a listing', FILES],
  ['a channel', '/v1/channels/payments%2Fprod'],
])('of %s who keeps to the least rate gets all, for however many timeouts it reads', async (_, target) => {
  node.activate({ [LONG]: 'a' }, LONG)
  await start({ maxHttpAnswerBytes: 1, httpRequestTimeoutMs: 500, minHttpBytesPerSecond: 256 * KIB })
  const { socket, text } = await read(target, 25)
  await once(socket, 'close')
  await vi.waitFor(() => expect(text()).toMatch(/}$/), within)
  expect(text().length).toBeGreaterThan(LONG.length)
  expect(served.problems).toEqual([])
})

test.each([
  ['a listing', FILES, /}$/],
  ['an event', WATCH, /id: \w+\n\n/],
])('of %s a slow reader gets all where there is room for others', async (_, target, end) => {
  node.activate({ [LONG]: 'a' })
  await start({ httpRequestTimeoutMs: 500, minHttpBytesPerSecond: 16 * MIB })
  const { text } = await read(target, 25)
  node.activate({ [LONG]: 'b' })
  await vi.waitFor(() => expect(text()).toMatch(end), within)
  expect(text().length).toBeGreaterThan(LONG.length)
  expect(served.problems).toEqual([])
})

test('what is not there to be taken is not waited for: a stream whose node reads slowly goes on', async () => {
  const rest = Promise.withResolvers<void>()
  node.activate({ a: 'ab' })
  node.read = async () => inTwo(rest.promise)
  await start({ maxHttpAnswerBytes: 1, httpRequestTimeoutMs: 100, minHttpBytesPerSecond: MIB })
  const { text } = await read(`${FILES}/a`)
  // Five timeouts of a stream that begins meanwhile.
  const beats = await read(WATCH)
  await vi.waitFor(() => expect(beats.text().match(/: alive/g)?.length).toBeGreaterThan(10), within)
  rest.resolve()
  await vi.waitFor(() => expect(text()).toMatch(/ab$/), within)
  expect(texts(/closed$/)).toEqual([])
})

test('where events wait for longer than that, it is said, once for all of them until there is room', async () => {
  let rest = Promise.withResolvers<void>()
  node.activate({ a: 'ab' })
  node.read = async () => inTwo(rest.promise)
  await start({ maxHttpAnswerBytes: 1, httpRequestTimeoutMs: 200 })
  const watchers = [await read(WATCH), await read(WATCH), await read(WATCH)]
  for (const times of [1, 2]) {
    const holder = await read(`${FILES}/a`)
    const { id } = node.activate({ a: 'ab', more: `${times}` })
    const late = await read(WATCH)
    watchers.push(late)
    await vi.waitFor(() => expect(texts(/its event, and others, wait/)).toHaveLength(times), within)
    const beats = () => late.text().match(/: alive/g)?.length ?? 0
    const so = beats()
    await vi.waitFor(() => expect(beats()).toBeGreaterThan(so + 5), within)
    expect(watchers.some(({ text }) => text().includes(id))).toBe(false)
    rest.resolve()
    rest = Promise.withResolvers<void>()
    for (const { text } of watchers) await vi.waitFor(() => expect(text()).toContain(`id: ${id}`), within)
    holder.socket.destroy()
  }
  const text = 'watch payments/prod: its event, and others, wait until readers have taken their answers'
  expect(served.problems).toEqual(Array(2).fill({ code: 'API_BUSY', text }))
})

async function* inTwo(rest: Promise<void>): AsyncGenerator<Uint8Array> {
  yield Buffer.from('a')
  await rest
  yield Buffer.from('b')
}
