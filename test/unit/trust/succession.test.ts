import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { covers } from '../../../src/model/pattern.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { authorised } from '../../../src/trust/authorise.ts'
import { adopt, startChain } from '../../../src/trust/chain.ts'
import { describeChange } from '../../../src/trust/describe.ts'
import * as edits from '../../../src/trust/edit.ts'
import { epochOf } from '../../../src/trust/epoch.ts'
import { checkSuccession, toOutrank } from '../../../src/trust/root-rules.ts'
import { raiseEpochs } from '../../../src/trust/successor.ts'
import {
  channel,
  EXPIRES,
  key,
  name,
  otherKey,
  pattern,
  publisherKey,
  release,
  reread,
  rootOne,
  signedRoot,
  spec,
  thirdKey,
} from './fixtures.ts'

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'valid'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
const follows = (old: TrustRoot, next: TrustRoot) => codeOf(() => checkSuccession(old, next))

describe('a root that takes authority', () => {
  const old = rootOne([
    spec({ keys: [publisherKey.public, otherKey.public], patterns: ['pay/*', 'web'].map(pattern) }),
  ])
  const publisher = old.publishers.get(name('pay'))
  if (publisher === undefined) throw new Error('no publisher')
  const withPublisher = (change: Partial<typeof publisher>, epochs: TrustRoot['epochs'] = []): TrustRoot => ({
    ...old,
    version: 2,
    publishers: new Map([[publisher.name, { ...publisher, ...change }]]),
    epochs,
  })
  const narrower: [string, TrustRoot][] = [
    ['a key', withPublisher({ keys: [publisherKey.id] })],
    ['a pattern', withPublisher({ patterns: [pattern('web')] })],
    ['the threshold', withPublisher({ threshold: 2 })],
    ['the publisher', { ...old, version: 2, publishers: new Map() }],
  ]
  it.each(narrower)('(%s) needs a new epoch for every pattern there was', (_, next) => {
    const raised = (...patterns: string[]) => ({
      ...next,
      epochs: patterns.map((text) => ({ pattern: pattern(text), value: 2 })),
    })
    expect(follows(old, next)).toBe('TRUST_ROOT_NARROWS')
    expect(follows(old, raised('pay/*'))).toBe('TRUST_ROOT_NARROWS')
    expect(follows(old, raised('pay/prod', 'web'))).toBe('TRUST_ROOT_NARROWS')
    expect(follows(old, raised('pay/*', 'web'))).toBe('valid')
    expect(follows(old, raised('**'))).toBe('valid')
    expect(adopt(startChain(signedRoot(old), LIMITS), signedRoot(next), LIMITS).adoption.kind).toBe('narrows')
  })

  it('is none that grants: more keys, a lower threshold, a wider pattern in place of a narrow one', () => {
    const grown = { ...old.publishers.get(name('pay')), threshold: 1 }
    expect(follows(old, withPublisher({ ...grown, patterns: ['pay/**', 'web'].map(pattern) }))).toBe('valid')
    expect(
      follows(old, edits.changePublisherKeys(old, name('pay'), { add: [thirdKey.public], remove: [] })),
    ).toBe('valid')
  })

  it('may not hide behind an old epoch of the same pattern', () => {
    const second = edits.raiseEpoch(old, pattern('**'))
    const third = { ...second, version: 3, publishers: new Map() }
    expect(follows(second, third)).toBe('TRUST_ROOT_NARROWS')
  })
})

describe('epochs', () => {
  const base = { ...rootOne(), version: 5, epochs: [{ pattern: pattern('pay/*'), value: 3 }] }
  const next = (...epochs: [string, number][]) => ({
    ...base,
    version: 6,
    epochs: epochs.map(([text, value]) => ({ pattern: pattern(text), value })),
  })
  it.each<[string, [string, number][], string]>([
    ['stay', [['pay/*', 3]], 'valid'],
    ['rise', [['pay/*', 6]], 'valid'],
    ['are swept by a wider one', [['**', 6]], 'valid'],
    ['do not vanish', [], 'TRUST_ROOT_INVALID'],
    ['do not fall', [['pay/*', 2]], 'TRUST_ROOT_INVALID'],
    ['are not replaced by a narrower one', [['pay/prod', 6]], 'TRUST_ROOT_INVALID'],
    [
      'are not of another number than the version',
      [
        ['pay/*', 3],
        ['web', 4],
      ],
      'TRUST_ROOT_INVALID',
    ],
    [
      'come anew at the version',
      [
        ['pay/*', 3],
        ['web', 6],
      ],
      'valid',
    ],
  ])('%s', (_, epochs, verdict) => {
    expect(follows(base, next(...epochs))).toBe(verdict)
  })

  it('of one pattern do not fall to the lower one of a pattern that covers it', () => {
    const both = [
      { pattern: pattern('**'), value: 2 },
      { pattern: pattern('pay/*'), value: 3 },
    ]
    expect(follows({ ...base, epochs: both }, next(['**', 2]))).toBe('TRUST_ROOT_INVALID')
    expect(follows({ ...base, epochs: both }, next(['**', 2], ['pay/*', 3]))).toBe('valid')
  })

  it('of a channel: the greatest that matches, else 1', () => {
    const root = {
      ...base,
      epochs: [
        ['pay/*', 3],
        ['**', 2],
        ['web/a', 5],
      ].map(([p, value]) => ({ pattern: p as Pattern, value: value as number })),
    }
    const epochs = ['pay/prod', 'web/a', 'web/b'].map((text) => epochOf(root, channel(text)))
    expect(epochs).toEqual([3, 5, 2])
    expect(epochOf(rootOne(), channel('pay/prod'))).toBe(1)
  })

  it('raised by the tool sweep what they cover, and keep one entry a pattern', () => {
    const patterns = ['**', 'a/**', 'a/*', 'a/b', 'a', 'b/c'].map(pattern)
    fc.assert(
      fc.property(fc.array(fc.subarray(patterns), { maxLength: 6 }), (steps) => {
        let epochs: TrustRoot['epochs'] = []
        steps.forEach((raised, index) => {
          const after = raiseEpochs(epochs, raised, index + 2)
          for (const before of epochs) {
            expect(after.some((e) => e.value >= before.value && covers(e.pattern, before.pattern))).toBe(true)
          }
          for (const p of raised)
            expect(after.some((e) => e.value === index + 2 && covers(e.pattern, p))).toBe(true)
          epochs = after
        })
        expect(new Set(epochs.map((entry) => entry.pattern)).size).toBe(epochs.length)
      }),
    )
  })
})

/** Any edit of a fleet's life, as an index and a choice. */
const keyring = [publisherKey, otherKey, thirdKey, key(), key()]
const patterns = ['pay/*', 'pay/prod', 'web/**', '**'].map(pattern)
const names = ['pay', 'web'].map(name)
type Edit = (root: TrustRoot) => TrustRoot
const edit: fc.Arbitrary<Edit> = fc
  .tuple(fc.nat(7), fc.constantFrom(...names), fc.nat(4), fc.nat(4), fc.subarray(patterns, { minLength: 1 }))
  .map(([what, who, i, j, some]) => {
    const [one, two] = [keyring[i], keyring[j]].map((each) => each?.public ?? publisherKey.public)
    if (one === undefined || two === undefined) throw new Error('no key')
    const keys = one === two ? [one] : [one, two]
    const table: Edit[] = [
      (root) =>
        edits.addPublisher(root, { name: who, keys, threshold: 1, patterns: some }, { replace: true }),
      (root) => edits.removePublisher(root, who),
      (root) => edits.changePublisherKeys(root, who, { add: [one], remove: [two.id] }),
      (root) => edits.changePublisherKeys(root, who, { add: [one], remove: [] }),
      (root) => edits.setThreshold(root, (j % 2) + 1, who),
      (root) => edits.raiseEpoch(root, some[0] as Pattern),
      (root) => edits.setFreshness(root, { add: [one], remove: [], maxAgeS: 30 }),
      (root) => edits.addAdmissionKey(root, one),
    ]
    return table[what] as Edit
  })

describe('edits', () => {
  it('always give a root that follows, and whose document reads back the same', () => {
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 8 }), (steps) => {
        let root = rootOne()
        for (const step of steps) {
          let next: TrustRoot
          try {
            next = step(root)
          } catch (error) {
            expect(error).toMatchObject({ code: 'USAGE' })
            continue
          }
          checkSuccession(root, next)
          expect(reread(next)).toEqual(next)
          expect(describeChange(root, next, EXPIRES).length).toBeGreaterThan(1)
          root = next
        }
      }),
      { numRuns: 150 },
    )
  })

  it('leave what was authorised so until its epoch ends', () => {
    const channels = ['pay/prod', 'web/a/b', 'web/a', 'x'].map(channel)
    fc.assert(
      fc.property(
        fc.array(edit, { maxLength: 3 }),
        edit,
        fc.subarray(keyring, { minLength: 1, maxLength: 2 }),
        fc.constantFrom(...channels),
        fc.constantFrom(...names),
        (steps, last, keys, on, publisher) => {
          const apply = (root: TrustRoot, step: Edit): TrustRoot => {
            try {
              return step(root)
            } catch {
              return root
            }
          }
          const root = steps.reduce(apply, rootOne())
          const next = apply(root, last)
          const made = release(root, keys, { channel: on, publisher })
          if (!authorised(root, made.envelope, made.release, LIMITS)) return
          if (epochOf(next, on) > epochOf(root, on)) return
          expect(authorised(next, made.envelope, made.release, LIMITS)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('refuse what makes no sense', () => {
    const root = rootOne()
    const [rootKey] = root.root.keys
    if (rootKey === undefined) throw new Error('no root key')
    const senseless: Edit[] = [
      (r) => edits.addPublisher(r, spec(), { replace: false }),
      (r) => edits.removePublisher(r, name('nobody')),
      (r) => edits.setThreshold(r, 4),
      (r) => edits.setThreshold(r, 0),
      (r) => edits.setThreshold(r, 2, name('pay')),
      (r) => edits.removeRootKey(edits.removeRootKey(r, rootKey), r.root.keys[1] as typeof rootKey),
      (r) => edits.removeRootKey(r, publisherKey.id),
      (r) =>
        edits.addPublisher(r, spec({ name: name('x'), keys: [publisherKey.public, publisherKey.public] }), {
          replace: false,
        }),
      (r) => edits.changePublisherKeys(r, name('pay'), { add: [], remove: [publisherKey.id] }),
    ]
    for (const [index, each] of senseless.entries())
      expect(
        codeOf(() => each(root)),
        `${index}`,
      ).toBe('USAGE')
  })

  it('drop removals a week after their certificate ended, and none without an end', () => {
    const [gone, lasting] = ['12D3KooWgone', '12D3KooWlasting'] as never[]
    const day = 86_400_000
    const until = EXPIRES
    const root = edits.removeNode(edits.removeNode(rootOne(), gone as never, until), lasting as never)
    const ids = (now: number) =>
      edits.dropEndedRemovals(root, now).removed.peers.map(({ id }) => id as string)
    expect(ids(until + 7 * day - 1)).toEqual(['12D3KooWgone', '12D3KooWlasting'])
    expect(ids(until + 7 * day)).toEqual(['12D3KooWlasting'])
    expect(ids(until + 7_000 * day)).toEqual(['12D3KooWlasting'])
  })

  it('keep only keys that some role names', () => {
    const root = edits.removePublisher(rootOne(), name('pay'))
    expect(root.keys.has(publisherKey.id)).toBe(false)
    expect(root.keys.size).toBe(5)
  })

  it('say which channels get a new epoch, and that none does', () => {
    const root = rootOne()
    const says = (next: TrustRoot) => describeChange(root, next, EXPIRES).join('\n')
    expect(says(edits.removePublisher(root, name('pay')))).toMatch(
      /pay is removed[\s\S]*new epoch 2 for every channel that pay\/\* matches/,
    )
    expect(says(edits.renew(root, EXPIRES + 86_400_000))).toMatch(
      /expires 2030-01-01T00:00:00Z -> 2030-01-02T00:00:00Z[\s\S]*no channel gets a new epoch/,
    )
  })
})

describe('what the newest root has to raise above another line of roots', () => {
  const root = rootOne([spec(), spec({ name: name('web'), patterns: [pattern('web')] })])
  const later = (to: TrustRoot, ...raised: string[]) =>
    raised.map(pattern).reduce(edits.raiseEpoch, edits.renew(edits.renew(to, EXPIRES), EXPIRES))
  const to = (key: (typeof otherKey)['public']) =>
    edits.changePublisherKeys(root, name('web'), { add: [key], remove: [publisherKey.id] })
  const rotated = to(otherKey.public)
  const raised = edits.raiseEpoch(root, pattern('pay/*'))
  const partner = spec({ name: name('partner'), patterns: [pattern('partner/*')] })

  it.each<[string, TrustRoot, TrustRoot, string[]]>([
    ['nothing, where that one raised nothing', edits.renew(root, EXPIRES), rotated, []],
    ['what that one raised alone', raised, later(rotated), ['pay/*']],
    ['not what has been raised since', raised, later(root, 'pay/**'), []],
    ['not what both raised', raised, edits.raiseEpoch(root, pattern('**')), []],
    ['what that one rotated', rotated, later(root), ['web']],
    ['what both rotated, each to a key of its own', rotated, to(thirdKey.public), ['web']],
    [
      'what a publisher had whom it alone names',
      edits.addPublisher(root, partner, { replace: false }),
      later(root),
      ['partner/*'],
    ],
  ])('%s', (_, other, newest, patterns) => {
    expect(toOutrank(other, newest)).toEqual(patterns)
  })
})
