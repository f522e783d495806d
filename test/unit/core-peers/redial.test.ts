import { expect, it } from 'vitest'
import { Redial } from '../../../src/core/redial.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import { addressOf, limitsOf, peer } from './fakes.ts'
import { admit, bench, dials, fail, lose, pass, peers, someone, start } from './linking.ts'

it('remembers so many peers: whoever came and went with new identities leaves nothing for ever', () => {
  const redial = new Redial(limitsOf({ maxKnownPeers: 2 }), () => 0)
  for (const name of ['a', 'b', 'c']) redial.failed(peer(name), 0, true)
  expect(['a', 'b', 'c'].map((name) => redial.failures(peer(name)))).toEqual([0, 1, 1])
})

it('comes back to a full seed in an hour where it has links enough, within ten seconds where it lacks some', () => {
  const redial = new Redial(LIMITS, () => 1)
  redial.told(peer('seed'), 0, 3_600_000, false)
  expect(redial.nextMonoMs(peer('seed'))).toBe(3_600_000)
  redial.hurry(0, () => LIMITS.redialMaxMs)
  expect(redial.nextMonoMs(peer('seed'))).toBe(10_000)
  redial.told(peer('other'), 0, 3_600_000, true)
  expect(redial.nextMonoMs(peer('other'))).toBe(10_000)
})

it('pauses ever longer over a full seed that is gone by the time links are missing', () => {
  const redial = new Redial(LIMITS, () => 1)
  redial.told(peer('seed'), 0, 3_600_000, false)
  redial.hurry(0, () => LIMITS.redialMaxMs)
  const pauses = [1, 2, 3].map(() => {
    const monoMs = redial.nextMonoMs(peer('seed'))
    redial.failed(peer('seed'), monoMs, true)
    return redial.nextMonoMs(peer('seed')) - monoMs
  })
  expect(pauses).toEqual([1_000, 2_000, 4_000])
})

it('hurries for those that are missed, and keeps to what others said', () => {
  const redial = new Redial(LIMITS, () => 1)
  for (const name of ['near', 'far']) redial.told(peer(name), 0, 3_600_000, false)
  redial.hurry(0, (one) => (one === 'near' ? LIMITS.redialMaxMs : Number.POSITIVE_INFINITY))
  expect(['near', 'far'].map((name) => redial.nextMonoMs(peer(name)))).toEqual([10_000, 3_600_000])
})

it('goes on through all addresses of a peer, however many dials have failed', () => {
  const one = someone()
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'].map((host) =>
    addressOf(one.id, host),
  )
  const dialled = dials(start({ seeds: [] }, [one.record({ addresses })]))
  while (dialled.length < 44) {
    fail(dialled.at(-1) ?? addressOf(one.id))
    const deadlineMs = bench.now.monoMs + 2 * LIMITS.redialMaxMs
    for (let found: Address[] = []; found.length === 0; dialled.push(...found)) {
      expect(bench.now.monoMs).toBeLessThan(deadlineMs)
      found = dials(pass(250))
    }
  }
  expect(dialled.slice(40)).toEqual(addresses)
})

it('begins with the address at which the last link was made, and sends others there', () => {
  const one = someone()
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((host) => addressOf(one.id, host))
  const [dead, good, other] = addresses as [Address, Address, Address]
  const dialled = dials(start({ seeds: [] }, [one.record({ addresses })]))
  expect(peers.address(one.id)).toBe(dead)
  fail(dead)
  const next = () => dials(pass(LIMITS.redialMaxMs))
  dialled.push(...next())
  expect(dialled).toEqual([dead, good])
  admit(one.id, { address: good })
  expect(peers.address(one.id)).toBe(good)
  lose(one.id)
  expect(next()).toEqual([good])
  // What it dials itself says nothing of where it is reached.
  admit(one.id, { direction: 'inbound', address: addressOf(one.id, '192.0.2.9') })
  lose(one.id)
  expect(next()).toEqual([good])
  fail(good)
  expect(next()).toEqual([other])
  expect(peers.address(one.id)).toBe(good)
})

it('pauses no longer than its bound after a thousand failed dials and more', () => {
  const redial = new Redial(LIMITS, () => 1)
  for (let times = 0; times < 1_100; times += 1) redial.failed(peer('a'), 0, true)
  expect(redial.nextMonoMs(peer('a'))).toBe(LIMITS.redialMaxMs)
})
