/** Generators shared by the property tests of the codec. */
import fc from 'fast-check'
import { sha256 } from '../../../src/codec/digest.ts'
import { asCbor } from '../../../src/codec/extra.ts'
import type { Channel, FleetId, Name, Pattern } from '../../../src/model/ids.ts'
import type { Header } from '../../../src/model/release.ts'

const characters = (text: string) => fc.constantFrom(...text)
const TAIL = 'abcz019._-'

export const segment: fc.Arbitrary<string> = fc
  .tuple(characters('abcz019'), fc.array(characters(TAIL), { maxLength: 12 }))
  .map(([first, rest]) => first + rest.join(''))
  .filter((text) => text !== 'current')

export const name = segment as fc.Arbitrary<Name>
export const channel = fc
  .array(segment, { minLength: 1, maxLength: 8 })
  .map((segments) => segments.join('/') as Channel)
export const pattern = fc
  .tuple(
    fc.array(fc.oneof(segment, fc.constant('*')), { maxLength: 7 }),
    fc.oneof(segment, fc.constantFrom('*', '**')),
  )
  .map(([head, last]) => [...head, last].join('/') as Pattern)

export const digest = fc.uint8Array({ minLength: 1, maxLength: 4 }).map(sha256)
export const timeMs = fc.integer({ min: 0, max: 253_402_300_799_999 })
const counter = fc.integer({ min: 1, max: 2 ** 31 })

/** Any value of strict dag-cbor. */
export const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !text.startsWith('\ufeff')),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 40 }),
    ),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ maxLength: 10 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

/** Names no build knows, with values they may have. */
export const extra = fc.option(
  fc.dictionary(
    segment.map((text) => `x-${text}`),
    value,
    { minKeys: 1, maxKeys: 3 },
  ),
  { nil: undefined },
)

/** A clock in which the publisher's own entry is strictly the greatest. */
const clock = fc
  .tuple(name, fc.array(fc.tuple(name, counter), { maxLength: 6 }), counter)
  .map(([publisher, others, more]) => {
    const greatest = Math.max(0, ...others.map(([, count]) => count))
    const entries = new Map([...others, [publisher, greatest + more] as [Name, number]])
    return { publisher, clock: new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1))) }
  })

export const header: fc.Arbitrary<Header> = fc
  .record({
    critical: fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
    fleet: digest as fc.Arbitrary<string> as fc.Arbitrary<FleetId>,
    channel,
    root: counter,
    own: clock,
    pages: fc.array(digest, { minLength: 1, maxLength: 4 }),
    files: fc.integer({ min: 1, max: 200_000 }),
    bytes: fc.integer({ min: 0, max: 2 ** 36 }),
    message: fc.string({ unit: 'grapheme', maxLength: 50 }).filter((text) => !text.startsWith('\ufeff')),
    created: timeMs,
    expires: fc.option(timeMs, { nil: undefined }),
    rollout: fc.option(value, { nil: undefined }),
    extra,
  })
  .map(({ own, expires, rollout, extra: more, ...rest }) => ({
    v: 1,
    ...rest,
    ...own,
    ...(expires === undefined ? {} : { expires }),
    ...(rollout === undefined ? {} : { rollout: asCbor.pack(rollout) }),
    ...(more === undefined ? {} : { extra: asCbor.pack(more) }),
  }))
