import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type ClientRequest, createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Client, type Snapshot, type WatchOptions } from '../../../src/client/index.ts'
import { MeshError } from '../../../src/errors.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { CHANNEL, FakeNode, type Served, serve, sha } from './fake-node.ts'
import { waits } from './short-waits.ts'

vi.mock(import('node:timers/promises'), async (original) =>
  (await import('./short-waits.ts')).shortWaits(original),
)

let node: FakeNode
let served: Served
let client: Client
let dir: string

beforeEach(async () => {
  node = new FakeNode()
  served = await serve(node)
  client = new Client({ api: served.api.url })
  dir = mkdtempSync(join(tmpdir(), 'confmesh-client-'))
  waits.splice(0)
})
afterEach(async () => {
  await served.api.stop()
  rmSync(dir, { recursive: true })
  vi.restoreAllMocks()
})

const textOf = (snapshot: Snapshot | undefined, path: string): string =>
  Buffer.from(snapshot?.files.get(path) ?? []).toString('utf8')

/** The nth reading of a listing fails; the first is the stream's own, the second the client's. */
function failing(nth: number, error: MeshError): void {
  let reads = 0
  node.beforeFiles = async () => {
    if (++reads === nth) throw error
  }
}

/** Answers each request with this stream of events, which then ends. */
async function streaming(events: string): Promise<Client> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events)
  })
  return listening(server)
}

/** A client of this server, which stands until the test ends. */
async function listening(server: Server): Promise<Client> {
  await new Promise<void>((bound) => server.listen(0, '127.0.0.1', bound))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return new Client({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

describe('what cannot be read for once does not end a watch', () => {
  test('the state that a stream begins with', async () => {
    const first = node.activate({ a: '1' })
    failing(1, new MeshError('STORE_CORRUPT', 'a page is damaged'))
    const watch = client.watch(CHANNEL)
    expect((await watch.next()).value?.release).toBe(first.id)
    expect(waits).toHaveLength(1)
    await watch.return(undefined)
  })

  test('a release said to be gone that is the active one all the same', async () => {
    const first = node.activate({ a: '1' })
    failing(2, new MeshError('CONTENT_GONE', 'a page is damaged'))
    const watch = client.watch(CHANNEL)
    expect((await watch.next()).value?.release).toBe(first.id)
    await watch.return(undefined)
  })

  test('a release of a node that has nothing active until it has fetched it again', async () => {
    const first = node.activate({ a: '1' })
    const { channel } = node
    let reads = 0
    node.beforeFiles = async () => {
      node.channel = channel
      if (++reads !== 2) return
      node.channel = (name) => {
        const known = channel.call(node, name)
        return known && { ...known, active: null, state: 'empty' }
      }
      throw new MeshError('CONTENT_GONE', 'the store was lost')
    }
    const watch = client.watch(CHANNEL, { signal: AbortSignal.timeout(10_000) })
    expect((await watch.next()).value?.release).toBe(first.id)
    await watch.return(undefined)
  })

  test.each([
    ['a disk that fails', new MeshError('STORE_FAILED', 'EIO')],
    ['a disk that is full', new MeshError('STORE_FULL', 'no space')],
    ['a fault inside the node', new TypeError('of no code')],
  ])('%s', async (_what, error) => {
    const first = node.activate({ a: '1' })
    let reads = 0
    node.beforeFiles = async () => {
      if (++reads === 2) throw error
    }
    const watch = client.watch(CHANNEL)
    expect((await watch.next()).value?.release).toBe(first.id)
    expect(waits).toHaveLength(1)
    await watch.return(undefined)
  })

  test.each(['STORE_CORRUPT', 'STORE_FAILED'] as const)(
    'a release of which the node says %s, once it was replaced',
    async (code) => {
      const first = node.activate({ a: '1' })
      let second = first
      let reads = 0
      node.beforeFiles = async (release?: ReleaseId) => {
        if (++reads === 1 || release !== first.id) return
        if (reads === 2) second = node.activate({ a: '2' })
        throw new MeshError(code, 'a page is damaged')
      }
      const watch = client.watch(CHANNEL)
      expect(textOf((await watch.next()).value, 'a')).toBe('2')
      expect(second).not.toBe(first)
      await watch.return(undefined)
    },
  )
})

test('events of another name are passed over', async () => {
  const data = JSON.stringify({ release: sha('one'), clock: { ops: 1 }, changed: ['a'] })
  const said = `event: error\ndata: disk\n\ndata: none\n\nevent: release\ndata: ${data}\n\n`
  const events = (await streaming(said)).events(CHANNEL)
  expect((await events.next()).value).toEqual(JSON.parse(data))
  await events.return(undefined)
})

describe('how long it waits before it comes again', () => {
  /** Of a watch that is ended at the wait after so many. */
  function ending(after: number): WatchOptions {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    const stop = new AbortController()
    const onDisconnect = (): void => {
      if (waits.length === after) stop.abort()
    }
    return { signal: stop.signal, onDisconnect }
  }

  async function waitsOf(said: string, count = 4): Promise<number[]> {
    const events = (await streaming(said)).events(CHANNEL, ending(count))
    expect((await events.next()).done).toBe(true)
    return waits.slice(0, count)
  }

  const EIGHT = [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]

  test('ten seconds at most, for a stream', async () => {
    expect(await waitsOf('', 8)).toEqual(EIGHT)
  })

  test('ten seconds at most, for the files of a release', async () => {
    node.activate({ a: '1' })
    let reads = 0
    node.beforeFiles = async () => {
      if (++reads > 1) throw new MeshError('API_BUSY', 'other readers have not taken their answers yet')
    }
    expect((await client.watch(CHANNEL, ending(8)).next()).done).toBe(true)
    expect(waits.slice(0, 8)).toEqual(EIGHT)
  })

  test('ever longer where the streams end before a word', async () => {
    expect(await waitsOf('')).toEqual([200, 400, 800, 1600])
    waits.splice(0)
    expect(await waitsOf('event: error\ndata: disk\n\n')).toEqual([200, 400, 800, 1600])
  })

  test('no longer than at first once a stream is alive, though nothing was activated', async () => {
    expect(await waitsOf(': alive\n\n')).toEqual([200, 200, 200, 200])
  })
})

test('a stream that is cut goes on where it ended: what was said is not said again', async () => {
  const named: unknown[] = []
  const onRequest = (message: unknown) =>
    named.push((message as { request: ClientRequest }).request.getHeader('last-event-id'))
  subscribe('http.client.request.start', onRequest)
  onTestFinished(() => void unsubscribe('http.client.request.start', onRequest))
  const first = node.activate({ a: '1' })
  const lost = vi.fn()
  const events = client.events(CHANNEL, { onDisconnect: lost })
  expect((await events.next()).value?.release).toBe(first.id)
  const next = events.next()
  for (const cut of [...node.missed]) cut()
  await expect.poll(() => named).toHaveLength(2)
  await expect.poll(() => node.listeners.size).toBe(1)
  const second = node.activate({ a: '2' })
  expect((await next).value?.release).toBe(second.id)
  expect(named).toEqual([undefined, first.id])
  expect(lost).toHaveBeenCalledTimes(1)
  await events.return(undefined)
})

test('a stream that falls silent is given up after three heartbeats, and another one is opened', async () => {
  const data = JSON.stringify({ release: sha('one'), clock: { ops: 1 }, changed: ['a'] })
  const streams: ServerResponse[] = []
  const server = createServer((_, response) => {
    streams.push(response)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: release\ndata: ${data}\n\n`)
  })
  const silent = await listening(server)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const told: Error[] = []
  const events = silent.events(CHANNEL, { onDisconnect: (error) => told.push(error) })
  expect((await events.next()).value).toEqual(JSON.parse(data))
  const next = events.next()
  await expect.poll(() => vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(44_999)
  expect(told).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  await expect.poll(() => told).toEqual([expect.objectContaining({ code: 'NET_TIMEOUT' })])
  await vi.advanceTimersByTimeAsync(5)
  expect((await next).value).toEqual(JSON.parse(data))
  expect(streams).toHaveLength(2)
  await events.return(undefined)
})

describe('the signal', () => {
  const files = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, 'x']))

  test('ends the downloads: no snapshot comes after it', async () => {
    node.activate(files)
    const stop = new AbortController()
    const read = node.read.bind(node)
    let reads = 0
    node.read = async (...asked: Parameters<FakeNode['read']>) => {
      if (++reads === 2) stop.abort()
      return read(...asked)
    }
    const onDisconnect = vi.fn()
    expect((await client.watch(CHANNEL, { signal: stop.signal, onDisconnect }).next()).done).toBe(true)
    expect(reads).toBeLessThan(4)
    expect(onDisconnect).not.toHaveBeenCalled()
  })

  test('after the last byte holds back the snapshot, and the state file stays as it is', async () => {
    const stateFile = join(dir, 'state.json')
    node.activate({ a: '1' })
    const stop = new AbortController()
    node.read = async () =>
      (async function* () {
        yield Buffer.from('1')
        stop.abort()
      })()
    expect((await client.watch(CHANNEL, { signal: stop.signal, stateFile }).next()).done).toBe(true)
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('the state file', () => {
  test('that cannot be written is told, and the snapshot comes all the same', async () => {
    const first = node.activate({ a: '1' })
    writeFileSync(join(dir, 'file'), '')
    const stateFile = join(dir, 'file', 'state.json')
    const told: Error[] = []
    const watch = client.watch(CHANNEL, { stateFile, onDisconnect: (error) => told.push(error) })
    expect((await watch.next()).value?.release).toBe(first.id)
    expect(told).toEqual([expect.objectContaining({ code: 'INPUT_PATH' })])
    expect(told[0]?.message).toContain(stateFile)
    await watch.return(undefined)
  })

  test('is written aside under a name that nobody else has, whose process id is the same or not', async () => {
    const first = node.activate({ a: '1' })
    const [stateFile, theirs] = [join(dir, 'state.json'), join(dir, 'theirs')]
    writeFileSync(theirs, 'theirs')
    symlinkSync(theirs, `${stateFile}.${process.pid}.part`)
    const watch = client.watch(CHANNEL, { stateFile })
    await watch.next()
    expect(readFileSync(theirs, 'utf8')).toBe('theirs')
    expect(JSON.parse(readFileSync(stateFile, 'utf8')).release).toBe(first.id)
    await watch.return(undefined)
  })

  test('that does not fit on the disk leaves the one before, and nothing beside it', () => {
    const path = join(dir, 'state.json')
    const module = resolve(import.meta.dirname, '../../../src/client/state-file.ts')
    const script = `
      const { stateFile } = await import(${JSON.stringify(module)})
      const file = stateFile(${JSON.stringify(path)}, 'a')
      const of = (size) => ({ release: 'r' + size, clock: {}, files: new Map([['f', new Uint8Array(size)]]) })
      file.write(of(10))
      try { file.write(of(100_000)); console.log('written') } catch (error) { console.log(error.code) }`
    // A bound on the size of files cuts a write short as a full disk does.
    const run = spawnSync(
      'bash',
      ['-c', 'ulimit -f 16; exec "$0" --input-type=module -e "$1"', process.execPath, script],
      { encoding: 'utf8' },
    )
    expect([run.stdout, run.stderr]).toEqual(['INPUT_PATH\n', ''])
    expect(JSON.parse(readFileSync(path, 'utf8')).release).toBe('r10')
    expect(readdirSync(dir)).toEqual(['state.json'])
  })
})

describe('what is held already', () => {
  /** What the client asked the node for. */
  function asked(): string[] {
    const paths: string[] = []
    const { read } = node
    node.read = (channel, path, ...more) => {
      paths.push(path)
      return read.call(node, channel, path, ...more)
    }
    return paths
  }

  test('is not asked for again: of many files the one that changed', async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`f${at}`, `${at}`]))
    node.activate(many)
    const watch = client.watch(CHANNEL)
    const before: Snapshot = (await watch.next()).value
    const paths = asked()
    const { f9: _, ...rest } = many
    node.activate({ ...rest, f7: 'other', more: 'new' })
    const after: Snapshot = (await watch.next()).value
    expect(paths.sort()).toEqual(['f7', 'more'])
    expect(after.changed).toEqual(['f7', 'f9', 'more'])
    expect([...after.files.keys()].sort()).toEqual(Object.keys({ ...rest, more: '' }).sort())
    expect([textOf(after, 'f7'), textOf(after, 'f8')]).toEqual(['other', '8'])
    expect(after.files.get('f8')).toBe(before.files.get('f8'))
    await watch.return(undefined)
  })

  test('is not asked for again by the next attempt, where the node refused a file', async () => {
    node.activate({ a: 'one', b: 'two', c: 'three' })
    const paths = asked()
    const { read } = node
    let refused = false
    node.read = async (channel, path, ...more) => {
      const stream = await read.call(node, channel, path, ...more)
      if (path !== 'b' || refused) return stream
      refused = true
      throw new MeshError('API_BUSY', 'other readers have not taken their answers yet')
    }
    const watch = client.watch(CHANNEL)
    const snapshot: Snapshot = (await watch.next()).value
    expect(paths).toEqual(['a', 'b', 'b', 'c'])
    expect(['a', 'b', 'c'].map((path) => textOf(snapshot, path))).toEqual(['one', 'two', 'three'])
    expect(snapshot.changed).toEqual(['a', 'b', 'c'])
    await watch.return(undefined)
  })

  test('is asked for again where its bytes are others by now', async () => {
    node.activate({ a: 'one', b: 'two', c: '' })
    const before = await client.snapshot(CHANNEL)
    before.files.get('a')?.fill(0)
    const paths = asked()
    const after = await client.snapshot(CHANNEL, before)
    expect(paths).toEqual(['a'])
    expect([textOf(after, 'a'), textOf(after, 'b'), after.changed]).toEqual(['one', 'two', ['a']])
  })
})
