import { expect, test } from 'vitest'
import { Wants } from '../../../src/core/fetch/wants.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import { hex, peer } from '../core-peers/fakes.ts'

const digest = hex('a')
const want = (from: string) => ({
  ...{ digest, release: hex('e') as string as ReleaseId, peer: peer(from), sinceMonoMs: 0, bytes: 10 },
  ...{ way: 'seed' as const, seed: true, takeOver: false, failed: false },
})

test('a want that was let go and asked anew of the same peer ends with the second question, not the first', () => {
  const wants = new Wants()
  const first = want('A')
  wants.open(1, first)
  wants.letGo(first)
  expect(wants.size).toBe(0)
  wants.open(2, want('A'))
  expect(wants.close(1)).toBe(first)
  expect([...wants.peers(digest)]).toEqual([peer('A')])
  expect(wants.size).toBe(1)
  wants.close(2)
  expect(wants.size).toBe(0)
  expect(wants.bytes).toBe(0)
})

test('what one peer has not answered is known by its requests', () => {
  const wants = new Wants()
  wants.open(1, want('A'))
  wants.open(2, want('B'))
  expect(wants.of(peer('A'))).toEqual([1])
  wants.close(1)
  expect(wants.of(peer('A'))).toEqual([])
})

test('a block that silent peers alone are asked for takes no place, and its bytes count apart', () => {
  const wants = new Wants()
  const [first, second] = [want('A'), want('B')]
  wants.open(1, first)
  wants.open(2, second)
  const counted = () => [wants.size, wants.bytes, wants.silentBytes]
  expect(counted()).toEqual([1, 20, 0])
  wants.silent(first)
  wants.silent(first)
  expect(counted()).toEqual([1, 10, 10])
  wants.silent(second)
  expect(counted()).toEqual([0, 0, 20])
  expect(wants.isAnyOpen).toBe(true)
  wants.open(3, want('C'))
  expect(counted()).toEqual([1, 10, 20])
  for (const id of [1, 2, 3]) wants.close(id)
  expect(counted()).toEqual([0, 0, 0])
  expect(wants.isAnyOpen).toBe(false)
})

test('what seeds are asked for of one release is told without what is silent, of neighbours or of others', () => {
  const wants = new Wants()
  const late = want('late')
  wants.open(1, late)
  wants.open(2, want('A'))
  wants.open(3, { ...want('B'), way: 'near', seed: false })
  wants.open(4, { ...want('C'), release: hex('f') as string as ReleaseId })
  expect(wants.ofSeeds(late.release)).toBe(2)
  wants.silent(late)
  expect(wants.ofSeeds(late.release)).toBe(1)
})
