import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isHeld, targetOf } from '../../../src/core/channel.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { chainOfRoots, goodRelease, publisher, releaseUnder, shuffled } from './arbitraries.ts'
import { above, exchange, P, PaperNode, type Root, type Signed, signed } from './fleet.ts'

const RUNS = { numRuns: 2_000 }

type Item = { readonly root: number } | { readonly release: Signed }

function feed(node: PaperNode, items: readonly Item[]): PaperNode {
  for (const item of items) {
    if ('root' in item) node.adopt(item.root)
    else node.receive(item.release)
  }
  return node
}

const world = chainOfRoots.chain((roots) =>
  fc.tuple(fc.constant(roots), fc.array(releaseUnder(roots), { minLength: 1, maxLength: 8 })),
)
const itemsOf = (roots: readonly Root[], releases: readonly Signed[]): Item[] => [
  ...roots.slice(1).map(({ version }) => ({ root: version })),
  ...releases.map((release) => ({ release })),
]

test('law 11: a root without the stolen key, then one release under it: every node runs that one', () => {
  const roots: readonly Root[] = [
    { version: 1, epoch: 1, keys: { p: ['old'], q: ['q'] } },
    { version: 2, epoch: 1, keys: { p: ['old', 'new'], q: ['q'] } },
    { version: 3, epoch: 3, keys: { p: ['new'], q: ['q'] } },
  ]
  const theft = fc
    .record({
      counter: fc.constantFrom(1, 2, 3, 100, Number.MAX_SAFE_INTEGER),
      root: fc.integer({ min: 1, max: 4 }),
      twin: fc.nat({ max: 2 }),
      as: publisher,
    })
    .map(({ counter, root, twin, as }) =>
      signed({ publisher: as, clock: { [as]: counter }, root, twin, key: 'old' }),
    )
  const cure = signed({ publisher: P, clock: { p: 1 }, root: 3, key: 'new' })
  const histories = fc
    .array(theft, { maxLength: 6 })
    .chain((thefts) => fc.tuple(shuffled(itemsOf(roots, thefts)), fc.constant(thefts)))
  fc.assert(
    fc.property(histories, ([items, thefts]) => {
      const node = feed(new PaperNode(roots), items)
      // What came too early comes again, as sync sees to it.
      for (const { version } of roots) node.adopt(version)
      node.receive(cure)
      for (const release of thefts) node.receive(release)
      expect(node.active()).toBe(cure.release.id)
      expect(isHeld(node.state.floor)).toBe(false)
    }),
    RUNS,
  )
})

test('law 12: roots and releases dealt in any way, then exchange of what is kept: equal `seen` and `active`', () => {
  const dealt = world.chain(([roots, releases]) => {
    const items = itemsOf(roots, releases)
    const part = fc.subarray(items).chain(shuffled)
    const all = shuffled(releases).map((mixed) => itemsOf(roots, mixed))
    return fc.tuple(fc.constant(roots), fc.constant(releases), fc.tuple(part, part, all))
  })
  fc.assert(
    fc.property(dealt, ([roots, releases, parts]) => {
      const nodes = parts.map((part) => feed(new PaperNode(roots), part))
      exchange(nodes)
      const [first, ...others] = nodes as [PaperNode, ...PaperNode[]]
      for (const other of others) {
        expect(other.seen()).toEqual(first.seen())
        // Held nodes and those without a release of the epoch stay where they are.
        if (targetOf(first.state.floor) !== undefined) expect(other.active()).toBe(first.active())
      }
      // The last heard all in good order, so nothing that counts was lost on the way.
      expect(first.seen()).toEqual(feed(new PaperNode(roots), itemsOf(roots, releases)).seen())
    }),
    RUNS,
  )
})

test('law 3 with roots: under one root the order of roots and releases does not matter, if all come again', () => {
  const twice = world.chain(([roots, releases]) => {
    const items = itemsOf(roots, releases)
    return fc.tuple(fc.constant(roots), fc.constant(items), shuffled(items), shuffled(items))
  })
  fc.assert(
    fc.property(twice, ([roots, items, one, two]) => {
      const [a, b] = [feed(new PaperNode(roots), one), feed(new PaperNode(roots), two)]
      for (const node of [a, b]) {
        feed(
          node,
          items.filter((item) => 'root' in item),
        )
        feed(
          node,
          items.filter((item) => 'release' in item),
        )
      }
      expect(a.seen()).toEqual(b.seen())
    }),
    RUNS,
  )
})

test('laws 5 and 17: the top never falls by a root, and failing back never leads to an ended epoch', () => {
  const steps = world.chain(([roots, releases]) => {
    const items = itemsOf(roots, releases)
    const soak = fc.constant('soak' as const)
    const mixed = fc.array(fc.oneof({ arbitrary: fc.constantFrom(...items), weight: 3 }, soak), {
      maxLength: 16,
    })
    const sick = fc.subarray(releases.map(({ release }) => release.id))
    return fc.tuple(fc.constant(roots), mixed, sick)
  })
  fc.assert(
    fc.property(steps, ([roots, mixed, sick]) => {
      const node = new PaperNode(roots, sick)
      for (const step of mixed) {
        const before = node.seen().top
        if (step === 'soak') node.soak()
        else feed(node, [step])
        expect(above(before, node.seen().top)).toBe(false)
      }
      const epochs = new Map<ReleaseId, number>()
      for (const { release, kind, epoch } of node.activations) {
        if (kind === 'target') epochs.set(release, epoch)
        else {
          expect(epochs.get(release)).toBe(epoch)
          expect(sick).not.toContain(release)
        }
      }
    }),
    { numRuns: 10_000 },
  )
})

test('law 17, by hand: what was good in an ended epoch is not gone back to', () => {
  const roots: readonly Root[] = [
    { version: 1, epoch: 1, keys: { p: ['k'] } },
    { version: 2, epoch: 2, keys: { p: ['k2'] } },
  ]
  const good = signed({ publisher: P, clock: { p: 5 }, root: 1, key: 'k' })
  const bad = signed({ publisher: P, clock: { p: 1 }, root: 2, key: 'k2' })
  const node = new PaperNode(roots, [bad.release.id])
  node.receive(good)
  node.soak()
  node.adopt(2)
  expect(node.active()).toBe(good.release.id)
  node.receive(bad)
  // The failed one stays, reported.
  expect(node.active()).toBe(bad.release.id)
})

test('law 18: a crash after any step, a restart, the rest again: the same end, and nothing above the floor is ever active', () => {
  const cases = fc
    .array(goodRelease, { minLength: 1, maxLength: 6 })
    .chain((given) => fc.tuple(fc.constant(given), fc.nat({ max: given.length * 3 - 1 }), fc.boolean()))
  fc.assert(
    fc.property(cases, ([given, crashAt, storeLost]) => {
      const calm = new PaperNode()
      for (const release of given) calm.receive(release)
      const node = new PaperNode()
      let durable = { state: node.state, kept: [...node.kept] }
      let step = 0
      // Each release: ordered in memory, written, activated and noted; a crash may fall after any of the three.
      for (const release of given) {
        node.closed = true
        node.receive(release)
        if (step++ === crashAt) crash()
        else {
          durable = { state: node.state, kept: [...node.kept] }
          if (step++ === crashAt) crash()
          else {
            node.closed = false
            node.settle()
            durable = { state: node.state, kept: [...node.kept] }
            if (step++ === crashAt) crash()
          }
        }
        const active = node.active()
        if (active !== undefined && node.kept.has(active))
          expect(above(node.activations.at(-1)?.top ?? node.seen().top, node.state.floor.top)).toBe(false)
      }
      function crash(): void {
        node.state = durable.state
        node.kept.clear()
        for (const [id, release] of durable.kept) node.kept.set(id, release)
        node.closed = false
        node.restart(storeLost ? 'store' : 'nothing')
      }
      node.closed = false
      node.settle()
      for (const release of given) node.receive(release)
      expect(node.seen()).toEqual(calm.seen())
      if (!isHeld(node.state.floor)) expect(node.active()).toBe(calm.active())
    }),
    RUNS,
  )
})
