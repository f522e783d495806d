/** What seeds have in the place of ours, before any is handed the newest. */
import { afterEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { requireTakenByAll } from '../../../src/publish/root-forks.ts'
import type { Seed } from '../../../src/publish/seeds.ts'
import { renew } from '../../../src/trust/edit.ts'
import { ROOT, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from './fake-seed.ts'

afterEach(() => {
  vi.useRealTimers()
})

const chainOf = (length: number): TrustRoot[] => {
  const roots = [ROOT]
  while (roots.length < length) {
    const last = roots.at(-1) as TrustRoot
    roots.push(renew(last, last.expires + 1_000))
  }
  return roots
}
const ROOTS = chainOf(7).map((root) => ({ version: root.version, envelope: rootBytes(root) }))

test('all answers of one seed have the time of one', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const given: number[] = []
  const slow: Seed = {
    peer: '12D3KooWslow' as PeerId,
    ask: async (_, timeoutMs) => {
      given.push(timeoutMs)
      vi.advanceTimersByTime(LIMITS.publishDeadlineMs / 3)
      return { type: 'root' }
    },
    close: async () => undefined,
  }
  expect(await requireTakenByAll(ROOTS, [slow], LIMITS)).toEqual(new Map())
  expect(given).toEqual([3, 2, 1].map((thirds) => (LIMITS.publishDeadlineMs * thirds) / 3))
})

test('one that is slow keeps no other waiting', async () => {
  const [slow, quick] = [new FakeSeed('a'), new FakeSeed('b')]
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = slow.ask.bind(slow)
  slow.ask = async (request) => {
    await promise
    return ask(request)
  }
  const looked = requireTakenByAll(ROOTS, [slow, quick], LIMITS)
  await vi.waitFor(() => expect(quick.asked).toContain('roots'))
  resolve()
  expect(await looked).toEqual(new Map())
})
