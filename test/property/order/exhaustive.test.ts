/**
 * Small histories, all of them: every order of every small set of releases, and of roots and releases on three
 * nodes. Compared with a reference that is written from the rules alone and looks at the whole set at once.
 */
import { expect, test } from 'vitest'
import { isHeld, targetOf } from '../../../src/core/channel.ts'
import type { Name } from '../../../src/model/ids.ts'
import { wellFormed } from './arbitraries.ts'
import { authorisedUnder, exchange, P, PaperNode, Q, type Root, type Signed, signed } from './fleet.ts'

function* subsets<T>(items: readonly T[], size: number, from = 0): Generator<T[]> {
  if (size === 0) yield []
  else
    for (let at = from; at <= items.length - size; at++)
      for (const rest of subsets(items, size - 1, at + 1)) yield [items[at] as T, ...rest]
}

function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [at, first] of items.entries())
    for (const rest of orders([...items.slice(0, at), ...items.slice(at + 1)])) yield [first, ...rest]
}

/** Two publishers, all clocks to `max` that have an own entry (ill-formed ones among them), and a twin of each. */
function catalogue(max: number): Signed[] {
  const all: Signed[] = []
  for (const publisher of [P, Q])
    for (let own = 1; own <= max; own++)
      for (let other = 0; other <= max; other++)
        for (const twin of [0, 1]) {
          const clock: Record<string, number> = { [publisher]: own }
          if (other > 0) clock[publisher === P ? Q : P] = other
          all.push(signed({ publisher, clock, twin }))
        }
  return all
}

/** The greatest place of a set and the ids there, looked at all at once. */
function reference(set: readonly Signed[], root: Root) {
  const counted = set.filter(
    (one) =>
      wellFormed(one) &&
      one.release.header.root <= root.version &&
      one.release.header.root >= root.epoch &&
      authorisedUnder(root, one),
  )
  let [counter, publisher]: [number, Name | ''] = [0, '']
  for (const { release } of counted)
    if (release.counter > counter || (release.counter === counter && release.header.publisher > publisher))
      [counter, publisher] = [release.counter, release.header.publisher]
  const ids = new Set(
    counted
      .filter(({ release }) => release.counter === counter && release.header.publisher === publisher)
      .map(({ release }) => release.id),
  )
  return {
    rootVersion: root.version,
    top: { epoch: root.epoch, counter, publisher },
    target: ids.size === 0 ? undefined : ids.size > 1 ? ('held' as const) : [...ids][0],
  }
}

/** `expect` on millions of values is slow: compared as text, and only a difference is shown in full. */
function checkSeen(node: PaperNode, expected: ReturnType<typeof reference>, run: readonly unknown[]): void {
  const seen = node.seen()
  const same =
    seen.rootVersion === expected.rootVersion &&
    seen.target === expected.target &&
    seen.top.epoch === expected.top.epoch &&
    seen.top.counter === expected.top.counter &&
    seen.top.publisher === expected.top.publisher
  if (!same) expect({ seen, run }).toEqual({ seen: expected, run })
  if (!isHeld(node.state.floor) && node.active() !== targetOf(node.state.floor))
    expect({ active: node.active(), run }).toEqual({ active: targetOf(node.state.floor), run })
}

function tryAll(releases: readonly Signed[], upTo: number): number {
  let runs = 0
  for (let size = 1; size <= upTo; size++)
    for (const set of subsets(releases, size)) {
      const node = new PaperNode()
      const expected = reference(set, node.root)
      for (const order of orders(set)) {
        const tried = new PaperNode()
        for (const release of order) tried.receive(release)
        checkSeen(
          tried,
          expected,
          order.map(({ text }) => text),
        )
        runs++
      }
    }
  return runs
}

test('every order of every set of up to 3 of 48 releases, twins and ill-formed clocks among them', () => {
  const releases = catalogue(3)
  expect(releases.length).toBe(48)
  // 48 + 2! × C(48,2) + 3! × C(48,3)
  expect(tryAll(releases, 3)).toBe(48 + 2 * 1_128 + 6 * 17_296)
})

test('every order of every set of 4 of the 20 smallest releases', () => {
  const releases = catalogue(2).slice(0, 20)
  expect(tryAll(releases, 4)).toBeGreaterThan(24 * 4_845)
})

test('every order of up to 4 of 12 roots and releases, dealt to three nodes, ends equal after exchange', () => {
  const roots: readonly Root[] = [
    { version: 1, epoch: 1, keys: { p: ['old'], q: ['q'] } },
    { version: 2, epoch: 1, keys: { p: ['old', 'new'], q: ['q'] } },
    { version: 3, epoch: 3, keys: { p: ['new'], q: ['q'] } },
  ]
  const max = Number.MAX_SAFE_INTEGER
  const items: readonly (number | Signed)[] = [
    2,
    3,
    signed({ publisher: P, clock: { p: 1 }, root: 1, key: 'old' }),
    signed({ publisher: P, clock: { p: 1 }, root: 1, key: 'old', twin: 1 }),
    signed({ publisher: P, clock: { p: 2 }, root: 2, key: 'new' }),
    signed({ publisher: P, clock: { p: max }, root: 1, key: 'old' }),
    signed({ publisher: P, clock: { p: max }, root: 3, key: 'old' }),
    signed({ publisher: P, clock: { p: 3 }, root: 3, key: 'new' }),
    signed({ publisher: P, clock: { p: 3 }, root: 3, key: 'new', twin: 1 }),
    signed({ publisher: Q, clock: { q: 2, p: 1 }, root: 2, key: 'q' }),
    signed({ publisher: Q, clock: { q: 4, p: 3 }, root: 3, key: 'q' }),
    signed({ publisher: Q, clock: { q: 4 }, root: 4, key: 'q' }),
  ]
  let runs = 0
  for (let size = 1; size <= 4; size++)
    for (const set of subsets(items, size))
      for (const order of orders(set)) {
        const nodes = [new PaperNode(roots), new PaperNode(roots), new PaperNode(roots)] as const
        // The first hears all, the others every second item each.
        for (const [at, item] of order.entries())
          for (const node of [nodes[0], nodes[1 + (at % 2)] as PaperNode]) {
            if (typeof item === 'number') node.adopt(item)
            else node.receive(item)
          }
        exchange(nodes)
        const [first, ...others] = nodes
        for (const other of others)
          if (JSON.stringify(other.seen()) !== JSON.stringify(first.seen()))
            expect({ seen: other.seen(), order }).toEqual({ seen: first.seen(), order })
        const target = targetOf(first.state.floor)
        if (target !== undefined)
          for (const node of nodes) if (node.active() !== target) expect(order).toBe(target)
        runs++
      }
  expect(runs).toBe(12 + 132 + 1_320 + 11_880)
})
