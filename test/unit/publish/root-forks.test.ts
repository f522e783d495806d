/** What seeds have in the place of ours, before any is handed the newest. */
import { afterEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { requireTakenByAll } from '../../../src/publish/root-forks.ts'
import type { Seed } from '../../../src/publish/seeds.ts'
import { raiseEpoch, renew } from '../../../src/trust/edit.ts'
import { ROOT, rootBytes } from '../core/fleet.ts'
import { FakeSeed, noUpload } from './fake-seed.ts'

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
    askInOrder: noUpload,
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

test('of a seed that no root brings back it is said what its own root raised: the floors that it keeps stand above the rest', async () => {
  const [two, theirs] = [renew(ROOT, ROOT.expires + 1_000), raiseEpoch(ROOT, 'app/*' as Pattern)]
  const three = renew(two, ROOT.expires + 2_000)
  const [lost, taking] = [new FakeSeed('a'), new FakeSeed('b')]
  for (const root of [ROOT, theirs]) lost.roots.set(root.version, rootBytes(root))
  for (const root of [ROOT, two, three]) taking.roots.set(root.version, rootBytes(root))
  const said = async (...more: TrustRoot[]) => {
    const roots = [ROOT, two, three, ...more].map((root) => ({
      version: root.version,
      envelope: rootBytes(root),
    }))
    return (await requireTakenByAll(roots, [lost, taking], LIMITS)).get(lost)
  }
  expect(await said()).toMatchObject({
    message: expect.stringMatching(
      /leave it out, raise the epoch of 'app\/\*' \(confmesh trust raise-epoch\), push and publish there again, and start it on/,
    ),
    details: { raise: 'app/*' },
  })
  expect(await said(raiseEpoch(three, 'app/**' as Pattern))).toMatchObject({
    message: expect.stringContaining('leave it out, and start it on'),
    details: { raise: '' },
  })
})
