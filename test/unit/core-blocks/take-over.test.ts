/**
 * What a fetcher asks of the seed beside its own share: every effect of a fetch is looked at, on a release of twenty
 * blocks of which two gateways at home bring in what is theirs.
 */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, Digest } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, type Want } from './fetcher.ts'

const ELSEWHERE = '/ip4/192.0.2.1/tcp/7400' as Address

/** An eighth of what is its own may be under way, or with it alone. */
const partOf = (own: readonly Digest[]): number => Math.ceil(own.length / 8)

const digestsOf = (wants: readonly Want[]): Digest[] => wants.map(({ digest }) => digest).sort()

describe('a fetcher at home', () => {
  test('asks for what is its own to bring in, and for no more while any of it is under way', () => {
    const { started, give, own, announce } = fetcher()
    const first = started.length > 0 ? started : announce(OTHER, [0])
    const wants = first.flatMap(give)
    expect(wants.every(({ to, failed }) => to === SEED && !failed)).toBe(true)
    expect(wants.length).toBe(partOf(own))
    expect(own.length).toBeGreaterThan(2)
    for (const { digest } of wants) expect(own).toContain(digest)
  })

  test('then for what nobody has announced, as much as for its own at once', () => {
    const { own, others, ownShare, announce, give } = fetcher()
    const wants = ownShare()
    expect(wants.length).toBe(partOf(own))
    expect(others.length).toBeGreaterThan(2)
    for (const want of wants) expect(want).toMatchObject({ to: SEED, failed: false })
    for (const { digest } of wants) expect(others).toContain(digest)
    // What is on its way is asked for once; what is announced is pulled from whoever has it.
    expect(announce(OTHER, [])).toEqual([])
    const [first] = wants
    const next = first === undefined ? [] : give(first)
    expect(next.map(({ to }) => to)).toEqual(others.length > wants.length ? [SEED] : [])
  })

  test('what the other was given it leaves to it, and asks again where that one does not announce it', () => {
    const { own, others, ownShare, answer, tick, announce, digests } = fetcher()
    const sentOn = ownShare()
    const rest: Want[] = []
    for (let want = sentOn[0], at = 0; want !== undefined; at += 1, want = [...sentOn, ...rest][at])
      rest.push(...answer(want.id, { type: 'redirect', peer: OTHER, addresses: [] }))
    expect(digestsOf([...sentOn, ...rest])).toEqual([...others].sort())
    expect(tick(LIMITS.doubtMs - 1)).toEqual([])
    // One of them has come: it is pulled. The others are doubted, which the seed judges for itself.
    const known = digests.indexOf(others[0] as Digest) + 1
    expect(announce(OTHER, [known])).toEqual([
      expect.objectContaining({ to: OTHER, digest: others[0], failed: false }),
    ])
    const again = tick(1)
    expect(again.length).toBe(partOf(own))
    expect(others.length).toBeGreaterThan(3)
    for (const want of again) {
      expect(want).toMatchObject({ to: SEED, failed: false })
      expect(others.slice(1)).toContain(want.digest)
    }
  })

  test('of its own that another was given it asks that one at once: other regions wait for it here', () => {
    const { started, give, answer, announce } = fetcher()
    const first = started.length > 0 ? started : announce(OTHER, [0])
    const [own] = first.flatMap(give)
    if (own === undefined) throw new Error('it is to bring nothing in')
    expect(answer(own.id, { type: 'redirect', peer: OTHER, addresses: [] })).toContainEqual(
      expect.objectContaining({ to: OTHER, digest: own.digest, failed: false }),
    )
  })

  test('and what another has of its own it pulls before anything else', () => {
    const { started, give, announce, own, digests } = fetcher({ blocks: 40 })
    const first = started.length > 0 ? started : announce(OTHER, [0])
    const asked = new Set(first.flatMap(give).map(({ digest }) => digest))
    const left = own.filter((digest) => !asked.has(digest))
    expect(left.length).toBeGreaterThan(0)
    const all = Array.from(digests, (_, at) => at + 1)
    expect(left).toContain(announce(OTHER, all).find(({ to }) => to === OTHER)?.digest)
  })

  type Node = ReturnType<typeof fetcher>
  const inVain = [expect.objectContaining({ to: SEED, failed: true })]

  const pass = (node: Node, forMs: number): void => {
    for (let ms = 0; ms < forMs; ms += 50) node.tick(50)
  }

  /** What the other has announced is asked of it, and does not come for so long. */
  const silenced = (node: Node, wants: readonly Want[], forMs: number): Want => {
    const isOpen = (digest: Digest) => !node.has(digest) && wants.every((want) => want.digest !== digest)
    const known = node.others.find(isOpen) as Digest
    const asked = node.announce(OTHER, [node.digests.indexOf(known) + 1])
    expect(asked).toMatchObject([{ to: OTHER }])
    pass(node, forMs)
    return asked[0] as Want
  }

  /** @returns what is asked for at once, of the same block */
  const sentToOther = (node: Node, { id, digest }: Want): Want[] =>
    node.answer(id, { type: 'redirect', peer: OTHER, addresses: [] }).filter((want) => want.digest === digest)

  test.each([
    ['says nothing for long', () => {}, inVain],
    ['is slow, but says what it has,', (node: Node) => node.announce(OTHER, []), []],
    ['is slow, but asks for what it lacks,', (node: Node) => node.spoke(OTHER), []],
  ])('of what was given to one that %s the seed is told that it was in vain, or not', (_, speaks, told) => {
    const node = fetcher()
    const wants = node.ownShare()
    silenced(node, wants, LIMITS.blockSilenceMs + 50)
    speaks(node)
    expect(sentToOther(node, wants[0] as Want)).toEqual(told)
  })

  test.each([
    ['is read', (node: Node) => void node.tick(5_000)],
    ['is to be read', (node: Node) => node.stands(5_000)],
  ])('nor while what came as this node stood still %s', (_, stood) => {
    const node = fetcher()
    const wants = node.ownShare()
    silenced(node, wants, LIMITS.blockSilenceMs + 50)
    stood(node)
    expect(sentToOther(node, wants[0] as Want)).toEqual([])
  })

  test('nor is the seed told of its own blocks by what comes first after it stood still', () => {
    const { started, give, answer, announce, stands, own } = fetcher()
    const first = started.length > 0 ? started : announce(OTHER, [0])
    const wants = first.flatMap(give)
    const sentOn = new Set<Digest>()
    for (let want = wants.shift(); want !== undefined; want = wants.shift()) {
      if (want.to === SEED) sentOn.add(want.digest)
      const said = want.to === SEED ? ({ type: 'redirect', peer: OTHER, addresses: [] } as const) : undefined
      wants.push(...answer(want.id, said ?? { type: 'gone' }))
    }
    expect(own.every((digest) => sentOn.has(digest))).toBe(true)
    stands(5_000)
    expect(announce(OTHER, [])).toEqual([])
  })

  test('nor at once where neighbours are late as a rule, but once that one is silent for much longer', () => {
    const node = fetcher({ blocks: 40 })
    const wants = node.ownShare()
    const lateMs = 350
    for (let times = 0; times < 2; times += 1) node.keep(silenced(node, wants, lateMs))
    // As RFC 6298 has it, of these two and of the page, which came at once: 82 + 4 * 142, by the next tick.
    const silenceMs = 700
    silenced(node, wants, silenceMs)
    const [first, second] = wants as [Want, Want]
    expect(sentToOther(node, first)).toEqual([])
    pass(node, 3 * (silenceMs - LIMITS.blockSilenceMs))
    expect(sentToOther(node, second)).toEqual(inVain)
  })

  test('and whoever is no gateway takes nothing over', () => {
    const { ownShare } = fetcher({ self: peer('nobody') })
    expect(ownShare()).toEqual([])
  })
})

test('whoever gets nothing for long asks neighbours what they have, though they have announced something', () => {
  const { ownShare, tick, asked, noted, announce, digests } = fetcher({ self: peer('nobody') })
  ownShare()
  noted()
  // The page it has from a neighbour, whose further words did not come through.
  asked.length = 0
  tick(LIMITS.rescueMs - LIMITS.doubtMs - 1)
  expect(asked).toEqual([])
  tick(1)
  expect(asked).toEqual([OTHER])
  const [wanted] = announce(OTHER, [digests.length])
  expect(wanted).toMatchObject({ to: OTHER, digest: digests.at(-1) })
})

test('neighbours are asked again what they have after one second, two and then four: whoever has nothing yet remembers it', () => {
  const { ownShare, tick, asked, noted } = fetcher({ self: peer('nobody') })
  ownShare()
  noted()
  asked.length = 0
  const at: number[] = []
  for (let ms = LIMITS.doubtMs + 50; ms <= 9_000; ms += 50) {
    tick(50)
    if (asked.length > 0) at.push(ms)
    asked.length = 0
    noted()
  }
  // A quarter earlier by the draw of this test.
  expect(at).toEqual([500, 1_250, 2_750, 5_750, 8_750])
})

test.each([
  ['nobody but a seed sends a node to an address', OTHER, []],
  ['a seed does', SEED, [ELSEWHERE]],
])('%s, however often it is tried', (_, sender, addresses) => {
  const { announce, answer, dialled, started, tick } = fetcher({ self: peer('nobody') })
  const wants = [...started, ...announce(OTHER, [0])]
  for (let ms = 0; ms < 20_000; ms += LIMITS.doubtMs) {
    for (const { id, to } of wants.splice(0)) {
      const sent = { type: 'redirect', peer: peer('trap'), addresses: [ELSEWHERE] } as const
      wants.push(...answer(id, to === sender ? sent : { type: 'gone' }))
    }
    wants.push(...tick(LIMITS.doubtMs))
  }
  expect([...new Set(dialled)]).toEqual(addresses)
})

test('while none of those asked what they have has answered no more are asked, for five seconds', () => {
  const { ownShare, tick, asked } = fetcher({ self: peer('nobody') })
  ownShare()
  expect(asked).toEqual([OTHER])
  asked.length = 0
  tick(LIMITS.blockDeadlineMs / 2 - LIMITS.doubtMs - 1)
  expect(asked).toEqual([])
  tick(1)
  expect(asked).toEqual([OTHER])
})

describe('a seed is asked for what nobody announces', () => {
  const nobody = { self: peer('nobody') }
  /** On a host that is in time. */
  const inTime = (tick: (ms: number) => Want[], ms: number): Want[] => [
    ...Array.from({ length: Math.floor(ms / 100) }, () => tick(100)).flat(),
    ...tick(ms % 100),
  ]

  test('once a neighbour that was asked has said that it lacks it, not before', () => {
    const { ownShare, tick, asked, noted } = fetcher(nobody)
    ownShare()
    expect(asked).toEqual([OTHER])
    expect(inTime(tick, LIMITS.rescueMs)).toEqual([])
    expect(noted()).toEqual([expect.objectContaining({ to: SEED })])
  })

  test('or none of them can answer', () => {
    const { ownShare, tick, failed } = fetcher(nobody)
    ownShare()
    expect(inTime(tick, LIMITS.rescueMs)).toEqual([])
    expect(failed()).toEqual([expect.objectContaining({ to: SEED })])
  })

  test('or two seconds after they were asked: they may all be dead', () => {
    const { ownShare, tick } = fetcher(nobody)
    ownShare()
    expect(inTime(tick, 2_000 - LIMITS.doubtMs - 1)).toEqual([])
    expect(tick(1)).toEqual([expect.objectContaining({ to: SEED })])
  })

  test('and neighbours are asked first, were it not their time yet', () => {
    const { ownShare, tick, asked, noted } = fetcher({ ...nobody, draw: 0.99, heard: true })
    ownShare()
    expect(tick(LIMITS.rescueMs - LIMITS.doubtMs - 1)).toEqual([])
    expect(asked).toEqual([])
    expect(tick(1)).toEqual([])
    expect(asked).toEqual([OTHER])
    expect(noted()).toEqual([expect.objectContaining({ to: SEED })])
  })
})

test('who was not asked yet what it has is asked before those that gave something, and anew once it is linked again', () => {
  const givers = ['a', 'b', 'c', 'd'].map(peer)
  const late = peer('late')
  const neighbours = [...givers, late]
  const { asked, announce, answer, give, noted, relinked, tick } = fetcher({
    gateways: [OTHER],
    neighbours,
    seeds: [],
  })
  announce(OTHER, [0]).map(give)
  for (const [at, giver] of givers.entries()) announce(giver, [at + 1]).map(give)
  const until = (isOver: () => boolean) => {
    for (let ms = 0; ms < 120_000 && !isOver(); ms += 100) {
      for (const { id } of tick(100)) answer(id, { type: 'gone' })
      noted()
    }
  }
  asked.length = 0
  until(() => asked.length >= 2 * neighbours.length)
  for (const each of [...neighbours, OTHER]) expect(asked).toContain(each)
  relinked(late, [])
  asked.length = 0
  until(() => asked.length > 0)
  expect(asked).toContain(late)
})

describe('of a release of very few blocks, which one gateway brings in', () => {
  /** A gateway, of four, that is not the first in rank. */
  const second = (blocks = 2) => {
    const all = ['a', 'b', 'c'].map(peer)
    const nodes = all.map((self) =>
      fetcher({ blocks, self, gateways: [...all, OTHER], neighbours: all.filter((one) => one !== self) }),
    )
    return nodes.find(({ started }) => started.length === 0) as ReturnType<typeof fetcher>
  }

  test('the second steps in for the first, and goes on with the rest at once', () => {
    const node = second()
    expect(node.tick(LIMITS.stuckMs - 1)).toEqual([])
    const [page] = node.tick(1)
    expect(page).toMatchObject({ to: SEED })
    const rest = page === undefined ? [] : node.keep(page)
    expect(rest).toMatchObject(node.digests.map((digest) => ({ to: SEED, digest })))
  })

  test('but not with what the first says that it has', () => {
    const node = second()
    const [page] = node.tick(LIMITS.stuckMs)
    node.announce(OTHER, [0, 1, 2])
    const rest = page === undefined ? [] : node.keep(page)
    expect(rest.map(({ to }) => to)).not.toContain(SEED)
  })

  test('nor where it is of more blocks than one gateway brings in', () => {
    const node = second(LIMITS.singleEntryBlocks + 1)
    const [page] = node.tick(LIMITS.stuckMs)
    expect(page).toMatchObject({ to: SEED })
    const rest = page === undefined ? [] : node.keep(page)
    for (const { digest } of rest) expect(node.own).toContain(digest)
  })

  test('but not where a neighbour gave it', () => {
    const node = second()
    const [page] = node.announce(OTHER, [0])
    expect(page === undefined ? [] : node.keep(page)).toEqual([])
  })
})
