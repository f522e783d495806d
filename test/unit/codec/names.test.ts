import { describe, expect, test } from 'vitest'
import {
  isDigest,
  parseAddress,
  parseChannel,
  parseDigest,
  parseName,
  parsePattern,
  parsePeerId,
  peerOf,
} from '../../../src/model/names.ts'
import { covers, matches, matchesAny } from '../../../src/model/pattern.ts'
import { codeOf } from './refusal.ts'
import { peer } from './samples.ts'

const long = (length: number) => 'a'.repeat(length)

describe('channels', () => {
  test.each([
    'a',
    '0',
    'payments/prod',
    'a.b/c_d/e-f',
    long(63),
    'a/b/c/d/e/f/g/h',
    'constructor',
    'currents/a',
    `${long(63)}/${long(63)}/${long(63)}/${long(8)}`,
  ])('%s is one', (text) => expect(parseChannel(text)).toBe(text))

  test.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/..',
    'a/../b',
    '.hidden',
    'a/.confmesh',
    'current',
    'a/current',
    'current/a',
    'A',
    'a/B',
    'a b',
    'a\n',
    'a\0',
    'a\\b',
    'ä',
    '-a',
    '_a',
    '__proto__',
    'a/__proto__',
    '*',
    '**',
    'a/*',
    long(64),
    'a/b/c/d/e/f/g/h/i',
    `${long(63)}/${long(63)}/${long(63)}/${long(9)}`,
  ])('%j is none', (text) => expect(codeOf(() => parseChannel(text))).toBe('CODEC_MALFORMED'))

  test('values that are no text are refused', () => {
    for (const value of [undefined, null, 1, {}, ['a']])
      expect(codeOf(() => parseChannel(value as string))).toBe('CODEC_MALFORMED')
  })
})

describe('names, digests, peers, addresses', () => {
  test('a name is one segment', () => {
    expect(parseName('ci-1')).toBe('ci-1')
    for (const text of ['', 'a/b', '__proto__', '.a', 'A', 'a ', long(64)])
      expect(codeOf(() => parseName(text))).toBe('CODEC_MALFORMED')
  })

  test('a digest is 64 lower-case hex digits', () => {
    expect(parseDigest('0f'.repeat(32))).toBe('0f'.repeat(32))
    for (const text of ['', '0F'.repeat(32), '0f'.repeat(31), `${'0f'.repeat(32)}\n`, 'zz'.repeat(32)]) {
      expect(isDigest(text)).toBe(false)
      expect(codeOf(() => parseDigest(text))).toBe('CODEC_MALFORMED')
    }
  })

  test('an address ends in the peer', () => {
    const address = `/ip4/1.2.3.4/tcp/7400/p2p/${peer}`
    expect(peerOf(parseAddress(address))).toBe(parsePeerId(peer))
    for (const text of [
      '',
      peer,
      '/ip4/1.2.3.4/tcp/7400',
      `${address}/`,
      `${address}\n`,
      `/ip4/1 2/p2p/${peer}`,
    ])
      expect(codeOf(() => parseAddress(text))).toBe('CODEC_MALFORMED')
    for (const text of ['', 'abc', `${peer}0`, `${peer}l`, `${peer}\n`])
      expect(codeOf(() => parsePeerId(text))).toBe('CODEC_MALFORMED')
  })
})

describe('patterns', () => {
  test.each(['*', '**', 'a', 'a/*', 'a/**', '*/b', '*/*/**'])('%s is one', (text) =>
    expect(parsePattern(text)).toBe(text),
  )
  test.each(['', '**/a', 'a/**/b', 'a*', '*a', '***', 'a/', 'current', 'a/current', '?', '[a]'])(
    '%j is none',
    (text) => expect(codeOf(() => parsePattern(text))).toBe('CODEC_MALFORMED'),
  )

  test.each([
    ['pay/*', 'pay/a', true],
    ['pay/*', 'payments/x', false],
    ['pay/*', 'pay/a/b', false],
    ['pay/*', 'pay', false],
    ['pay/**', 'pay', false],
    ['pay/**', 'pay/a', true],
    ['pay/**', 'pay/a/b', true],
    ['pay/**', 'payments/a', false],
    ['**', 'a/b/c', true],
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['a/b', 'a/b', true],
    ['a/b', 'a/b/c', false],
    ['a/b', 'a', false],
    ['*/b', 'a/b', true],
    ['a.b', 'axb', false],
  ])('%s against %s: %s', (pattern, channel, expected) => {
    expect(matches(parsePattern(pattern), parseChannel(channel))).toBe(expected)
    expect(matchesAny([parsePattern('none'), parsePattern(pattern)], parseChannel(channel))).toBe(expected)
  })

  test.each([
    ['**', '**', true],
    ['**', '*', true],
    ['**', 'a/b', true],
    ['*', '**', false],
    ['*', '*', true],
    ['*', 'a', true],
    ['a', '*', false],
    ['a/**', 'a/*', true],
    ['a/**', 'a/b/c', true],
    ['a/**', 'a', false],
    ['a/*', 'a/**', false],
    ['*/**', 'a/**', true],
    ['*/**', '**', false],
    ['a/**', '*/**', false],
    ['a/b', 'a/b', true],
  ])('%s covers %s: %s', (q, p, expected) => {
    expect(covers(parsePattern(q), parsePattern(p))).toBe(expected)
  })
})
