import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CHANNEL, FakeNode, type FakeRelease, type Served, serve, sha } from './fake-node.ts'

const WATCH = '/v1/channels/payments%2Fprod/watch'
const within = { timeout: 5_000, interval: 5 }

let node: FakeNode
let served: Served
let stop: AbortController

beforeEach(async () => {
  node = new FakeNode()
  stop = new AbortController()
  served = await serve(node, { limits: { watchHeartbeatMs: 20 } })
})
afterEach(async () => {
  stop.abort()
  await served.api.stop()
})

interface Watch {
  readonly events: EventSourceMessage[]
  readonly releases: () => string[]
  comments: number
}

/** Reads the stream as it comes. */
async function watch(headers: Record<string, string> = {}): Promise<Watch> {
  const response = await fetch(served.api.url + WATCH, { headers, signal: stop.signal })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const events: EventSourceMessage[] = []
  const seen: Watch = { events, comments: 0, releases: () => events.map(({ id }) => id ?? '') }
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: () => {
      seen.comments += 1
    },
  })
  const read = async () => {
    for await (const part of response.body ?? []) parser.feed(Buffer.from(part).toString('utf8'))
  }
  void read().catch((error: Error) => {
    if (!stop.signal.aborted) throw error
  })
  return seen
}

const dataOf = (event: EventSourceMessage | undefined) => JSON.parse(event?.data ?? 'null')

test('the current state comes first, then each activation with the paths that changed', async () => {
  const first = node.activate({ a: '1', b: '1' })
  const seen = await watch()
  await vi.waitFor(() => expect(seen.releases()).toEqual([first.id]), within)
  expect(dataOf(seen.events[0])).toEqual({ release: first.id, clock: { ops: 1 }, changed: ['a', 'b'] })
  expect(seen.events[0]?.event).toBe('release')

  const second = node.activate({ a: '2', b: '1' })
  await vi.waitFor(() => expect(seen.releases()).toEqual([first.id, second.id]), within)
  expect(dataOf(seen.events[1])).toEqual({ release: second.id, clock: { ops: 2 }, changed: ['a'] })
})

test('what changed is made into text once, however many watch', async () => {
  const watchers = await Promise.all([watch(), watch(), watch()])
  const stringify = vi.spyOn(JSON, 'stringify')
  const { id } = node.activate({ here: '1' })
  for (const { releases } of watchers) await vi.waitFor(() => expect(releases()).toEqual([id]), within)
  const made = stringify.mock.results.filter(({ value }) => String(value).includes('["here"]'))
  stringify.mockRestore()
  expect(made).toHaveLength(1)
  for (const { events } of watchers)
    expect(events[0]?.data).toBe(`{"release":"${id}","clock":{"ops":1},"changed":["here"]}`)
})

test('a channel that has nothing yet may be watched; the first release comes', async () => {
  const seen = await watch()
  await vi.waitFor(() => expect(seen.comments).toBeGreaterThan(0), within)
  const first = node.activate({ a: '1' })
  await vi.waitFor(() => expect(seen.releases()).toEqual([first.id]), within)
})

test('a channel that the node does not store cannot be watched: nothing would ever come', async () => {
  for (const method of ['GET', 'HEAD']) {
    const response = await fetch(`${served.api.url}/v1/channels/elsewhere%2Fprod/watch`, { method })
    expect([response.status, response.headers.get('confmesh-code')]).toEqual([404, 'API_NOT_FOUND'])
  }
  expect(node.listeners.size).toBe(0)
})

test('Last-Event-ID of the current release: only what follows is sent', async () => {
  const first = node.activate({ a: '1' })
  const seen = await watch({ 'last-event-id': first.id })
  await vi.waitFor(() => expect(seen.comments).toBeGreaterThan(0), within)
  expect(seen.events).toEqual([])
  const second = node.activate({ a: '2' })
  await vi.waitFor(() => expect(seen.releases()).toEqual([second.id]), within)
})

test('Last-Event-ID of an older release: the current one is sent, with what differs from it', async () => {
  const first = node.activate({ a: '1', b: '1', c: '1' })
  node.activate({ a: '1', b: '2', c: '1' })
  const third = node.activate({ a: '1', b: '2', d: '1' })
  const seen = await watch({ 'last-event-id': first.id })
  await vi.waitFor(() => expect(seen.releases()).toEqual([third.id]), within)
  expect(dataOf(seen.events[0]).changed).toEqual(['b', 'c', 'd'])
})

test.each([
  ['is no longer stored', (first: FakeRelease) => first.id],
  ['was never here', () => sha('elsewhere')],
  ['is none', () => 'soon'],
])('Last-Event-ID of a release that %s: everything may have changed', async (_what, idOf) => {
  const first = node.activate({ a: '1', b: '1' })
  const second = node.activate({ a: '2', b: '1' })
  node.gone.add(first.id)
  const seen = await watch({ 'last-event-id': idOf(first) })
  await vi.waitFor(() => expect(seen.releases()).toEqual([second.id]), within)
  expect(dataOf(seen.events[0]).changed).toEqual(['a', 'b'])
})

test('a release is said once, however often it is told', async () => {
  const first = node.activate({ a: '1' })
  const seen = await watch({ 'last-event-id': first.id })
  const again = { channel: CHANNEL, release: first.id, clock: { ops: 1 }, changed: [] }
  /** Whatever was to be sent is sent before the second comment from now. */
  const settled = async () => {
    const before = seen.comments
    await vi.waitFor(() => expect(seen.comments).toBeGreaterThan(before + 1), within)
  }
  await settled()
  for (const listener of node.listeners) listener(again)
  await settled()
  expect(seen.releases()).toEqual([])
  const second = node.activate({ a: '2' })
  await settled()
  for (const listener of node.listeners) listener({ ...again, release: second.id })
  await settled()
  expect(seen.releases()).toEqual([second.id])
})

test('of quickly replaced releases the newest is sent, with all that changed since', async () => {
  const first = node.activate({ a: '1', b: '1' })
  const seen = await watch()
  await vi.waitFor(() => expect(seen.releases()).toEqual([first.id]), within)
  let last: FakeRelease = first
  for (let i = 2; i <= 200; i++) last = node.activate(i % 2 ? { a: `${i}`, b: '1' } : { a: '1', b: `${i}` })
  await vi.waitFor(() => expect(seen.releases().at(-1)).toBe(last.id), within)
  expect(seen.events.length).toBeLessThan(10)
  expect([...new Set(seen.events.slice(1).flatMap((event) => dataOf(event).changed))].sort()).toEqual([
    'a',
    'b',
  ])
})

test('what is activated while the first state is read is not overtaken by it', async () => {
  node.activate({ a: '1' })
  let second: FakeRelease | undefined
  node.beforeFiles = async () => {
    second ??= node.activate({ a: '1', b: '2' })
  }
  const seen = await watch()
  await vi.waitFor(() => expect(seen.releases().at(-1)).toBe(second?.id), within)
  await vi.waitFor(() => expect(seen.comments).toBeGreaterThan(1), within)
  expect(seen.releases()).toEqual([second?.id])
  expect(dataOf(seen.events[0]).changed).toEqual(['a', 'b'])
})

test('a state that cannot be read ends the stream and is told', async () => {
  node.activate({ a: '1' })
  node.beforeFiles = async () => {
    throw new Error('disk')
  }
  // Nothing but `release` is in the contract, and what failed inside is the log's to know.
  expect(await (await fetch(served.api.url + WATCH)).text()).toBe('')
  expect(served.problems).toEqual([{ code: 'INTERNAL', text: 'watch payments/prod: disk' }])
  expect(node.listeners.size).toBe(0)
})

test('a stream ends where an activation could not be said: its reader comes again and finds it', async () => {
  const first = node.activate({ a: '1' })
  const response = await fetch(served.api.url + WATCH, { headers: { 'last-event-id': first.id } })
  await vi.waitFor(() => expect(node.missed.size).toBe(1), within)
  for (const missed of node.missed) missed()
  expect(await response.text()).not.toContain('event:')
  expect(node.listeners.size).toBe(0)
})

test('a stream with nothing to say yet says at once that it is alive', async () => {
  await served.api.stop()
  served = await serve(node)
  const seen = await watch({ 'last-event-id': node.activate({ a: '1' }).id })
  await vi.waitFor(() => expect(seen.comments).toBe(1), within)
  expect(seen.events).toEqual([])
})

test('stop ends the watches too', async () => {
  node.activate({ a: '1' })
  const response = await fetch(served.api.url + WATCH)
  await served.api.stop()
  await expect(response.text()).rejects.toThrow()
  await vi.waitFor(() => expect(node.listeners.size).toBe(0), within)
})
