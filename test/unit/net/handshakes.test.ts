import type { MultiaddrConnection } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { Handshakes } from '../../../src/net/handshakes.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const socket = () => new EventTarget() as unknown as MultiaddrConnection

/** As many as find room, each of a network of its own. */
function fill(handshakes: Handshakes): MultiaddrConnection[] {
  const begun: MultiaddrConnection[] = []
  for (let n = 0; ; n += 1) {
    const one = socket()
    if (!handshakes.begin(one, `network ${n}`)) return begun
    begun.push(one)
  }
}

/** All there is room for are begun, take so long, and are through. @returns how many they were */
function round(handshakes: Handshakes, tookMs: number): number {
  const begun = fill(handshakes)
  vi.advanceTimersByTime(tookMs)
  for (const one of begun) handshakes.through(one)
  return begun.length
}

const fresh = () => new Handshakes(LIMITS, { note: () => {} })

test('as many are begun at a time as end soon, up to the limit', () => {
  const handshakes = fresh()
  const rounds = Array.from({ length: 6 }, () => round(handshakes, 500))
  expect(rounds.slice(0, 3)).toEqual([32, 64, 128])
  expect(rounds.at(-1)).toBe(LIMITS.maxHandshakes)
})

test('fewer, the longer they take: what nobody finishes in time is not begun', () => {
  const handshakes = fresh()
  for (let n = 0; n < 6; n += 1) round(handshakes, 500)
  // Each handshake costs as much as the machine does in 50 ms.
  let begun: number = LIMITS.maxHandshakes
  for (let n = 0; n < 20; n += 1) begun = round(handshakes, 50 * begun)
  expect(begun * 50).toBeLessThan(4_000)
  for (let n = 0; n < 20; n += 1) begun = round(handshakes, 9_000)
  expect(begun).toBe(16)
})

test('one that comes to nothing changes nothing, and one of nobody neither', () => {
  const handshakes = fresh()
  for (const one of fill(handshakes)) one.dispatchEvent(new Event('close'))
  handshakes.through(socket())
  expect(fill(handshakes)).toHaveLength(32)
})

describe('where six addresses have every place', () => {
  /** Each as many as are free for the others, until none is left. */
  function shut(handshakes: Handshakes, ended: string[]): void {
    for (let address = 0, begun = true; begun; address += 1)
      for (begun = false; handshakes.begin(ending(`address ${address}`, ended), `address ${address}`); )
        begun = true
  }
  const ending = (name: string, ended: string[]): MultiaddrConnection =>
    Object.assign(socket(), { abort: () => void ended.push(name) })

  test('whoever comes gets the place held longest by whoever has most, once that one is late', () => {
    const handshakes = fresh()
    const ended: string[] = []
    shut(handshakes, ended)
    const newcomer = () => handshakes.begin(socket(), 'newcomer')
    expect(newcomer()).toBe(false)
    vi.advanceTimersByTime(2_000)
    expect([newcomer(), ended]).toEqual([false, []])
    vi.advanceTimersByTime(1)
    expect([newcomer(), ended]).toEqual([true, ['address 0']])
    // a place is not taken from one that has hardly more: nobody would be through
    for (let count = 0; count < 32; count += 1) newcomer()
    expect(ended.filter((name) => name === 'address 0').length).toBeLessThan(12)
    const before = ended.length
    vi.advanceTimersByTime(2_001)
    expect([newcomer(), newcomer(), ended.length]).toEqual([false, false, before])
  })

  test('nobody who has as many makes room for another, however slow this host is', () => {
    const handshakes = fresh()
    const ended: string[] = []
    for (let n = 0; n < 32; n += 1) handshakes.begin(ending(`${n}`, ended), `network ${n}`)
    vi.advanceTimersByTime(9_000)
    expect([handshakes.begin(socket(), 'newcomer'), ended]).toEqual([false, []])
  })
})
