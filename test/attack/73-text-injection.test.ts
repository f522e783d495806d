import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { fail, printable, setOutput } from '../../src/cli/output.ts'
import { runProgram } from '../../src/cli/program.ts'
import { tellUpload } from '../../src/cli/progress.ts'
import { pushToAll } from '../../src/cli/trust-push.ts'
import { PUBLISH_IT_TOO, warnUnsaid } from '../../src/cli/trust-touched.ts'
import { MAX_TEXT_BYTES } from '../../src/codec/message-forms.ts'
import { logPort } from '../../src/daemon/log.ts'
import { MeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import { RefusedBySeed } from '../../src/publish/seeds.ts'
import { confmesh } from '../e2e/command-line.ts'
import { CHANNEL, FakeNode, serve } from '../integration/api/fake-node.ts'
import { ROOT, rootBytes } from '../unit/core/fleet.ts'
import { FakeSeed } from '../unit/publish/fake-seed.ts'

const ATTACKS = [
  '\x1b[2J\x1b[1;1Hall is well',
  'line\nconfmesh: all is well',
  'bell\x07 back\b\b\b',
  'c1 \x9b31m',
  'right to left \u202e gpj.exe',
  'isolate \u2066 x',
  'joined \u200d\ufeff',
  'lone \ud800',
  'nul \0',
]
// Control, format, surrogate: nothing of these reaches a terminal as it is.
const steers = /[\p{Cc}\p{Cf}\p{Cs}]/u

function logged(text: string): { text: string; refused: string[] } {
  let seen = ''
  const refused: string[] = []
  const take = (_fields: unknown, message: string) => {
    seen = message
  }
  const levels = { debug: take, info: take, warn: take, error: take }
  const logger = { ...levels, isLevelEnabled: () => true } as unknown as Logger
  logPort(logger, (code) => refused.push(code), LIMITS).note({
    kind: 'note',
    level: 'info',
    code: 'CODEC_MALFORMED',
    text,
  })
  return { text: seen, refused }
}

test.each(ATTACKS)('%j is shown as escapes in the log and counted', (text) => {
  const seen = logged(text)
  expect(seen.text).not.toMatch(steers)
  expect(seen.text).toContain('\\u{')
  expect(seen.refused).toEqual(['CODEC_MALFORMED'])
})

test.each(ATTACKS)('%j is shown as escapes on the terminal', (text) => {
  expect(printable(text)).not.toMatch(steers)
})

const { isTTY } = process.stderr
afterEach(() => {
  vi.restoreAllMocks()
  setOutput({ json: false, verbose: false })
  process.stderr.isTTY = isTTY
  process.exitCode = 0
})

/** What was written there, as its lines. */
function stderr(): () => string[] {
  let written = ''
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += text
    return true
  })
  return () => written.trimEnd().split('\n')
}

/** Each begins as it must and steers nothing. */
function expectHarmless(lines: readonly string[], begin: RegExp): void {
  for (const line of lines) {
    expect(line).not.toMatch(steers)
    expect(line).toMatch(begin)
  }
}

test('in the path of a file, they are shown as escapes by what lists it', async () => {
  const node = new FakeNode()
  node.activate(Object.fromEntries(ATTACKS.map((path) => [path, 'x'])))
  const { api } = await serve(node)
  try {
    const { out } = await confmesh('get', CHANNEL, '--api', api.url)
    const [head, ...files] = out.trimEnd().split('\n')
    expect(head).toMatch(/^release [0-9a-f]{12}$/)
    expect(files).toHaveLength(ATTACKS.length)
    expectHarmless(files, /^ +1 {2}\S/)
  } finally {
    await api.stop()
  }
})

test.each(ATTACKS)('%j, said by a seed, is shown as escapes beside what came of it', async (text) => {
  process.stderr.isTTY = true
  const lines = stderr()
  const [taking, refusing] = [new FakeSeed('a'), new FakeSeed('b')]
  refusing.next.set('root', [{ type: 'refused', code: 'LIMIT_RATE', text }])
  await pushToAll([{ version: 1, envelope: rootBytes(ROOT) }], [taking, refusing])
  expect(lines()).toHaveLength(1)
  expectHarmless(lines(), /^confmesh: LIMIT_RATE: /)
  tellUpload(1).onBusy(refusing.peer, new MeshError('LIMIT_RATE', text))
  expect(lines()).toHaveLength(2)
  expectHarmless(lines().slice(1), /; asked again$/)
})

test.each([
  ['x'.repeat(MAX_TEXT_BYTES), 'x'],
  // Longer as escapes.
  ['\u202e'.repeat(MAX_TEXT_BYTES / 3), '\\u{202e}'],
])('%.1s… of any length, said by a seed, leaves room for who said it and what to do', async (text, last) => {
  const lines = stderr()
  const [taking, refusing] = [new FakeSeed('a'), new FakeSeed('b')]
  const answer = { type: 'refused', code: 'LIMIT_RATE', text } as const
  refusing.next.set('root', [answer])
  await pushToAll([{ version: 1, envelope: rootBytes(ROOT) }], [taking, refusing])
  const refusal = new RefusedBySeed(refusing, answer)
  fail(refusal)
  warnUnsaid(PUBLISH_IT_TOO)(refusing, refusal)
  const said = `${last}… (said by seed ${refusing.peer})`
  const ends = ['', '', `; ${PUBLISH_IT_TOO}`].map((end) => said + end)
  expect(lines().map((line, at) => line.slice(-(ends[at]?.length ?? 0)))).toEqual(ends)
})

/** Whatever answers at --api. */
async function answering(listener: RequestListener): Promise<{ api: string; close: () => void }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { api: `http://127.0.0.1:${port}`, close: () => server.close() }
}

/** All that a node answers, with this in each field that takes it; the watch ends after one event. */
function sayingOnly(text: string): RequestListener {
  const active = { release: text, clock: { [text]: text }, message: text, activatedAt: text, created: text }
  const lastError = { code: text, message: text, release: text }
  const channel = { channel: text, active, heads: [active, { ...active, release: `x${text}` }], lastError }
  const entry = {
    ...channel,
    state: text,
    gate: text,
    fetch: { have: text, blocks: text },
    history: [active],
  }
  const status = {
    ...{ peerId: text, fleetId: text, version: text, uptimeSeconds: text, labels: { [text]: text } },
    ...{ addresses: [], peers: { connected: text, byRegion: { [text]: text } }, patterns: [text] },
    ...{ root: { version: text, expires: text }, store: { bytes: text }, channels: [entry] },
    certificate: { problem: null, pool: text, labels: { [text]: text }, expires: text },
    problems: [{ code: text, message: text }],
  }
  const files = { release: text, files: [{ path: text, size: text, mode: 0o444, digest: text }] }
  let watched = 0
  return ({ url = '' }, response) => {
    if (!url.endsWith('/watch')) {
      const answer = url.endsWith('/status') ? status : url.endsWith('/files') ? files : entry
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify(answer))
    }
    watched += 1
    if (watched > 1) return response.writeHead(404).end()
    response.setHeader('content-type', 'text/event-stream')
    const event = { channel: text, release: text, clock: { [text]: text }, changed: [text] }
    return response.end(`event: release\ndata: ${JSON.stringify(event)}\n\n`)
  }
}

test.each(ATTACKS)(
  '%j in any field of what a node answers is shown as escapes by each command',
  async (text) => {
    const { api, close } = await answering(sayingOnly(text))
    try {
      for (const command of [['status'], ['log', CHANNEL], ['get', CHANNEL], ['watch', CHANNEL]]) {
        const { out, err } = await confmesh(...command, '--api', api)
        const [lines, said] = [out.trimEnd().split('\n'), err.trimEnd().split('\n')]
        expect(lines[0]).not.toBe('')
        expectHarmless([...lines, ...said], /^(?!confmesh: all)/)
      }
    } finally {
      close()
    }
  },
)

test('said by whatever answers at --api, they are shown as escapes by who watches and loses it', async () => {
  const lines = stderr()
  let asked = 0
  const { api, close } = await answering(({ url }, response) => {
    if (url?.endsWith('/watch') !== true) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ channel: CHANNEL, state: 'empty', heads: [], history: [] }))
      return
    }
    asked += 1
    const [status, code] = asked === 1 ? [503, 'API_BUSY'] : [404, 'API_NOT_FOUND']
    response.writeHead(status, { 'content-type': 'application/problem+json' })
    response.end(JSON.stringify({ status, code, title: code, detail: ATTACKS.join(' ') }))
  })
  try {
    await runProgram(['watch', CHANNEL, '--api', api])
  } finally {
    close()
  }
  expect(lines()).toHaveLength(2)
  expectHarmless(lines(), /^(lost the node \(.*\); reconnecting$|confmesh: API_NOT_FOUND: )/)
})

test.each(ATTACKS)('%j in an error is shown as escapes in its trace, and no line of its own', (text) => {
  setOutput({ json: false, verbose: true })
  const lines = stderr()
  fail(new MeshError('NET_PROTOCOL', 'from a seed', {}, { cause: new Error(text) }))
  const [said, trace, ...rest] = lines()
  expect(said).toBe('confmesh: NET_PROTOCOL: from a seed')
  expect(trace).toBe('MeshError: from a seed')
  expect(rest.length).toBeGreaterThan(2)
  expectHarmless(rest, /^( {4}|caused by: Error: )/)
})

test('a text without end is cut, plain text in any script is let be', () => {
  expect(logged('x'.repeat(10_000)).text.length).toBeLessThan(600)
  expect(logged('größer, 設定, \u{1f680}').text).toBe('größer, 設定, \u{1f680}')
})

test('HTTP gives messages and paths as JSON, never as a page', async () => {
  const node = new FakeNode()
  const message = '<script>alert(1)</script>\n\x1b[2J'
  node.activate({ '<img src=x>.html': '<script>alert(1)</script>' }, message)
  const { api } = await serve(node)
  try {
    const status = await fetch(`${api.url}/v1/status`)
    expect(status.headers.get('content-type')).toBe('application/json')
    expect(await status.clone().text()).not.toMatch(/\p{Cc}/u)
    expect((await status.json()).channels[0].active.message).toBe(message)

    const file = await fetch(
      `${api.url}/v1/channels/payments%2Fprod/files/${encodeURIComponent('<img src=x>.html')}`,
    )
    expect(file.headers.get('content-type')).toBe('application/octet-stream')
    for (const { headers } of [status, file]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toBe("default-src 'none'")
    }
  } finally {
    await api.stop()
  }
})

test('an event is one event, whatever its paths hold', async () => {
  const node = new FakeNode()
  node.activate({ 'a\n\nevent: release\ndata: forged': 'x' })
  const { api } = await serve(node)
  const stop = new AbortController()
  try {
    const { body } = await fetch(`${api.url}/v1/channels/payments%2Fprod/watch`, { signal: stop.signal })
    const { value } = (await body?.getReader().read()) ?? {}
    expect(new TextDecoder().decode(value).match(/^event: /gm)).toHaveLength(1)
  } finally {
    stop.abort()
    await api.stop()
  }
})
