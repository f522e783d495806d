/** What seeds have in the place of ours, before any is handed the newest. */
import { afterEach, expect, test, vi } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { requireOurs, requireTakenByAll } from '../../../src/publish/root-forks.ts'
import type { Seed } from '../../../src/publish/seeds.ts'
import { renew } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { ROOT, raised, rootBytes } from '../core/fleet.ts'
import { key } from '../trust/fixtures.ts'
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

/** Signs itself and nobody else did: the fleet's id, or any other, is copied. */
function forged(version: number, fleetId = ROOT.fleetId): Uint8Array {
  const stranger = key()
  const root = {
    ...{ ...ROOT, version, fleetId },
    keys: new Map([...ROOT.keys, [stranger.id, stranger.public] as const]),
    root: { keys: [stranger.id], threshold: 1 },
  }
  return encodeEnvelope(signEnvelope('root', encodeRoot(root), [stranger]))
}

/** @param roots from the first on; undefined: it began with a later one */
function seedWith(name: string, ...roots: (Uint8Array | undefined)[]): FakeSeed {
  const seed = new FakeSeed(name)
  for (const [index, root] of roots.entries()) if (root !== undefined) seed.roots.set(index + 1, root)
  return seed
}

const [ONE, TWO] = ROOTS.map(({ envelope }) => envelope) as [Uint8Array, Uint8Array]
const OTHER_FLEET = 'f'.repeat(64) as typeof ROOT.fleetId

test.each([
  ['that does not follow from ours', 'TRUST_ROOT_UNAUTHORISED', [ONE, forged(2)]],
  ['with nothing of ours before it', 'TRUST_ROOT_FORK', [undefined, forged(2)]],
  ['with nothing of ours before it, and newer ones', 'TRUST_ROOT_OLD', [undefined, forged(2), forged(3)]],
  ['of another fleet', 'ORDER_MISPLACED', [ONE, forged(2, OTHER_FLEET)]],
])('a root %s keeps nobody from building on ours that another seed has', async (_, code, shown) => {
  const [honest, silent, hostile] = [seedWith('a', ONE, TWO), seedWith('b'), seedWith('c', ...shown)]
  silent.isGone = true
  const ours = ROOTS.slice(0, 2)
  expect(await requireOurs(ours, [hostile, silent, honest], LIMITS)).toEqual(
    new Map([[hostile, expect.objectContaining({ code, message: expect.stringContaining(hostile.peer) })]]),
  )
  await expect(requireOurs(ours, [silent, hostile], LIMITS)).rejects.toMatchObject({ code })
})

test('one that is proven does, whoever has ours, and so does one that may be', async () => {
  const theirs = rootBytes(raised(ROOT))
  const [honest, behind] = [seedWith('a', ONE, TWO), seedWith('b', ONE)]
  const [proven, later] = [seedWith('c', ONE, theirs), seedWith('d', undefined, theirs)]
  for (const seeds of [
    [honest, proven],
    [behind, later],
  ])
    await expect(requireOurs(ROOTS.slice(0, 2), seeds, LIMITS)).rejects.toMatchObject({
      code: 'TRUST_ROOT_FORK',
      message: expect.stringMatching(/has another root 2: /),
    })
})
