import { describe, expect, it, test } from 'vitest'
import { asJson } from '../../../src/codec/extra.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId, PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { describeChange } from '../../../src/trust/describe.ts'
import {
  alsoRaised,
  dropEndedRemovals,
  raiseEpoch,
  removeNode,
  removePool,
  requireKept,
  requireRoom,
  setFreshness,
} from '../../../src/trust/edit.ts'
import { checkRoot, checkSuccession } from '../../../src/trust/root-rules.ts'
import { keysInUse, raiseEpochs, roomier } from '../../../src/trust/successor.ts'
import { keysOf } from '../../../src/trust/threshold.ts'
import { EXPIRES, freshnessKey, key, otherKey, pattern, publisherKey, rootOne, spec } from './fixtures.ts'

const root = rootOne()
const peers = ['b', 'c', 'a'].map(
  (end) => `12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6V${end}` as PeerId,
)
const [b, c, a] = peers as [PeerId, PeerId, PeerId]
const pools = [key(), key(), key()].map(({ id }) => id).sort() as [KeyId, KeyId, KeyId]
const refusedAs = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('removals', () => {
  it('stand in one order, whatever order they came in, with the end where one is known', () => {
    const nodes = [b, c, a].reduce((old, id) => removeNode(old, id, id === c ? EXPIRES : undefined), root)
    expect(nodes.removed.peers).toEqual([{ id: a }, { id: b }, { id: c, until: EXPIRES }])
    const [first, second, third] = pools
    const hosts = [second, third, first].reduce(
      (old, id) => removePool(old, id, id === second ? EXPIRES : undefined),
      root,
    )
    expect(hosts.removed.pools).toEqual([{ key: first }, { key: second, until: EXPIRES }, { key: third }])
  })

  it('are not made twice', () => {
    expect(() => removeNode(removeNode(root, a), a)).toThrow(refusedAs('USAGE', /node .* is removed already/))
    const [pool] = pools
    expect(() => removePool(removePool(root, pool), pool)).toThrow(
      refusedAs('USAGE', /pool .* is removed already/),
    )
  })

  it('get a later end, or none, from another certificate, and an earlier one where it is named', () => {
    const [pool] = pools
    const until = (of: TrustRoot) => [...of.removed.peers, ...of.removed.pools].map((one) => one.until)
    const old = removePool(removeNode(root, a, EXPIRES), pool, EXPIRES)
    const later = removePool(removeNode(old, a, EXPIRES + 1), pool, EXPIRES + 1)
    expect(until(later)).toEqual([EXPIRES + 1, EXPIRES + 1])
    const lasting = removePool(removeNode(later, a), pool)
    expect(lasting.removed).toEqual({ peers: [{ id: a }], pools: [{ key: pool }] })
    for (const end of [EXPIRES + 1, EXPIRES])
      for (const of of [later, lasting]) {
        expect(() => removeNode(of, a, end)).toThrow(refusedAs('USAGE', /removed already; --until/))
        expect(() => removePool(of, pool, end)).toThrow(refusedAs('USAGE', /removed already; --until/))
      }
    for (const of of [later, lasting])
      expect(until(removePool(removeNode(of, a, EXPIRES, true), pool, EXPIRES, true))).toEqual([
        EXPIRES,
        EXPIRES,
      ])
    expect(() => removePool(old, pool, EXPIRES, true)).toThrow(refusedAs('USAGE', /removed already/))
    const extra = asJson.pack({ why: 'stolen' })
    const newer = { ...old, removed: { ...old.removed, pools: [{ key: pool, until: EXPIRES, extra }] } }
    expect(removePool(newer, pool).removed.pools).toEqual([{ key: pool, extra }])
  })

  it('are so many; which to end is said of the one beyond', () => {
    const limits = { ...LIMITS, maxRemoved: 2 }
    const full = [a, b, ...pools.slice(1)].reduce(
      (old, id) => (id.startsWith('12D3') ? removeNode(old, id as PeerId) : removePool(old, id as KeyId)),
      root,
    )
    expect(() => requireRoom(full, limits)).not.toThrow()
    expect(() => requireRoom(removeNode(full, c), limits)).toThrow(
      refusedAs('USAGE', /would shut out 3 nodes, and may 2; .* trust remove-node PEER --until DATE/),
    )
    expect(() => requireRoom(removePool(full, pools[0]), limits)).toThrow(
      refusedAs('USAGE', /3 pools, and may 2; .* trust remove-pool DIGEST --until DATE/),
    )
  })

  it('keep what a newer build says beside them when those that have ended go', () => {
    const extra = asJson.pack({ regions: ['eu'] })
    const old = { ...root, removed: { ...removeNode(root, a, EXPIRES).removed, extra } }
    expect(dropEndedRemovals(old, Number.MAX_SAFE_INTEGER).removed).toEqual({ peers: [], pools: [], extra })
  })

  it('end seven days after the certificate, and those without an end never', () => {
    const [pool] = pools
    const old = removePool(removeNode(removeNode(root, a, EXPIRES), b), pool, EXPIRES)
    const week = 7 * 24 * 3_600_000
    expect(dropEndedRemovals(old, EXPIRES + week - 1).removed).toEqual(old.removed)
    const next = dropEndedRemovals(old, EXPIRES + week)
    expect(next.removed).toEqual({ ...old.removed, peers: [{ id: b }], pools: [] })
    expect(describeChange(old, { ...next, version: old.version + 1 }, EXPIRES + week)).toEqual([
      expect.stringMatching(/^root 4 -> 5 of fleet/),
      `node ${a}: its certificate has ended, the entry is dropped`,
      `pool ${pool.slice(0, 12)}: it has ended, the entry is dropped`,
      'no channel gets a new epoch',
    ])
  })
})

test('nobody is told to be shut out by an entry that goes with the change that makes it', () => {
  const week = 7 * 24 * 3_600_000
  const [pool] = pools
  const old = removePool(removeNode(root, b), pools[1])
  for (const [next, who] of [
    [removeNode(old, a, EXPIRES), `node ${a}`],
    [removePool(old, pool, EXPIRES), `pool ${pool}`],
  ] as const) {
    expect(() => requireKept(old, next, EXPIRES + week - 1)).not.toThrow()
    expect(() => requireKept(old, next, EXPIRES + week)).toThrow(
      refusedAs('USAGE', new RegExp(`^${who} would not be shut out: its end is 2030-01-01T00:00:00Z`)),
    )
  }
  // One that is there already is let go by its end.
  const ended = removePool(removeNode(old, b, EXPIRES, true), pools[1], EXPIRES, true)
  for (const next of [removePool(removeNode(old, a), pool), ended])
    expect(() => requireKept(old, next, EXPIRES + week)).not.toThrow()
})

describe('what is said of removals', () => {
  const [pool] = pools
  const short = pool.slice(0, 12)
  const week = 7 * 24 * 3_600_000
  const says = (old: TrustRoot, removed: TrustRoot['removed'], nowMs: number) =>
    describeChange(old, { ...old, version: old.version + 1, removed }, nowMs).slice(1, -1)

  it('that who goes before the end comes back is no tidying up', () => {
    const none = { peers: [], pools: [] }
    const ending = removePool(removeNode(root, a, EXPIRES), pool, EXPIRES)
    const back = [`node ${a} IS LET IN AGAIN`, `pool ${short} IS LET IN AGAIN`]
    expect(says(ending, none, EXPIRES + week - 1)).toEqual(back)
    expect(says(ending, none, EXPIRES + week).join()).not.toContain('AGAIN')
    const lasting = removePool(removeNode(root, a), pool)
    expect(says(lasting, none, EXPIRES + week)).toEqual(back)
  })

  it('that it ends at another time', () => {
    const old = removePool(removeNode(root, a, EXPIRES), pool)
    const { peers, pools: keys } = old.removed
    expect(says(old, { peers: [{ id: a }], pools: keys }, 0)).toEqual([
      `node ${a} is shut out: until 2030-01-01T00:00:00Z -> for ever`,
    ])
    expect(says(old, { peers, pools: [{ key: pool, until: EXPIRES }] }, 0)).toEqual([
      `pool ${short} is shut out with all its members: for ever -> until 2030-01-01T00:00:00Z`,
    ])
    expect(says(old, old.removed, 0)).toEqual([])
  })
})

describe('freshness', () => {
  it.each([
    ['age', { maxAgeS: 90 }, 'freshness: a node is silent after 60 s -> 90 s'],
    ['skew', { maxSkewS: 10 }, 'freshness: clocks may differ by 300 s -> 10 s'],
  ])('of another %s alone leaves the rest, and is said', (_, change, line) => {
    const next = setFreshness(root, { add: [], remove: [], ...change })
    expect(next.freshness).toEqual({ ...root.freshness, ...change })
    expect(describeChange(root, next, EXPIRES).slice(1, -1)).toEqual([line])
  })

  it('of another key says who comes and goes', () => {
    const next = setFreshness(root, { add: [otherKey.public], remove: [freshnessKey.id] })
    expect(describeChange(root, next, EXPIRES).slice(1, -1)).toEqual([
      `freshness: key ${otherKey.id.slice(0, 12)} is added`,
      `freshness: key ${freshnessKey.id.slice(0, 12)} is removed`,
    ])
    expect([...next.keys.keys()]).not.toContain(freshnessKey.id)
  })
})

describe('a root by itself', () => {
  it('holds each key under its own id and type', () => {
    const { public: stranger } = key()
    const other = [...root.keys].map(([id, one]) => [id, id === publisherKey.id ? stranger : one] as const)
    expect(() => checkRoot({ ...root, keys: new Map(other) })).toThrow(
      refusedAs('TRUST_ROOT_INVALID', /under another key's id/),
    )
    const type = [...root.keys].map(([id, one]) => [id, { ...one, type: 'p256' as const }] as const)
    expect(() => checkRoot({ ...root, keys: new Map(type) })).toThrow(
      refusedAs('TRUST_ROOT_INVALID', /is ed25519, not p256/),
    )
  })

  it.each([1, 3])('does not follow version 1 as version %i', (version) => {
    expect(() => checkSuccession(root, { ...root, version })).toThrow(
      refusedAs('TRUST_ROOT_INVALID', /does not follow version 1/),
    )
  })

  it('keeps no key that it does not have', () => {
    const missing = key().id
    expect([...keysOf([missing, publisherKey.id], root.keys).keys()]).toEqual([publisherKey.id])
    const roles = { ...root, admission: { ...root.admission, keys: [missing] } }
    expect(keysInUse(roles, [publisherKey.public])).toEqual(new Map([[publisherKey.id, publisherKey.public]]))
  })
})

describe('keys that no role names', () => {
  const stranger = key().public
  const held = { ...root, keys: new Map([...root.keys, [stranger.id, stranger]]) }
  const edited = (of: TrustRoot) => {
    const next = setFreshness(of, { add: [otherKey.public], remove: [freshnessKey.id] })
    return [stranger.id, freshnessKey.id, otherKey.id].map((id) => next.keys.has(id))
  }
  const unknown = asJson.pack({ waves: { keys: [stranger.id] } })
  const named = { extra: unknown }

  it('go', () => expect(edited(held)).toEqual([false, false, true]))

  it.each<[string, object]>([
    ['a role', { otherRoles: unknown }],
    ['the document', named],
    ['the root role', { root: { ...root.root, ...named } }],
    ['admission', { admission: { ...root.admission, ...named } }],
    ['freshness', { freshness: { ...root.freshness, ...named } }],
    [
      'a publisher',
      { publishers: new Map([...root.publishers].map(([id, one]) => [id, { ...one, ...named }])) },
    ],
    ['an epoch', { epochs: [{ pattern: pattern('web'), value: 1, ...named }] }],
    ['a key', { keys: new Map([...held.keys].map(([id, one]) => [id, { ...one, ...named }])) }],
    ['what is removed', { removed: { ...root.removed, ...named } }],
    ['a removed node', { removed: { ...root.removed, peers: [{ id: a, ...named }] } }],
    ['a removed pool', { removed: { ...root.removed, pools: [{ key: pools[0], ...named }] } }],
  ])('stay where %s says what a newer build knows', (_, more) => {
    expect(edited({ ...held, ...more })).toEqual([true, true, true])
  })

  it('keep what a newer build says of them where one of them gets a role', () => {
    const said = { ...stranger, extra: unknown }
    const next = setFreshness(
      { ...held, keys: new Map([...root.keys, [stranger.id, said]]) },
      { add: [stranger], remove: [] },
    )
    expect(next.keys.get(stranger.id)).toEqual(said)
  })
})

it('epochs stand by pattern, and by value where a pattern has two', () => {
  const old = [
    { pattern: pattern('web'), value: 3 },
    { pattern: pattern('web'), value: 2 },
    { pattern: pattern('pay/*'), value: 1 },
  ]
  expect(raiseEpochs(old, [pattern('pay/**'), pattern('pay/prod')], 4)).toEqual([
    { pattern: 'pay/**', value: 4 },
    { pattern: 'web', value: 2 },
    { pattern: 'web', value: 3 },
  ])
})

const epochsOf = (...patterns: readonly string[]) =>
  patterns.map((text) => ({ pattern: pattern(text), value: 1 }))

it('epochs are so many; what makes room is said of the one beyond, and does', () => {
  const limits = { ...LIMITS, maxEpochs: 3 }
  const full = { ...root, epochs: epochsOf('db/a', 'pay/a', 'pay/b') }
  expect(() => requireRoom(full, limits)).not.toThrow()
  const next = raiseEpoch(full, pattern('web'))
  expect(() => requireRoom(next, limits)).toThrow(
    refusedAs('USAGE', /would have 4 epochs, and may 3; .* --raise 'pay\/\*' .*rotate: without --seed/),
  )
  const roomy = alsoRaised(next, [pattern('pay/*')])
  expect(() => requireRoom(roomy, limits)).not.toThrow()
  expect(() => checkSuccession(full, roomy)).not.toThrow()
})

it.each([
  [3, ['a/x/1', 'a/x/2', 'a/y', 'b'], 'a/x/*'],
  [2, ['a/x/1', 'a/x/2', 'a/y', 'b'], 'a/**'],
  [1, ['a/x/1', 'a/x/2', 'a/y', 'b'], '**'],
  [2, ['a/1', 'a/2', 'a/3', 'b/1', 'b/2'], '**'],
  [3, ['a/1', 'a/2', 'a/3', 'b/1', 'b/2'], 'a/*'],
  [4, ['a/1', 'a/2', 'a/3', 'b/1', 'b/2'], 'b/*'],
  [1, ['a', 'b'], '*'],
  [1, ['a/**', 'a/b'], 'a/**'],
])('that %i are left of %j is had by the narrowest that does: %s', (most, patterns, wanted) => {
  const epochs = epochsOf(...patterns)
  const raised = roomier(epochs, most)
  expect(raised).toBe(wanted)
  expect(raiseEpochs(epochs, [raised], 2).length).toBeLessThanOrEqual(most)
})

it('a publisher whose threshold nobody can meet is none', () => {
  for (const threshold of [0, 2, 1.5])
    expect(() => rootOne([spec({ threshold })])).toThrow(refusedAs('USAGE', /would need .* signatures/))
})
