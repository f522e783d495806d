import { expect, test } from 'vitest'
import { Askers } from '../../../src/core/fetch/askers.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'

const release = (n: number) => `release ${n}` as ReleaseId

test('of one neighbour the latest 64 questions are remembered, whatever others ask', () => {
  const askers = new Askers()
  askers.add(release(0), peer('A'))
  for (let n = 0; n <= 64; n += 1) askers.add(release(n), peer('B'))
  const waits = (name: string) =>
    Array.from({ length: 65 }, (_, n) => n).filter((n) => askers.has(release(n), peer(name)))
  expect(waits('A')).toEqual([0])
  expect(waits('B')).toEqual(Array.from({ length: 64 }, (_, n) => n + 1))
})

test('whoever was told is forgotten', () => {
  const askers = new Askers()
  for (const name of ['A', 'B']) askers.add(release(0), peer(name))
  askers.told(release(0), peer('A'))
  expect(['A', 'B'].map((name) => askers.has(release(0), peer(name)))).toEqual([false, true])
})
