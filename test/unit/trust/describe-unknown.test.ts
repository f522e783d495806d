/** What a newer build says in a root, to who signs it with this one. */
import { expect, it, test } from 'vitest'
import { asJson } from '../../../src/codec/extra.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { describeChange } from '../../../src/trust/describe.ts'
import { renew } from '../../../src/trust/edit.ts'
import { EXPIRES, key, pattern, reread, rootOne } from './fixtures.ts'

const peer = '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Vk' as PeerId
const pool = key().id
const old: TrustRoot = {
  ...rootOne(),
  epochs: [{ pattern: pattern('pay/*'), value: 1 }],
  removed: { peers: [{ id: peer }], pools: [{ key: pool }] },
}
const named = (names: object) => ({ extra: asJson.pack(names) })
const waves = named({ waves: 1 })
const mapped = <K, V extends object>(of: ReadonlyMap<K, V>): ReadonlyMap<K, V> =>
  new Map([...of].map(([name, value], index) => [name, index === 0 ? { ...value, ...waves } : value]))
const [firstKey = ''] = old.keys.keys()
const says = (before: TrustRoot, more: object): string | undefined =>
  describeChange(before, reread({ ...renew(before, EXPIRES + 1000), ...more }), EXPIRES).find((line) =>
    line.includes('DOES NOT KNOW'),
  )
const line = (names: string) =>
  `IT SAYS SOMETHING THAT THIS BUILD DOES NOT KNOW (${names}); sign it with the newer build`

test.each<[string, object]>([
  ['waves', waves],
  ['role waves', { otherRoles: waves.extra }],
  ['root role waves', { root: { ...old.root, ...waves } }],
  ['admission waves', { admission: { ...old.admission, ...waves } }],
  ['freshness waves', { freshness: { ...old.freshness, ...waves } }],
  ['removed waves', { removed: { ...old.removed, ...waves } }],
  ['key KEY waves', { keys: mapped(old.keys) }],
  ['publisher pay waves', { publishers: mapped(old.publishers) }],
  ['epoch pay/* waves', { epochs: [{ pattern: pattern('pay/*'), value: 1, ...waves }] }],
  ['node PEER waves', { removed: { ...old.removed, peers: [{ id: peer, ...waves }] } }],
  ['pool POOL waves', { removed: { ...old.removed, pools: [{ key: pool, ...waves }] } }],
])('%s is said to be unknown here', (what, more) => {
  const ids = what.replace('KEY', firstKey).replace('PEER', peer).replace('POOL', pool)
  expect(says(old, more)).toBe(line(ids))
  // It is there already, and stays as it is.
  expect(says({ ...old, ...more }, more)).toBeUndefined()
})

it('is said, too, where it changes or goes', () => {
  const before = { ...old, ...named({ waves: 1, zones: 2, stays: { a: [1] } }) }
  expect(says(before, named({ waves: 2, stays: { a: [1] } }))).toBe(line('waves, zones'))
})

it('is not said of what goes with its part, as is said anyway', () => {
  const before = { ...old, removed: { peers: [{ id: peer, ...waves }], pools: [] } }
  expect(says(before, { removed: { peers: [], pools: [] } })).toBeUndefined()
})

it('is one line, whatever is in it', () => {
  const names = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`n${10 + at}`.repeat(50), at]))
  const said = says(old, named(names)) ?? ''
  expect(said).toContain('and others')
  expect(said.length).toBeLessThan(1000)
})
