import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { freePort } from '../../../src/cli/demo/free-port.ts'
import { Client, type Snapshot } from '../../../src/client/index.ts'
import { leaveSocket } from './dead-socket.ts'
import { CHANNEL, FakeNode, type Served, serve, sha } from './fake-node.ts'

let node: FakeNode
let dir: string
const running: Served[] = []

const start = async (more: Parameters<typeof serve>[1] = {}): Promise<Served> => {
  const served = await serve(node, more)
  running.push(served)
  return served
}

beforeEach(() => {
  node = new FakeNode()
  dir = mkdtempSync(join(tmpdir(), 'confmesh-client-'))
})
afterEach(async () => {
  for (const served of running.splice(0)) await served.api.stop()
  rmSync(dir, { recursive: true })
})

const textOf = (snapshot: Snapshot | undefined, path: string): string =>
  Buffer.from(snapshot?.files.get(path) ?? []).toString('utf8')
const code = (name: string) => expect.objectContaining({ code: name })

describe('reading', () => {
  test('status, channel, files, a file, a stored one, a CAR', async () => {
    const first = node.activate({ 'a b/ü.txt': 'one' })
    const second = node.activate({ 'a b/ü.txt': 'two' }, 'second')
    const client = new Client({ api: (await start()).api.url })
    expect((await client.status()).channels[0]?.active?.release).toBe(second.id)
    expect((await client.channel(CHANNEL)).history[0]?.release).toBe(first.id)
    expect((await client.files(CHANNEL)).files[0]?.path).toBe('a b/ü.txt')
    expect(Buffer.from(await client.get(CHANNEL, 'a b/ü.txt')).toString()).toBe('two')
    expect(Buffer.from(await client.get(CHANNEL, 'a b/ü.txt', first.id)).toString()).toBe('one')
    const parts: Buffer[] = []
    for await (const part of await client.car(CHANNEL)) parts.push(part)
    expect(Buffer.concat(parts).toString()).toBe(`car of ${second.id}`)
  })

  test('what a node of before does not say is read as nothing to say', async () => {
    node.activate({ a: 'one' })
    const { problems: _, patterns: ___, ...status } = node.status()
    const {
      fetch: __,
      history,
      ...entry
    } = node.channel(CHANNEL) as NonNullable<ReturnType<FakeNode['channel']>>
    node.status = () => ({ ...status, channels: [entry] }) as unknown as ReturnType<FakeNode['status']>
    node.channel = () => ({ ...entry, history }) as unknown as ReturnType<FakeNode['channel']>
    const client = new Client({ api: (await start()).api.url })
    expect(await client.status()).toMatchObject({
      problems: [],
      patterns: [],
      channels: [{ fetch: null }],
    })
    expect((await client.channel(CHANNEL)).fetch).toBeNull()
  })

  test('ready says what is missing and does not throw', async () => {
    node.waitingFor = ['a']
    expect(await new Client({ api: (await start()).api.url }).ready()).toEqual({
      ready: false,
      waitingFor: ['a'],
    })
  })

  test('ready that is refused is the refusal, not that no node answers here', async () => {
    node.waitingFor = ['a']
    const { api } = await start({ limits: { maxHttpAnswerBytes: 0 } })
    await expect(new Client({ api: api.url }).ready()).rejects.toThrow(code('API_BUSY'))
  })

  test('json and yaml go through the validator, and its refusal through to the caller', async () => {
    node.activate({
      'a.json': '{"limit": 5}',
      'a.yaml': 'limit: 6\n',
      'bad.yaml': 'limit: many\n',
      'no.json': '{',
    })
    const client = new Client({ api: (await start()).api.url })
    const schema = z.object({ limit: z.int() })
    const json = await client.json(CHANNEL, 'a.json', schema.parse)
    expect(json.limit + (await client.yaml(CHANNEL, 'a.yaml', schema.parse)).limit).toBe(11)
    await expect(client.yaml(CHANNEL, 'bad.yaml', schema.parse)).rejects.toThrow(z.ZodError)
    await expect(client.json(CHANNEL, 'no.json', schema.parse)).rejects.toThrow(SyntaxError)
  })

  test('the node’s code is the error’s code', async () => {
    node.activate({ a: '1' })
    const { api } = await start({ token: 'secret' })
    const client = new Client({ api: api.url, token: 'secret' })
    await expect(client.get(CHANNEL, 'b')).rejects.toThrow(code('API_NOT_FOUND'))
    await expect(client.get(CHANNEL, 'a', sha('x'))).rejects.toThrow(code('CONTENT_GONE'))
    await expect(new Client({ api: api.url, token: 'guess' }).status()).rejects.toThrow(
      code('API_UNAUTHORISED'),
    )
  })

  test('a file larger than the bound is refused', async () => {
    node.activate({ a: 'x'.repeat(101) })
    const { api } = await start()
    await expect(new Client({ api: api.url, maxFileBytes: 100 }).get(CHANNEL, 'a')).rejects.toThrow(
      code('LIMIT_BYTES'),
    )
    expect(await new Client({ api: api.url, maxFileBytes: 101 }).get(CHANNEL, 'a')).toHaveLength(101)
  })

  test('no node, no answer, an answer that breaks off, no address', async () => {
    const server = createServer((request, response) => {
      if (!request.url?.includes('half')) return
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => response.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(new Client({ api, timeoutMs: 100 }).status()).rejects.toThrow(code('NET_TIMEOUT'))
    const client = new Client({ api })
    await expect(client.get(CHANNEL, 'half')).rejects.toThrow(code('NET_UNREACHABLE'))
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
    await expect(client.status()).rejects.toThrow(code('NET_UNREACHABLE'))
    await expect(new Client({ api: 'https://a' }).status()).rejects.toThrow(code('USAGE'))
    await expect(new Client({ api: 'nonsense' }).status()).rejects.toThrow(code('USAGE'))
  })
})

describe('an answer that stops coming', () => {
  /** Of each kind, the first half; the rest once somebody says so. */
  async function halting(status = 200) {
    const halves: (() => void)[] = []
    const server = createServer((request, response) => {
      const fine = request.url?.includes('/car') === true ? 'application/vnd.ipld.car' : 'application/json'
      const type = status === 200 ? fine : 'application/problem+json'
      response.writeHead(status, { 'content-type': type, 'content-length': '8' })
      response.write('half')
      halves.push(() => response.end('half'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { client: new Client({ api, silenceMs: 100 }), rest: () => halves.at(-1)?.() }
  }
  const all = async (parts: AsyncIterable<Buffer>): Promise<string> => {
    const read: Buffer[] = []
    for await (const part of parts) read.push(part)
    return Buffer.concat(read).toString()
  }

  test('is given up, whole or in parts', async () => {
    const { client } = await halting()
    const silent = code('NET_TIMEOUT')
    await expect(client.status()).rejects.toThrow(silent)
    await expect(client.get(CHANNEL, 'a')).rejects.toThrow(silent)
    await expect(client.stream(CHANNEL, 'a').then(all)).rejects.toThrow(silent)
    await expect(client.car(CHANNEL).then(all)).rejects.toThrow(silent)
  })

  test('is given up as soon where it is a refusal', async () => {
    const { client } = await halting(503)
    const watched = new Promise<never>((_, reject) => {
      const ended = new AbortController()
      onTestFinished(() => ended.abort())
      client.events(CHANNEL, { signal: ended.signal, onDisconnect: reject }).next().catch(reject)
    })
    const asked = [
      ...[client.status(), client.ready(), client.get(CHANNEL, 'a')],
      ...[client.stream(CHANNEL, 'a'), client.car(CHANNEL), watched],
    ]
    const reasons = (await Promise.allSettled(asked)).map((one) => one.status === 'rejected' && one.reason)
    expect(reasons).toEqual(
      asked.map(() =>
        expect.objectContaining({ code: 'NET_TIMEOUT', message: expect.stringContaining(' 100 ms') }),
      ),
    )
  })

  test('while its reader is busy with what came, it is not the node that is silent', async () => {
    const { client, rest } = await halting()
    const parts = (await client.stream(CHANNEL, 'a'))[Symbol.asyncIterator]()
    expect((await parts.next()).value.toString()).toBe('half')
    // Three times as long as the node may be silent: what the reader does with the part.
    await new Promise((resolve) => setTimeout(resolve, 300))
    rest()
    expect((await parts.next()).value.toString()).toBe('half')
    expect((await parts.next()).done).toBe(true)
  })
})

describe('something else that answers', () => {
  /** On any path. */
  async function other(status: number, type: string, body: string): Promise<Client> {
    const server = createServer((_, response) => {
      response.writeHead(status, { 'content-type': type }).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return new Client({ api: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  }

  test.each([
    ['a page', 200, 'text/html', '<html></html>'],
    ['an empty object', 200, 'application/json', '{}'],
    ['null', 200, 'application/json', 'null'],
    ['fields of other kinds', 200, 'application/json', '{"channels": {}, "files": {}, "release": 1}'],
    ['a page of what is not there', 404, 'text/html', '<html></html>'],
  ])('%s: no node, and no watch waits for one', async (_, status, type, body) => {
    const client = await other(status, type, body)
    const noNode = expect.objectContaining({
      code: 'API_UNAVAILABLE',
      message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+: no confmesh node answers here; is --api/),
    })
    for (const asked of [client.status(), client.ready(), client.channel(CHANNEL), client.files(CHANNEL)])
      await expect(asked).rejects.toEqual(noNode)
    await expect(client.car(CHANNEL)).rejects.toEqual(noNode)
    await expect(client.watch(CHANNEL).next()).rejects.toEqual(noNode)
  })

  test.each([
    ['', '<html></html>'],
    [', however long it says so', `<html>${'x'.repeat(64 * 1024)}</html>`],
  ])('a proxy whose node is away is waited for%s', async (_, page) => {
    const client = await other(502, 'text/html', page)
    await expect(client.status()).rejects.toThrow(code('API_UNAVAILABLE'))
    const stop = new AbortController()
    const lost: Error[] = []
    const onDisconnect = (error: Error): void => {
      lost.push(error)
      stop.abort()
    }
    expect((await client.watch(CHANNEL, { signal: stop.signal, onDisconnect }).next()).done).toBe(true)
    expect(lost).toHaveLength(1)
  })
})

describe('a Unix socket', () => {
  test('has mode 0660 and serves', async () => {
    node.activate({ a: '1' })
    const listen = `unix:${join(dir, 'api.sock')}`
    const { api } = await start({ listen })
    expect(api.url).toBe(listen)
    expect(statSync(join(dir, 'api.sock')).mode & 0o777).toBe(0o660)
    expect(Buffer.from(await new Client({ api: listen }).get(CHANNEL, 'a')).toString()).toBe('1')
  })

  test('that a dead process left is replaced', async () => {
    const path = join(dir, 'api.sock')
    await leaveSocket(path)
    node.activate({ a: '1' })
    const { api } = await start({ listen: `unix:${path}` })
    expect(Buffer.from(await new Client({ api: api.url }).get(CHANNEL, 'a')).toString()).toBe('1')
  })

  test('that another node serves stays with it', async () => {
    node.activate({ a: '1' })
    const listen = `unix:${join(dir, 'api.sock')}`
    await start({ listen })
    const second = start({ listen })
    await expect(second).rejects.toThrow(code('NET_LISTEN'))
    await expect(second).rejects.toThrow(/ is in use/)
    expect(Buffer.from(await new Client({ api: listen }).get(CHANNEL, 'a')).toString()).toBe('1')
  })

  test('does not replace a file that is no socket', async () => {
    writeFileSync(join(dir, 'precious'), 'data')
    await expect(start({ listen: `unix:${join(dir, 'precious')}` })).rejects.toThrow(code('NET_LISTEN'))
    await expect(start({ listen: `unix:${join(dir, 'precious/sock')}` })).rejects.toThrow(code('NET_LISTEN'))
    expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('data')
  })
})

test('a port in use is said so', async () => {
  const { api } = await start()
  await expect(start({ listen: api.url.slice(7) })).rejects.toThrow(/in use/)
})

describe('watching', () => {
  test('goes on after the node was away, with what changed meanwhile', async () => {
    node.activate({ a: '1', b: '1' })
    const listen = `127.0.0.1:${await freePort()}`
    const served = await start({ listen })
    const client = new Client({ api: served.api.url })
    const lost: Error[] = []
    const watch = client.watch(CHANNEL, { onDisconnect: (error) => lost.push(error) })
    const first = (await watch.next()).value
    expect([textOf(first, 'a'), first?.changed, first?.fromDisk]).toEqual(['1', ['a', 'b'], false])

    await served.api.stop()
    const next = watch.next()
    const second = node.activate({ a: '2', b: '1' })
    await start({ listen })
    const { value } = await next
    expect([value?.release, textOf(value, 'a'), value?.changed]).toEqual([second.id, '2', ['a']])
    expect(lost.length).toBeGreaterThan(0)
    await watch.return(undefined)
  })

  test('starts from the state file while the node is down, then takes the newest', async () => {
    const stateFile = join(dir, 'state', 'payments.json')
    const first = node.activate({ a: '1' })
    const listen = `127.0.0.1:${await freePort()}`
    const served = await start({ listen })
    const client = new Client({ api: served.api.url })
    const before = client.watch(CHANNEL, { stateFile })
    const live = (await before.next()).value
    await before.return(undefined)
    expect(statSync(stateFile).mode & 0o777).toBe(0o600)
    await served.api.stop()

    const watch = client.watch(CHANNEL, { stateFile })
    const kept = (await watch.next()).value
    expect([kept?.release, textOf(kept, 'a'), kept?.fromDisk]).toEqual([first.id, '1', true])
    // An application that reads it as text must not find out on the day that its node is down.
    expect(String(kept?.files.get('a'))).toBe(String(live?.files.get('a')))
    const second = node.activate({ a: '2' })
    const next = watch.next()
    await start({ listen })
    const { value } = await next
    expect([value?.release, value?.fromDisk, value?.changed]).toEqual([second.id, false, ['a']])
    await watch.return(undefined)
  })

  test('a damaged state file counts as none, and is told', async () => {
    const stateFile = join(dir, 'state.json')
    writeFileSync(stateFile, '{"release": ')
    node.activate({ a: '1' })
    const told: string[] = []
    const client = new Client({ api: (await start()).api.url })
    const watch = client.watch(CHANNEL, { stateFile, onDisconnect: ({ message }) => told.push(message) })
    expect((await watch.next()).value?.fromDisk).toBe(false)
    expect(told).toEqual([`cannot read the state file ${stateFile}: it is damaged`])
    await watch.return(undefined)
  })

  test('a state file of another channel counts as none', async () => {
    const stateFile = join(dir, 'state.json')
    const clock = { ops: 1 }
    writeFileSync(stateFile, JSON.stringify({ channel: 'other/prod', release: 'ab', clock, files: {} }))
    node.activate({ a: '1' })
    const watch = new Client({ api: (await start()).api.url }).watch(CHANNEL, { stateFile })
    expect((await watch.next()).value?.fromDisk).toBe(false)
    await watch.return(undefined)
    expect(JSON.parse(readFileSync(stateFile, 'utf8'))).toMatchObject({ channel: CHANNEL })
  })

  test('a release replaced and gone before it was read is passed over', async () => {
    const first = node.activate({ a: '1' })
    let reads = 0
    let second = first
    node.beforeFiles = async () => {
      // The first read is the stream's own; by the second the release is replaced.
      if (++reads !== 2) return
      node.gone.add(first.id)
      second = node.activate({ a: '2' })
    }
    const watch = new Client({ api: (await start()).api.url }).watch(CHANNEL)
    const { value } = await watch.next()
    expect([value?.release, textOf(value, 'a')]).toEqual([second.id, '2'])
    expect(second.id).not.toBe(first.id)
    await watch.return(undefined)
  })

  test('an error that waiting does not mend ends the watch; the signal ends it quietly', async () => {
    node.activate({ a: '1' })
    const { api } = await start({ token: 'secret' })
    await expect(new Client({ api: api.url }).watch(CHANNEL).next()).rejects.toThrow(code('API_UNAUTHORISED'))

    const stop = new AbortController()
    const watch = new Client({ api: api.url, token: 'secret' }).watch(CHANNEL, { signal: stop.signal })
    await watch.next()
    const next = watch.next()
    stop.abort()
    expect((await next).done).toBe(true)
  })
})
