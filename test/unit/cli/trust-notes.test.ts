import { expect, test } from 'vitest'
import { notesOn } from '../../../src/cli/trust-notes.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import {
  addAdmissionKey,
  addRootKey,
  alsoRaised,
  removeAdmissionKey,
  removeNode,
  removePool,
  renew,
  setFreshness,
} from '../../../src/trust/edit.ts'
import { admissionKey, EXPIRES, freshnessKey, otherKey, rootOne } from '../trust/fixtures.ts'

const root = rootOne()

test('who takes the last admission key out hears that the whole fleet is shut out', () => {
  expect(notesOn(root, removeAdmissionKey(root, admissionKey.id))).toEqual([
    expect.stringMatching(/^THE WHOLE FLEET IS SHUT OUT, for no admission key is left: /),
  ])
})

test('who takes one of two out hears whom that cuts off', () => {
  const both = addAdmissionKey(root, otherKey.public)
  expect(notesOn(both, removeAdmissionKey(both, admissionKey.id))).toEqual([
    expect.stringContaining(
      `every node and pool that admission key ${admissionKey.id.slice(0, 12)} admitted`,
    ),
  ])
})

test('who takes the last freshness key out hears that no node finds itself behind any more', () => {
  expect(notesOn(root, setFreshness(root, { add: [], remove: [freshnessKey.id] }))).toEqual([
    expect.stringMatching(/^no freshness key is left: .*`stale`/),
  ])
  const replaced = setFreshness(root, { add: [otherKey.public], remove: [freshnessKey.id] })
  expect(notesOn(root, replaced)).toEqual([])
})

test('who removes a node hears that a pool key lets its host come back', () => {
  const peer = '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Va' as PeerId
  expect(notesOn(root, removeNode(root, peer))).toEqual([expect.stringContaining('trust remove-pool')])
})

test('who removes a node until the end of a certificate hears that there may be others', () => {
  const peer = '12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Va' as PeerId
  const until = expect.stringMatching(
    /^the entry of node 12D3KooW.* goes a week after 2030-01-01T00:00:00Z: /,
  )
  const removed = removeNode(root, peer, EXPIRES)
  expect(notesOn(root, removed)).toEqual([expect.stringContaining('trust remove-pool'), until])
  const forGood = removeNode(root, peer)
  expect(notesOn(forGood, removeNode(forGood, peer, EXPIRES, true))).toEqual([until])
  expect(notesOn(removed, renew(removed, EXPIRES + 1))).toEqual([])
})

test('who removes a pool until the end of a certificate hears that its key may have others', () => {
  const pool = otherKey.id
  const removed = removePool(root, pool, EXPIRES)
  const note = [expect.stringMatching(/ goes a week after 2030-01-01T00:00:00Z: .*trust remove-pool/)]
  expect(notesOn(root, removed)).toEqual(note)
  expect(notesOn(removePool(root, pool), removePool(removePool(root, pool), pool, EXPIRES, true))).toEqual(
    note,
  )
  expect(notesOn(removed, renew(removed, EXPIRES + 1))).toEqual([])
  expect(notesOn(removed, removePool(removed, pool))).toEqual([])
})

test('who raises an epoch, of whatever, hears that what fails next has nothing to go back to', () => {
  const note = [
    expect.stringMatching(/^no host goes back to what is of an ended epoch: .* has soaked .* stays/),
  ]
  expect(notesOn(root, alsoRaised(renew(root, EXPIRES + 1), ['payments/prod' as Pattern]))).toEqual(note)
  const twice = alsoRaised(renew(root, EXPIRES + 1), ['payments/*' as Pattern, 'shop/*' as Pattern])
  expect(notesOn(root, twice)).toEqual(note)
  expect(notesOn(twice, renew(twice, EXPIRES + 2))).toEqual([])
})

test('what shuts nobody out needs no note', () => {
  for (const next of [renew(root, EXPIRES + 1), addRootKey(root, otherKey.public)])
    expect(notesOn(root, next)).toEqual([])
})

test('who raises one of many epochs hears how to make room while there is time', () => {
  const many = (count: number) => ({
    ...root,
    epochs: Array.from({ length: count }, (_, at) => ({ pattern: `pay/${at}` as Pattern, value: 1 })),
  })
  const most = (3 * LIMITS.maxEpochs) / 4
  const of = (old: TrustRoot) =>
    notesOn(old, alsoRaised(renew(old, EXPIRES + 1), ['web' as Pattern])).slice(1)
  expect(of(many(most - 2))).toEqual([])
  expect(of(many(most - 1))).toEqual([
    expect.stringMatching(
      /^a root may have 256 epochs, and this one has 192: .* confmesh trust raise-epoch 'pay\/\*'$/,
    ),
  ])
  expect(notesOn(many(most), renew(many(most), EXPIRES + 1))).toEqual([])
})
