/** The newest root, out of seeds that have it, or steps to it, or others. */
import { expect, test, vi } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { fetchRoots } from '../../../src/publish/fetch-roots.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { ROOT, rootBytes } from '../core/fleet.ts'
import { key } from '../trust/fixtures.ts'
import { FakeSeed } from './fake-seed.ts'

/** Each a second longer than the one before; `by` makes another chain. */
const chainOf = (first: TrustRoot, length: number, by = 1_000): TrustRoot[] => {
  const roots = [first]
  while (roots.length < length) {
    const last = roots.at(-1) as TrustRoot
    roots.push(renew(last, last.expires + by))
  }
  return roots
}
const ROOTS = chainOf(ROOT, 5)
const [ONE, TWO, THREE, FOUR, FIVE] = ROOTS as [TrustRoot, TrustRoot, TrustRoot, TrustRoot, TrustRoot]

const stranger = key()
const ELSEWHERE = firstRoot({
  rootKeys: [stranger.public],
  rootThreshold: 1,
  publishers: [],
  admissionKeys: [],
  freshnessKeys: [],
  maxAgeS: 60,
  maxSkewS: 10,
  expires: ROOT.expires,
})
const byStranger = (root: TrustRoot) => encodeEnvelope(signEnvelope('root', encodeRoot(root), [stranger]))

function seedWith(name: string, ...roots: TrustRoot[]): FakeSeed {
  const seed = new FakeSeed(name)
  for (const root of roots)
    seed.roots.set(root.version, root.fleetId === ROOT.fleetId ? rootBytes(root) : byStranger(root))
  seed.rootVersion = roots.at(-1)?.version ?? 1
  return seed
}

const fetched = (at: TrustRoot, ...seeds: FakeSeed[]) =>
  fetchRoots(startChain(rootBytes(at), LIMITS), seeds, LIMITS)

const refusedBy = async (at: TrustRoot, seed: FakeSeed) => {
  const { chain, seeds, refused } = await fetched(at, seed)
  expect([chain.roots.size, seeds, refused.map(({ peer }) => peer)]).toEqual([1, [], [seed.peer]])
  return refused[0]?.error
}

test('every step from the root at hand to the newest', async () => {
  const seed = seedWith('a', ...ROOTS)
  const { chain, seeds, refused } = await fetched(TWO, seed)
  expect([...chain.roots.values()].map(({ root }) => root)).toEqual([TWO, THREE, FOUR, FIVE])
  expect({ seeds, refused }).toEqual({ seeds: [{ peer: seed.peer, version: 5 }], refused: [] })
})

test('one seed may lead on where another has led to; one that is behind is no obstacle', async () => {
  const [last, first, old] = [
    seedWith('a', FOUR, FIVE),
    seedWith('b', ONE, TWO, THREE),
    seedWith('c', ONE),
  ] as const
  const { chain, seeds, refused } = await fetched(ONE, last, first, old)
  expect(chain.current).toEqual(FIVE)
  expect(seeds).toEqual([
    { peer: last.peer, version: 5 },
    { peer: first.peer, version: 3 },
    { peer: old.peer, version: 1 },
  ])
  expect(refused).toEqual([])
})

test('asks each seed for each root that it has once, whoever else has it', async () => {
  const seeds = [seedWith('a', ...ROOTS), seedWith('b', ...ROOTS), seedWith('c', ONE, TWO, THREE)]
  const asks = seeds.map((seed) => vi.spyOn(seed, 'ask'))
  const { chain } = await fetched(TWO, ...seeds)
  expect(chain.current).toEqual(FIVE)
  const shown = asks.map(({ mock }, at) =>
    mock.calls.flatMap(([request]) =>
      request.type === 'roots' && seeds[at]?.roots.has(request.since + 1) ? [request.since + 1] : [],
    ),
  )
  expect(shown.map((versions) => versions.sort())).toEqual([[2, 3, 4, 5], [2, 3, 4, 5], [3]])
})

test.each([
  [
    'lacks the steps between',
    [FIVE],
    'TRUST_ROOT_GAP',
    /12D3KooWa is at root 5 and has none that follows root 2; /,
  ],
  [
    'has another in its place',
    chainOf(ROOT, 2, 7),
    'TRUST_ROOT_FORK',
    /another root 2 than .*--root root\.1\.json/,
  ],
  ['is of another fleet', [ELSEWHERE], 'ORDER_MISPLACED', /is of fleet /],
  ['is of another fleet, and as far', chainOf(ELSEWHERE, 2), 'ORDER_MISPLACED', /is of fleet /],
] as const)('says why a seed that %s leads nowhere', async (_, roots, code, message) => {
  expect(await refusedBy(TWO, seedWith('a', ...roots))).toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
})

test('a next root that the keys of this one did not sign is told, and not taken', async () => {
  const seed = seedWith('a', ONE, TWO)
  seed.roots.set(3, byStranger({ ...ELSEWHERE, fleetId: ROOT.fleetId, version: 3 }))
  expect(await refusedBy(TWO, seed)).toMatchObject({ code: 'TRUST_ROOT_UNAUTHORISED' })
  const theirs = seedWith('b', ...chainOf(ROOT, 2, 7))
  theirs.roots.set(3, byStranger({ ...ELSEWHERE, fleetId: ROOT.fleetId, version: 3 }))
  expect(await refusedBy(TWO, theirs)).toMatchObject({ code: 'TRUST_ROOT_OLD' })
})

test('where the newest follows from the root at hand and from the seed’s own of that version, it says so', async () => {
  const theirs = renew(ONE, ONE.expires + 7)
  const seed = seedWith('a', ONE, theirs, THREE)
  const { chain, seeds } = await fetched(TWO, seed)
  expect(chain.current).toEqual(THREE)
  expect(seeds).toEqual([{ peer: seed.peer, version: 3, forked: 2 }])
})

test('of seeds that differ the first leads, and the other is told', async () => {
  const [first, second] = [
    seedWith('a', ONE, TWO, THREE),
    seedWith('b', ONE, ...chainOf(ROOT, 3, 7).slice(1)),
  ]
  const { chain, seeds, refused } = await fetched(ONE, first, second)
  expect([chain.current, seeds]).toEqual([THREE, [{ peer: first.peer, version: 3 }]])
  expect(refused).toMatchObject([
    {
      peer: second.peer,
      error: { code: 'TRUST_ROOT_FORK', message: expect.stringContaining("than another seed's: see ") },
    },
  ])
})

test('one that falls silent is told as that', async () => {
  const seed = seedWith('a', ...ROOTS)
  seed.isGone = true
  expect(await refusedBy(ONE, seed)).toMatchObject({ code: 'NET_UNREACHABLE' })
})
