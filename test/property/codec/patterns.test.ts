import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMeshError } from '../../../src/errors.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { parseChannel, parsePattern } from '../../../src/model/names.ts'
import { covers, matches, overlaps } from '../../../src/model/pattern.ts'
import { channel, pattern } from './arbitraries.ts'

const part = fc.constantFrom('a', 'b', '*')
/** Few words, so that patterns often meet. */
const narrow = fc
  .tuple(fc.array(part, { maxLength: 2 }), fc.constantFrom('a', 'b', '*', '**'))
  .map(([head, last]) => [...head, last].join('/') as Pattern)
const few = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 5 })
  .map((segments) => segments.join('/') as Channel)

/** Independent of the code: a pattern as a regular expression. */
const expression = (of: Pattern): RegExp =>
  new RegExp(
    `^${of
      .split('/')
      .map((want) => (want === '**' ? '.+' : want === '*' ? '[^/]+' : want.replaceAll('.', '\\.')))
      .join('/')}$`,
  )

test('a pattern matches as its regular expression does', () => {
  const agrees = (p: Pattern, c: Channel) => matches(p, c) === expression(p).test(c)
  fc.assert(fc.property(narrow, few, agrees), { numRuns: 5_000 })
  fc.assert(fc.property(pattern, channel, agrees))
})

/** Every channel of up to 5 segments over the words of the patterns and one that is in none. */
const WORDS = ['a', 'b', 'c']
const universe: readonly Channel[] = [1, 2, 3, 4, 5].flatMap((length) =>
  Array.from({ length: WORDS.length ** length }, (_, at) =>
    Array.from({ length }, (_2, digit) => WORDS[Math.floor(at / WORDS.length ** digit) % WORDS.length]).join(
      '/',
    ),
  ),
) as string[] as Channel[]

test('q covers p exactly if every channel that p matches, q matches', () => {
  fc.assert(
    fc.property(narrow, narrow, (q, p) => {
      const all = universe.every((c) => !matches(p, c) || matches(q, c))
      expect(covers(q, p)).toBe(all)
    }),
    { numRuns: 2_000 },
  )
})

test('two patterns overlap exactly if some channel matches both', () => {
  fc.assert(
    fc.property(narrow, narrow, (p, q) => {
      const some = universe.some((c) => matches(p, c) && matches(q, c))
      expect([overlaps(p, q), overlaps(q, p)]).toEqual([some, some])
    }),
    { numRuns: 2_000 },
  )
})

test('covers is reflexive and transitive', () => {
  fc.assert(fc.property(pattern, (p) => covers(p, p)))
  fc.assert(
    fc.property(narrow, narrow, narrow, (a, b, c) => {
      if (covers(a, b) && covers(b, c)) expect(covers(a, c)).toBe(true)
    }),
    { numRuns: 5_000 },
  )
})

test('channels and patterns parse, any other text is refused with a code', () => {
  fc.assert(fc.property(channel, (c) => parseChannel(c) === c))
  fc.assert(fc.property(pattern, (p) => parsePattern(p) === p))
  const attempt = (run: () => unknown) => {
    try {
      run()
    } catch (error) {
      if (!isMeshError(error) || error.code !== 'CODEC_MALFORMED') throw error
    }
  }
  const near = fc.array(
    fc.constantFrom('a', 'A', '/', '.', '..', '*', '**', 'current', '\0', '_', '-', ' ', 'é'),
    {
      maxLength: 6,
    },
  )
  fc.assert(
    fc.property(near, (parts) => {
      const text = parts.join('')
      attempt(() => {
        const taken = parseChannel(text)
        expect(/^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/.test(taken)).toBe(true)
        expect(taken.split('/')).not.toContain('current')
      })
      attempt(() => parsePattern(text))
    }),
    { numRuns: 5_000 },
  )
})
