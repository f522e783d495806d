import fc from 'fast-check'
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeHeader, encodeHeader } from '../../../src/codec/header.ts'
import { isMeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import { parseChannel, parseName, parsePattern } from '../../../src/model/names.ts'
import type { Publisher, TrustRoot } from '../../../src/model/root.ts'
import { authorised } from '../../../src/trust/authorise.ts'
import { epochOf } from '../../../src/trust/epoch.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { checkSuccession } from '../../../src/trust/root-rules.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { header } from '../../unit/codec/samples.ts'

const keys = Array.from({ length: 3 }, () => generatePrivateKey('ed25519').key).sort((a, b) =>
  a.id < b.id ? -1 : 1,
)
const channels = ['pay/a', 'pay/b', 'web/x/y', 'a'].map(parseChannel)
const patterns = ['pay/*', 'pay/a', 'pay/**', 'web/**', '*/a', '*', '**'].map(parsePattern)
const names = ['pay', 'web'].map(parseName)

const base = firstRoot({
  rootKeys: [keys[0]?.public as never],
  rootThreshold: 1,
  publishers: [],
  admissionKeys: keys.map((key) => key.public),
  freshnessKeys: [],
  maxAgeS: 60,
  maxSkewS: 60,
  expires: 2_000_000_000_000,
})

const publisher = fc
  .record({
    name: fc.constantFrom(...names),
    keys: fc.subarray(
      keys.map(({ id }) => id),
      { minLength: 1 },
    ),
    threshold: fc.constantFrom(1, 1, 2),
    patterns: fc.subarray(patterns, { minLength: 1, maxLength: 3 }),
  })
  .map((of): Publisher => ({ ...of, threshold: Math.min(of.threshold, of.keys.length) }))
const publishers = fc
  .array(publisher, { maxLength: 2 })
  .map((list) => new Map(list.map((of) => [of.name, of])))
const epochs = (most: number) =>
  fc
    .array(fc.record({ pattern: fc.constantFrom(...patterns), value: fc.integer({ min: 1, max: most }) }), {
      maxLength: 3,
    })
    .map((list) => [...new Map(list.map((entry) => [entry.pattern, entry])).values()])

/** Root 5, and a root 6 that differs in a few things; whether it is valid is for the rules to say. */
const step: fc.Arbitrary<readonly [TrustRoot, TrustRoot]> = fc
  .record({ before: publishers, had: epochs(5), after: publishers, has: epochs(6), keep: fc.nat({ max: 3 }) })
  .map(({ before, had, after, has, keep }) => {
    const old: TrustRoot = { ...base, version: 5, publishers: before, epochs: had }
    const raised = has.map((entry, at) => (at % 2 === 0 ? { ...entry, value: 6 } : entry))
    // The last kind changes nothing but that an entry is swept away, as if a wider one made it needless.
    const swept = had.filter((_, at) => at > 0)
    const next: TrustRoot = {
      ...old,
      version: 6,
      publishers: keep === 3 ? before : keep === 1 ? after : new Map([...before, ...after]),
      epochs: keep === 3 ? swept : keep < 2 ? dedupe([...raised, ...had]) : raised,
    }
    return [old, next] as const
  })

const dedupe = (entries: TrustRoot['epochs']): TrustRoot['epochs'] => [
  ...new Map([...entries].reverse().map((entry) => [entry.pattern, entry])).values(),
]

const valid = ([old, next]: readonly [TrustRoot, TrustRoot]): boolean => {
  try {
    checkSuccession(old, next)
    return true
  } catch (error) {
    if (isMeshError(error)) return false
    throw error
  }
}

const memo = new Map<string, boolean>()
function isAuthorised(
  root: TrustRoot,
  name: (typeof names)[0],
  channel: (typeof channels)[0],
  signers: typeof keys,
) {
  const of = root.publishers.get(name)
  const at = JSON.stringify([
    of?.keys,
    of?.threshold,
    of?.patterns,
    name,
    channel,
    signers.map(({ id }) => id),
  ])
  const known = memo.get(at)
  if (known !== undefined) return known
  const payload = encodeHeader({ ...header, channel, publisher: name, clock: new Map([[name, 1]]) })
  const bytes = encodeEnvelope(signEnvelope('release', payload, signers))
  const envelope = decodeEnvelope(bytes, LIMITS.maxEnvelopeBytes, LIMITS)
  const result = authorised(root, envelope, decodeHeader(envelope.payload, LIMITS), LIMITS)
  memo.set(at, result)
  return result
}

test('law 10: of a valid root after root, no epoch falls, and within an epoch what was authorised stays so', () => {
  let narrowing = 0
  let checked = 0
  const anySigners = fc.subarray(keys, { minLength: 1 })
  fc.assert(
    fc.property(step, fc.constantFrom(...names), anySigners, ([old, next], name, signers) => {
      if (!valid([old, next])) return
      for (const channel of channels) {
        expect(epochOf(next, channel)).toBeGreaterThanOrEqual(epochOf(old, channel))
        const before = isAuthorised(old, name, channel, signers)
        const after = isAuthorised(next, name, channel, signers)
        if (before && !after) narrowing++
        if (before) checked++
        if (before && !after) expect(epochOf(next, channel)).toBe(6)
      }
    }),
    { numRuns: 8_000 },
  )
  // The generator does reach both kinds of step.
  expect(checked).toBeGreaterThan(200)
  expect(narrowing).toBeGreaterThan(10)
})
