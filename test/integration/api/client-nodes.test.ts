/** A watch through one address on which two nodes answer, of which one has a release later than the other. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { Client } from '../../../src/client/index.ts'
import { CHANNEL, FakeNode, type Served, serve } from './fake-node.ts'
import { waits } from './short-waits.ts'

vi.mock(import('node:timers/promises'), async (original) =>
  (await import('./short-waits.ts')).shortWaits(original),
)

/** Streams are answered by the one that is ahead, all else by the other until the client has waited so often. */
let [ahead, behind]: readonly FakeNode[] = []
let lagsFor = 0
/** The `Last-Event-ID` of each stream that was asked for. */
let named: unknown[]
let both: readonly Served[]
let server: Server
let client: Client

beforeEach(async () => {
  ;[ahead, behind] = [new FakeNode(), new FakeNode()]
  both = [await serve(ahead), await serve(behind)]
  waits.splice(0)
  lagsFor = 0
  named = []
  server = createServer((asked, answer) => {
    const isStream = asked.url?.endsWith('/watch') === true
    if (isStream) named.push(asked.headers['last-event-id'])
    const { api } = both[isStream || waits.length >= lagsFor ? 0 : 1] as Served
    const passedOn = request(`${api.url}${asked.url}`, { headers: asked.headers }, (from) => {
      answer.writeHead(from.statusCode ?? 0, from.headers)
      from.pipe(answer)
    })
    passedOn.on('error', () => answer.destroy()).end()
    answer.on('close', () => passedOn.destroy())
  })
  await new Promise<void>((bound) => server.listen(0, '127.0.0.1', bound))
  client = new Client({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
afterEach(async () => {
  server.close()
  server.closeAllConnections()
  for (const { api } of both) await api.stop()
  vi.restoreAllMocks()
})

/** Active on both, and then another one that only the one ahead has. */
function released(): readonly string[] {
  behind?.activate({ a: '1' })
  return [{ a: '1' }, { a: '2' }].map((files) => ahead?.activate(files).id ?? '')
}
const options = () => ({ signal: AbortSignal.timeout(10_000), onDisconnect: vi.fn<(error: Error) => void>() })

test('a release that the other one does not have yet comes, though nothing is said of it again', async () => {
  const first = behind?.activate({ a: '1' })
  ahead?.activate({ a: '1' })
  lagsFor = 1
  const watch = client.watch(CHANNEL, options())
  expect((await watch.next()).value?.release).toBe(first?.id)
  const second = ahead?.activate({ a: '2' })
  expect((await watch.next()).value?.release).toBe(second?.id)
  expect(named).toEqual([undefined])
  await watch.return(undefined)
})

test('it is asked for ever more rarely while the other one has it not, and each time that is told', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  const [, second] = released()
  lagsFor = 8
  const told = options()
  const watch = client.watch(CHANNEL, told)
  expect((await watch.next()).value?.release).toBe(second)
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  expect(told.onDisconnect).toHaveBeenCalledTimes(8)
  expect(named).toEqual([undefined])
  expect(ahead?.listeners.size).toBe(1)
  await watch.return(undefined)
})

test('a newer one that is told of meanwhile ends the attempts at it, at once', async () => {
  const [, second = ''] = released()
  lagsFor = Number.POSITIVE_INFINITY
  const told = options()
  const watch = client.watch(CHANNEL, told)
  const next = watch.next()
  await expect.poll(() => told.onDisconnect.mock.calls.length).toBeGreaterThan(2)
  ahead?.gone.add(second)
  const third = ahead?.activate({ a: '3' })
  lagsFor = 0
  expect((await next).value?.release).toBe(third?.id)
  await watch.return(undefined)
})

test('one that is left while nothing comes lets go of its stream', async () => {
  released()
  const watch = client.watch(CHANNEL)
  await watch.next()
  await expect.poll(() => ahead?.listeners.size).toBe(1)
  await watch.return(undefined)
  await expect.poll(() => ahead?.listeners.size).toBe(0)
})

test('a state from disk is not taken for one that a node has given', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-client-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const stateFile = join(dir, 'state.json')
  const [first, second] = released()
  const kept = new Client({ api: both[1]?.api.url ?? '' }).watch(CHANNEL, { stateFile })
  expect((await kept.next()).value?.release).toBe(first)
  await kept.return(undefined)
  lagsFor = 1
  const watch = client.watch(CHANNEL, { ...options(), stateFile })
  expect((await watch.next()).value).toMatchObject({ release: first, fromDisk: true })
  expect((await watch.next()).value).toMatchObject({ release: second, fromDisk: false })
  expect(named).toEqual([undefined])
  await watch.return(undefined)
})
