import { expect, test } from 'vitest'
import { LeaseTable } from '../../../src/core/submit/leases.ts'
import type { Channel, Name, PeerId, ReleaseId } from '../../../src/model/ids.ts'

const lease = (channel: string, counter: number, release = `${channel}-${counter}`) => ({
  channel: channel as Channel,
  place: { epoch: 1, counter, publisher: 'alice' as Name },
  release: release as ReleaseId,
  envelope: Uint8Array.of(counter),
  holder: undefined,
})

test('the greatest place of a channel, whatever other channels hold and in whatever order they came', () => {
  const table = new LeaseTable(8)
  expect(table.greatest('web' as Channel)).toBeUndefined()
  for (const one of [lease('web', 1), lease('api', 9), lease('web', 3), lease('web', 2)]) table.put(one, 10)
  expect(table.greatest('web' as Channel)?.record).toEqual(lease('web', 3))
})

test('a full table lends no new place, and renews those it has', () => {
  const [peer, other] = ['peer', 'other'] as [PeerId, PeerId]
  const named = new Set([peer, other])
  const table = new LeaseTable(1)
  expect(table.hasRoomFor(peer, named)).toBe(true)
  table.put({ ...lease('web', 1), holder: peer }, 10)
  expect(table.hasRoomFor(other, named)).toBe(false)
  table.put({ ...lease('web', 1), holder: peer }, 20)
  expect(table.nextExpiry()).toBe(20)
  expect(table.drop('web-1' as ReleaseId)?.record).toEqual({ ...lease('web', 1), holder: peer })
  expect(table.hasRoomFor(other, named)).toBe(true)
})

test('what ends next, what has ended, and what was moved on', () => {
  const table = new LeaseTable(8)
  expect(table.nextExpiry()).toBeUndefined()
  for (const [counter, ends] of [
    [1, 30],
    [2, 10],
    [3, 20],
  ] as const)
    table.put(lease('web', counter), ends)
  expect(table.nextExpiry()).toBe(10)
  expect(table.expired(20).map(({ record }) => record.release)).toEqual(['web-2', 'web-3'])
  table.extend('web-2' as ReleaseId, 40)
  table.extend('nobody' as ReleaseId, 1)
  expect(table.nextExpiry()).toBe(20)
  expect(table.at('web' as Channel, lease('web', 2).place)).toEqual({
    record: lease('web', 2),
    expiresMonoMs: 40,
  })
})
