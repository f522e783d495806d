import type { Logger } from 'pino'
import { expect, test } from 'vitest'
import { printable } from '../../src/cli/output.ts'
import { logPort } from '../../src/daemon/log.ts'
import { LIMITS } from '../../src/limits.ts'
import { FakeNode, serve } from '../integration/api/fake-node.ts'

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
