import { describe, expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeControlGossip } from '../../../src/codec/gossip.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { ChannelHashes } from '../../../src/core/channel-hashes.ts'
import { entryOf } from '../../../src/core/freshness/beacon-pages.ts'
import { createRoots } from '../../../src/core/roots.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { placeBefore } from '../../../src/model/place.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { key } from '../trust/fixtures.ts'
import { BenchNode, comes, ofKind } from './bench-node.ts'
import { floorOf, make, PEER, ROOT, raised, rootBytes, withLimits } from './fleet.ts'

const two = renew(ROOT, ROOT.expires + 1_000)
const three = renew(two, ROOT.expires + 2_000)
const stored = (...roots: readonly TrustRoot[]) =>
  roots.map((root) => ({ version: root.version, envelope: rootBytes(root) }))
const thief = key()
const signOwn = (root: TrustRoot) => decodeEnvelope(rootBytes(root), LIMITS.maxRootBytes, LIMITS).signatures
const restored = (configured: TrustRoot, from: ReturnType<typeof stored>) => {
  const roots = createRoots(rootBytes(configured), LIMITS)
  const unused = roots.restore(from)
  return {
    unused,
    version: roots.current().version,
    kept: [1, 2, 3].filter((v) => roots.kept(v) !== undefined),
  }
}

describe('the newest of configuration and store counts', () => {
  test.each<[string, TrustRoot, TrustRoot[], number, number[]]>([
    ['nothing stored', two, [], 2, [2]],
    ['stored is newer', ROOT, [three, two, ROOT], 3, [1, 2, 3]],
    ['configured follows the stored', three, [ROOT, two], 3, [1, 2, 3]],
    ['configured is too far ahead to follow', three, [ROOT], 3, [3]],
  ])('%s', (_, configured, from, version, kept) => {
    expect(restored(configured, stored(...from))).toEqual({ unused: [], version, kept })
  })

  test('what cannot be used of the store is said, and the rest counts', () => {
    const bad = { version: 2, envelope: Uint8Array.of(1) }
    expect(restored(ROOT, [...stored(ROOT), bad])).toEqual({
      unused: [expect.stringMatching(/^stored root 2: /)],
      version: 1,
      kept: [1],
    })
    expect(restored(two, [{ version: 1, envelope: Uint8Array.of(1) }])).toEqual({
      unused: [expect.stringMatching(/^stored root 1: /)],
      version: 2,
      kept: [2],
    })
  })

  test('a stored root that does not follow from the configured one is set aside, whatever fleet it says it is of', () => {
    const thief = key()
    const keys = [...two.keys, [thief.public.id, thief.public] as const].sort(([a], [b]) => (a < b ? -1 : 1))
    const own = { ...two, keys: new Map(keys) }
    const theirs = { ...own, root: { keys: [thief.public.id], threshold: 1 } }
    const envelope = encodeEnvelope(signEnvelope('root', encodeRoot(theirs), [thief]))
    for (const configured of [ROOT, two])
      expect(restored(configured, [{ version: 2, envelope }])).toEqual({
        unused: [
          expect.stringMatching(
            configured === ROOT ? /^stored root 2 does not follow/ : /^stored root 2 is another than/,
          ),
        ],
        version: configured.version,
        kept: [configured.version],
      })
  })

  test('the roots of a store that begins right after the configured one are a chain with it', () => {
    expect(restored(ROOT, stored(two, three))).toEqual({ unused: [], version: 3, kept: [1, 2, 3] })
    expect(restored(ROOT, stored(three))).toEqual({ unused: [], version: 3, kept: [1, 3] })
  })

  test('another fleet in the store: the configured root counts', () => {
    const foreign = firstRoot({
      rootKeys: [key().public],
      rootThreshold: 1,
      publishers: [],
      admissionKeys: [],
      freshnessKeys: [],
      maxAgeS: 60,
      maxSkewS: 10,
      expires: ROOT.expires,
    })
    const signed = createRoots(rootBytes(ROOT), LIMITS)
    expect(signed.restore([{ version: 1, envelope: rootBytes(foreign) }])).toHaveLength(1)
    expect(signed.fleetId()).toBe(ROOT.fleetId)
  })
})

describe('a stored root is lost', () => {
  const chain = [ROOT]
  for (let version = 2; version <= 5; version++)
    chain.push(renew(chain.at(-1) as TrustRoot, ROOT.expires + version))
  const bytesOf = (version: number) => rootBytes(chain[version - 1] as TrustRoot)
  const without = (...lost: readonly number[]) => {
    const roots = createRoots(rootBytes(ROOT), LIMITS)
    const unused = roots.restore(stored(...chain.filter(({ version }) => !lost.includes(version))))
    return { roots, unused }
  }
  const kept = ({ roots }: ReturnType<typeof without>) => [...roots.all().keys()]

  test.each([[[1]], [[2]], [[3]], [[4]], [[2, 3, 4]]])('%j: no older root comes back', (lost) => {
    const node = without(...lost)
    expect([node.roots.current().version, node.unused]).toEqual([5, []])
    expect(kept(node)).toEqual([1, 2, 3, 4, 5].filter((version) => version === 1 || !lost.includes(version)))
  })

  /** Signed by those who may sign the next root, too; what it says leads elsewhere. */
  const elsewhere = (root: TrustRoot) => {
    const keys = [...root.keys, [thief.public.id, thief.public] as const].sort(([a], [b]) => (a < b ? -1 : 1))
    const next = { ...root, keys: new Map(keys), root: { keys: [thief.public.id], threshold: 1 } }
    const { signatures, ...rest } = signEnvelope('root', encodeRoot(next), [thief])
    return (signer?: typeof signOwn) =>
      encodeEnvelope({ ...rest, signatures: [...signatures, ...(signer?.(next) ?? [])] })
  }

  test('nothing counts above one that is here and does not follow', () => {
    const theirs = [2, 3, 5].map((version) => ({
      version,
      envelope: elsewhere(chain[version - 1] as TrustRoot)(),
    }))
    expect(restored(ROOT, [...stored(ROOT), ...theirs])).toMatchObject({ version: 1, kept: [1] })
  })

  test('what peers give closes the hole from below, all at once', () => {
    const node = without(3, 4)
    expect(node.roots.lacksAfter()).toBe(2)
    expect(node.roots.fill(bytesOf(4))).toEqual([])
    expect(node.roots.fill(bytesOf(3))).toEqual([])
    expect([kept(node), node.roots.lacksAfter()]).toEqual([[1, 2, 5], 3])
    expect(node.roots.fill(bytesOf(4)).map(({ root }) => root.version)).toEqual([3, 4])
    expect([kept(node), node.roots.lacksAfter(), node.roots.chain().roots.size]).toEqual([
      [1, 2, 3, 4, 5],
      5,
      5,
    ])
    expect(node.roots.fill(bytesOf(3))).toEqual([])
    expect(node.roots.adopt(rootBytes(renew(chain[4] as TrustRoot, ROOT.expires + 6))).kind).toBe('adopted')
    expect(kept(node)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('a root that leads elsewhere closes none, and keeps the right one out of none', () => {
    const other = elsewhere(renew(two, ROOT.expires + 99))(signOwn)
    const one = without(3)
    expect(one.roots.fill(other)).toEqual([])
    expect([kept(one), one.roots.lacksAfter()]).toEqual([[1, 2, 4, 5], 2])
    expect(one.roots.fill(bytesOf(3))).toHaveLength(1)
    const both = without(3, 4)
    expect([both.roots.fill(other), both.roots.lacksAfter()]).toEqual([[], 3])
    expect([both.roots.fill(bytesOf(4)), both.roots.fill(bytesOf(3))]).toEqual([[], []])
    expect(both.roots.fill(bytesOf(4))).toHaveLength(2)
  })
})

describe('a seed is configured with a later root', () => {
  const four = renew(three, ROOT.expires + 3_000)
  const later = renew(four, ROOT.expires + 4_000)
  const seed = (configured: TrustRoot, ...from: readonly TrustRoot[]) => {
    const roots = createRoots(rootBytes(configured), LIMITS, true)
    roots.restore(stored(...from))
    return roots
  }
  const versions = (kept: readonly { root: TrustRoot }[]) => kept.map(({ root }) => root.version)

  test('it asks for those from the first on, which follow one from the other up to its own', () => {
    const roots = seed(four)
    expect([roots.current().version, roots.lacksAfter()]).toEqual([4, 0])
    expect([roots.fill(rootBytes(two)), roots.lacksAfter()]).toEqual([[], 0])
    expect([versions(roots.fill(rootBytes(ROOT))), roots.lacksAfter()]).toEqual([[1], 1])
    expect(roots.kept(1)).toEqual(ROOT)
    expect([roots.fill(rootBytes(two)), roots.lacksAfter()]).toEqual([[], 2])
    expect(versions(roots.fill(rootBytes(three)))).toEqual([2, 3])
    expect([[...roots.all().keys()], roots.lacksAfter()]).toEqual([[1, 2, 3, 4], 4])
    expect([roots.adopt(rootBytes(later)).kind, [...roots.all().keys()]]).toEqual([
      'adopted',
      [1, 2, 3, 4, 5],
    ])
  })

  test('the first alone may lack; and once all are stored, none does', () => {
    const roots = seed(two)
    expect([versions(roots.fill(rootBytes(ROOT))), roots.lacksAfter()]).toEqual([[1], 2])
    expect([...roots.chain().roots.keys()]).toEqual([1, 2])
    expect(seed(four, ROOT, two, three).lacksAfter()).toBe(4)
    expect(seed(ROOT).lacksAfter()).toBe(1)
  })

  test('a hole that damage left is closed before', () => {
    const roots = seed(two, four)
    expect(roots.lacksAfter()).toBe(2)
    expect([versions(roots.fill(rootBytes(three))), roots.lacksAfter()]).toEqual([[3], 0])
    expect([versions(roots.fill(rootBytes(ROOT))), [...roots.chain().roots.keys()]]).toEqual([
      [1],
      [1, 2, 3, 4],
    ])
  })

  test('what is of another fleet, or no root, is none', () => {
    const keys = { rootKeys: [thief.public], rootThreshold: 1, publishers: [], admissionKeys: [] }
    const times = { freshnessKeys: [], maxAgeS: 60, maxSkewS: 10, expires: ROOT.expires }
    const foreign = firstRoot({ ...keys, ...times })
    const roots = seed(four)
    const envelope = encodeEnvelope(signEnvelope('root', encodeRoot(foreign), [thief]))
    for (const bytes of [envelope, Uint8Array.of(1)]) expect(roots.fill(bytes)).toEqual([])
    expect([roots.lacksAfter(), [...roots.all().keys()]]).toEqual([0, [4]])
  })

  test('nodes other than seeds go on from the root they have', () => {
    const roots = createRoots(rootBytes(four), LIMITS)
    expect([roots.lacksAfter(), roots.fill(rootBytes(ROOT)), roots.kept(1)]).toEqual([4, [], undefined])
  })
})

test('a version with two valid roots is disputed: the first stays, and nobody is blamed under it', () => {
  const roots = createRoots(rootBytes(ROOT), LIMITS)
  expect(roots.adopt(rootBytes(two)).kind).toBe('adopted')
  expect(roots.undisputed(2)).toEqual(two)
  expect(roots.adopt(rootBytes(renew(ROOT, ROOT.expires + 9_000))).kind).toBe('fork')
  expect(roots.undisputed(2)).toBeUndefined()
  expect(roots.kept(2)).toEqual(two)
  expect(roots.current()).toEqual(two)
})

test('a version that was disputed stays so after the next; one that is found to be so later, too', () => {
  const roots = createRoots(rootBytes(ROOT), LIMITS)
  for (const root of [two, three]) roots.adopt(rootBytes(root))
  expect(roots.adopt(rootBytes(renew(ROOT, ROOT.expires + 9_000))).kind).toBe('old-fork')
  expect(roots.undisputed(2)).toBeUndefined()
  expect(roots.undisputed(3)).toEqual(three)
})

test('a peer is asked for roots once a minute; of too many the one asked longest ago is forgotten', () => {
  const roots = createRoots(rootBytes(ROOT), withLimits({ maxKnownPeers: 2 }))
  const ask = (peer: string, monoMs: number): boolean => roots.mayAsk(peer as PeerId, monoMs)
  expect([ask(PEER, 0), ask(PEER, 59_999), ask(PEER, 60_000)]).toEqual([true, false, true])
  expect([ask('b', 60_001), ask('c', 60_002)]).toEqual([true, true])
  expect([ask('b', 60_003), ask(PEER, 60_004)]).toEqual([false, true])
})

test('a floor of an epoch that another line of roots raised keeps out all else, until the newest raises it, too', () => {
  const floor = { ...floorOf(make({ clock: { alice: 1 } })), top: placeBefore(2), ids: [] }
  const begin = (root: TrustRoot) => {
    const node = new BenchNode({ root: rootBytes(root) })
    node.persist(node.start({ roots: [], floors: [floor, floor] }))
    const made = make({ clock: { alice: 9 }, header: { root: root.version } })
    comes(node, made)
    return { node, made }
  }
  const { node: lost } = begin(three)
  expect(lost.view().channels[0]).toMatchObject({ top: placeBefore(2), target: undefined, state: 'empty' })
  // And to whoever hears its beacon it names a place that nobody else has.
  lost.inside((_, journey) => {
    const entries = [...journey.channels()].map((facts) => entryOf(journey, facts, new ChannelHashes()))
    expect(entries).toMatchObject([{ top: placeBefore(2), target: 'none' }])
  })
  const { node: mended, made } = begin(raised(three))
  expect(mended.view().channels[0]).toMatchObject({ target: made.id })
})

test('a root of a newer form is said once, however often it comes, and shown until this build can read the next', () => {
  const node = new BenchNode()
  node.start()
  const newer = { ...two, critical: ['quorum'] }
  const text = 'root 2 needs quorum, unknown to this build; upgrade this node'
  const brought = (root: TrustRoot) => {
    const bytes = encodeControlGossip({ kind: 'root', envelope: rootBytes(root) })
    const effects = node.handle({ kind: 'gossip', topic: 'control', from: PEER, id: 'c', bytes })
    const notes = ofKind(effects, 'note').filter((note) => note.text === text)
    return notes.map(({ level }) => level)
  }
  expect(node.view().root.unreadable).toBeUndefined()
  expect([...brought(newer), ...brought(newer)]).toEqual(['warn', 'debug'])
  expect(node.view().root).toMatchObject({ version: 1, unreadable: text })
  brought(two)
  expect(node.view().root).toMatchObject({ version: 2, unreadable: undefined })
})
