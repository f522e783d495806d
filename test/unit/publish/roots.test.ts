/** Roots handed to a seed that has others than ours. */
import { expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeRoot, encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { has, newestKnown, pushRoots, type RootEnvelope, rootAtSeeds } from '../../../src/publish/roots.ts'
import { renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { ROOT, raised, rootBytes } from '../core/fleet.ts'
import { key } from '../trust/fixtures.ts'
import { FakeSeed } from './fake-seed.ts'

const OURS = raised(ROOT)
const THEIRS = renew(ROOT, ROOT.expires + 1_000)
const NEXT = renew(OURS, ROOT.expires + 1_000)
const [one, two] = [key(), key()]
const ELSEWHERE = firstRoot({
  rootKeys: [one.public, two.public].sort((a, b) => (a.id < b.id ? -1 : 1)),
  rootThreshold: 1,
  publishers: [],
  admissionKeys: [],
  freshnessKeys: [],
  maxAgeS: 60,
  maxSkewS: 10,
  expires: ROOT.expires,
})
const OLD: PublishReply = { type: 'refused', code: 'TRUST_ROOT_OLD', text: 'root 2 is known; 2 is current' }

const signed = (root: TrustRoot): Uint8Array =>
  root.fleetId === ROOT.fleetId
    ? rootBytes(root)
    : encodeEnvelope(signEnvelope('root', encodeRoot(root), [one]))
const all = (...roots: TrustRoot[]): RootEnvelope[] =>
  roots.map((root) => ({ version: root.version, envelope: rootBytes(root) }))

function seedWith(...roots: TrustRoot[]): FakeSeed {
  const seed = new FakeSeed('a')
  for (const root of roots) seed.roots.set(root.version, signed(root))
  return seed
}

const push = (seed: FakeSeed, ...roots: TrustRoot[]) => pushRoots(all(...roots), seed, LIMITS)

test.each([
  ['in force', [ROOT, THEIRS], 'TRUST_ROOT_FORK', /12D3KooWa has another root 2: /],
  [
    'that is replaced',
    [ROOT, THEIRS, renew(THEIRS, ROOT.expires + 2_000)],
    'TRUST_ROOT_OLD',
    /root 2, and newer/,
  ],
  ['of another fleet', [ELSEWHERE, renew(ELSEWHERE, ROOT.expires + 1)], 'ORDER_MISPLACED', /is of fleet /],
] as const)(
  'one that has another root %s is told apart, and sent nothing',
  async (_, roots, code, message) => {
    const seed = seedWith(...roots)
    await expect(push(seed, ROOT, OURS)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    })
    expect(seed.asked).not.toContain('root')
  },
)

test('one of another fleet is told by an older root, too', async () => {
  const seed = seedWith(ELSEWHERE)
  await expect(push(seed, ROOT, OURS)).rejects.toMatchObject({ code: 'ORDER_MISPLACED' })
  expect(seed.asked).not.toContain('root')
})

test('one that is ahead, and was at ours, has it', async () => {
  const seed = seedWith(ROOT, OURS, NEXT)
  expect(await push(seed, ROOT, OURS)).toEqual({ peer: seed.peer, version: 2, adopted: 0 })
})

test('other signatures make no other root', async () => {
  const [signedByOne, signedByTwo] = [one, two].map((by) =>
    encodeEnvelope(signEnvelope('root', encodeRoot(ELSEWHERE), [by])),
  ) as [Uint8Array, Uint8Array]
  expect(signedByOne).not.toEqual(signedByTwo)
  const seed = new FakeSeed('a')
  seed.roots.set(1, signedByOne)
  expect(await pushRoots([{ version: 1, envelope: signedByTwo }], seed, LIMITS)).toMatchObject({ adopted: 0 })
})

test.each([
  ['the same', OURS, undefined],
  ['another', THEIRS, 'TRUST_ROOT_FORK'],
  ['neither, for it began with a later one', undefined, 'TRUST_ROOT_OLD'],
] as const)('one that says it is known is asked once more, and has %s', async (_, came, code) => {
  const seed = seedWith(ROOT)
  const ask = seed.ask.bind(seed)
  seed.next.set('root', [OLD])
  seed.ask = async (request) => {
    const reply = await ask(request)
    // By another way, while ours was under way.
    if (request.type === 'root' && came !== undefined) seed.roots.set(2, rootBytes(came))
    return reply
  }
  const pushed = push(seed, ROOT, OURS)
  if (code === undefined) expect(await pushed).toMatchObject({ version: 2, adopted: 0 })
  else await expect(pushed).rejects.toMatchObject({ code })
})

test('of an older one that is another it judges itself whether the newest follows, and is named', async () => {
  const seed = seedWith(ROOT, THEIRS)
  expect(await push(seed, ROOT, OURS, NEXT)).toEqual({ peer: seed.peer, version: 3, adopted: 1, forked: 2 })
})

test('what seeds have in the place of ours is not ours', async () => {
  const seeds = [seedWith(ELSEWHERE), seedWith(ROOT, THEIRS)]
  expect((await newestKnown(all(ROOT, OURS), seeds, LIMITS))?.version).toBe(1)
  const [ours] = all(OURS) as [RootEnvelope]
  await expect(has(seedWith(ROOT, THEIRS), ours, LIMITS)).rejects.toMatchObject({ code: 'TRUST_ROOT_FORK' })
  expect(await has(seedWith(ROOT), ours, LIMITS)).toBe(false)
})

test('what the newest takes the place of at a seed is its own root, where it is proven and not of that version', async () => {
  const at = (...seeds: FakeSeed[]) => rootAtSeeds(all(ROOT, OURS, NEXT), seeds, LIMITS)
  expect(await at(seedWith(ROOT, THEIRS))).toEqual(THEIRS)
  expect(await at(seedWith(ROOT, OURS))).toEqual(OURS)
  expect(await at(seedWith(ROOT, OURS, NEXT))).toEqual(NEXT)
  expect(await at(seedWith(ROOT, THEIRS, renew(THEIRS, ROOT.expires + 2_000)))).toEqual(ROOT)
  const forged = seedWith(ROOT)
  const root = { ...ELSEWHERE, fleetId: ROOT.fleetId, version: 2 }
  forged.roots.set(2, encodeEnvelope(signEnvelope('root', encodeRoot(root), [one])))
  expect(await at(forged)).toEqual(ROOT)
  expect(await at(seedWith(ELSEWHERE))).toBeUndefined()
})

/** It has what it began with; older ones it says to know, and keeps from the fleet's first on. @param keeps takes submissions */
function begunAt(root: TrustRoot, keeps = true): FakeSeed {
  const seed = seedWith(root)
  const ask = seed.ask.bind(seed)
  seed.ask = async (request) => {
    if (request.type !== 'root') return ask(request)
    seed.asked.push('root')
    const { version } = decodeRoot(decodeEnvelope(request.root, LIMITS.maxRootBytes, LIMITS).payload, LIMITS)
    if (keeps && (version === 1 || seed.roots.has(version - 1))) seed.roots.set(version, request.root)
    return OLD
  }
  return seed
}

test('one that began with a later root is handed those before, from the first on, and asked for them', async () => {
  const seed = begunAt(NEXT)
  expect(await push(seed, ROOT, OURS, NEXT)).toEqual({ peer: seed.peer, version: 3, adopted: 0, older: 2 })
  expect([...seed.roots.keys()].sort()).toEqual([1, 2, 3])
  seed.asked.length = 0
  expect(await push(seed, ROOT, OURS, NEXT)).toEqual({ peer: seed.peer, version: 3, adopted: 0 })
  expect(seed.asked).not.toContain('root')
})

test('so is one that was given some of them; what leads nowhere is not sent', async () => {
  const seed = begunAt(NEXT)
  seed.roots.set(1, rootBytes(ROOT))
  expect(await push(seed, ROOT, OURS, NEXT)).toMatchObject({ older: 1 })
  const bare = begunAt(NEXT)
  expect(await push(bare, OURS, NEXT)).toEqual({ peer: bare.peer, version: 3, adopted: 0 })
  expect(bare.asked).not.toContain('root')
})

test('one that does not keep them is named, with the first', async () => {
  const seed = begunAt(NEXT, false)
  expect(await push(seed, ROOT, OURS, NEXT)).toEqual({ peer: seed.peer, version: 3, adopted: 0, lacks: 1 })
})

test('where those before its own cannot be asked for it has the newest all the same', async () => {
  const seed = begunAt(NEXT)
  const ask = seed.ask.bind(seed)
  seed.ask = async (request) =>
    request.type === 'roots' && request.since < 2
      ? { type: 'refused', code: 'STORE_FAILED', text: 'the disk' }
      : ask(request)
  const unknown = 'STORE_FAILED'
  expect(await push(seed, ROOT, OURS, NEXT)).toEqual({ peer: seed.peer, version: 3, adopted: 0, unknown })
})
