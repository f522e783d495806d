/** Generators of releases, histories and chains of roots. Small numbers, so that releases often meet. */
import fc from 'fast-check'
import type { Name } from '../../../src/model/ids.ts'
import { OPEN_ROOT, P, Q, type Root, type Signed, signed } from './fleet.ts'

export const publisher: fc.Arbitrary<Name> = fc.constantFrom(P, Q)
export const twin = fc.constantFrom(0, 0, 0, 1, 2)

/** Any clock over two publishers to 4, ill-formed ones included. */
export const anyRelease: fc.Arbitrary<Signed> = fc
  .record({ publisher, p: fc.nat({ max: 4 }), q: fc.nat({ max: 4 }), twin })
  .map(({ publisher: by, p, q, twin: which }) =>
    signed({ publisher: by, clock: { ...(p > 0 && { p }), ...(q > 0 && { q }) }, twin: which }),
  )

export const wellFormed = ({ release }: Signed): boolean => {
  const { clock, publisher: by } = release.header
  const own = clock.get(by) ?? 0
  return own >= 1 && [...clock].every(([name, counter]) => name === by || counter < own)
}

export const goodRelease = anyRelease.filter(wellFormed)

/** With keys of nobody among them. */
export const strayRelease: fc.Arbitrary<Signed> = fc
  .tuple(anyRelease, fc.constantFrom('p', 'q', 'thief'))
  .map(([{ release }, key]) =>
    signed({
      publisher: release.header.publisher,
      clock: Object.fromEntries(release.header.clock),
      key,
    }),
  )

export const history = fc.array(anyRelease, { maxLength: 10 })

export const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> =>
  fc.shuffledSubarray([...items], { minLength: items.length })

/** Every release once or more, in any order. */
export const arrivals = <T>(items: readonly T[]): fc.Arbitrary<T[]> =>
  fc.array(fc.constantFrom(...items), { maxLength: 5 }).chain((again) => shuffled([...items, ...again]))

const KEYS = ['k1', 'k2', 'k3'] as const
const keySet = fc.subarray([...KEYS], { minLength: 1 })

/** A valid chain: authority only grows within an epoch; where it shrinks, the channel's epoch is raised. */
export const chainOfRoots: fc.Arbitrary<readonly Root[]> = fc
  .array(fc.record({ p: keySet, q: keySet, raise: fc.boolean() }), { minLength: 1, maxLength: 3 })
  .map((steps) => {
    const roots: Root[] = [{ ...OPEN_ROOT, keys: { p: ['k1'], q: ['k2'] } }]
    for (const { p, q, raise } of steps) {
      const last = roots.at(-1) as Root
      const version = last.version + 1
      const wider = (name: 'p' | 'q', keys: readonly string[]) => [
        ...new Set([...(last.keys[name] ?? []), ...keys]),
      ]
      roots.push(
        raise
          ? { version, epoch: version, keys: { p, q } }
          : { version, epoch: last.epoch, keys: { p: wider('p', p), q: wider('q', q) } },
      )
    }
    return roots
  })

/** Releases by any key, under any root of the chain or one that does not exist yet. */
export const releaseUnder = (roots: readonly Root[]): fc.Arbitrary<Signed> =>
  fc
    .record({
      of: goodRelease,
      key: fc.constantFrom(...KEYS),
      root: fc.integer({ min: 1, max: roots.length + 1 }),
    })
    .map(({ of: { release, text }, key, root }) =>
      signed({
        publisher: release.header.publisher,
        clock: Object.fromEntries(release.header.clock),
        root,
        key,
        twin: Number(/t(\d)/.exec(text)?.[1] ?? 0),
      }),
    )
