import { describe, expect, it, test } from 'vitest'
import { MAX_TIME_MS } from '../../../src/codec/ids.ts'
import { signedForItsTime, signedToFit, signedWhenChanged } from '../../../src/daemon/own-record.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Validity } from '../../../src/trust/certificates.ts'

test('the own record is signed anew where addresses or certificate change or a later one is asked for, and never of an earlier time', () => {
  let nowMs = 1_000
  let addresses = ['a']
  const signed: string[] = []
  let chain = [new Uint8Array(1)]
  const sign = (own: readonly string[], links: readonly Uint8Array[], at: number): Uint8Array => {
    expect(links).toBe(chain)
    signed.push(`${own.join(' ')} ${at}`)
    return new Uint8Array(signed.length)
  }
  const record = signedWhenChanged(
    () => addresses,
    () => chain,
    sign,
    LIMITS,
    () => nowMs,
  )
  expect(record(0)).toBe(record(1_000))
  record(5_001)
  record(5_001)
  nowMs = 2_000
  addresses = ['a', 'b']
  record(5_001)
  nowMs = 9_000
  addresses = ['b']
  record(5_001)
  chain = [new Uint8Array(2)]
  record(5_001)
  record(5_001)
  expect(signed).toEqual(['a 1000', 'a 5001', 'a b 5002', 'b 9000', 'b 9001'])
})

describe('the own record after a clock that was ahead is set right', () => {
  const NOW = Date.UTC(2026, 0, 1)
  const HOUR = 3_600_000
  /** What records are of, at each of these times of the clock, with a certificate that the node signs for itself. */
  const recordsAt = (...clock: number[]): number[] => {
    const signed: number[] = []
    let nowMs = 0
    const record = signedWhenChanged(
      () => ['a'],
      signedForItsTime(() => [new Uint8Array(1)]),
      (_own, _links, at) => {
        signed.push(at)
        return new Uint8Array(1)
      },
      LIMITS,
      () => nowMs,
    )
    for (const ms of clock) {
      nowMs = ms
      record(0)
    }
    return signed
  }

  it('is of the right time where its certificate had begun for no peer', () => {
    const years = NOW + 20 * 365 * 24 * HOUR
    expect(recordsAt(NOW, years, NOW + 60_000)).toEqual([NOW, years, NOW + 60_000])
    const ahead = NOW + LIMITS.admitSkewMs + HOUR + 1
    expect(recordsAt(ahead, NOW)).toEqual([ahead, NOW])
  })

  it('is later than the one before where peers may have taken that', () => {
    const ahead = NOW + LIMITS.admitSkewMs + HOUR
    expect(recordsAt(ahead, NOW)).toEqual([ahead, ahead + 1])
  })
})

describe('a certificate that a node signs for itself', () => {
  const NOW = Date.UTC(2026, 0, 1)
  const [HOUR, DAY] = [3_600_000, 86_400_000]
  const signing = () => {
    const signed: Validity[] = []
    const chain = signedForItsTime((validity) => {
      signed.push(validity)
      return [new Uint8Array(signed.length)]
    })
    return { chain, signed }
  }

  it('is the same until half of it is over', () => {
    const { chain, signed } = signing()
    const first = chain(NOW)
    expect(signed).toEqual([{ notBefore: NOW - HOUR, notAfter: NOW + 365 * DAY }])
    expect([chain(NOW - HOUR), chain(NOW + 182 * DAY)]).toEqual([first, first])
    expect(chain(NOW + 183 * DAY)).not.toBe(first)
    expect(signed[1]?.notAfter).toBe(NOW + (183 + 365) * DAY)
  })

  it.each([
    ['years behind', NOW - 3_650 * DAY],
    ['days ahead', NOW + 60 * DAY],
  ])('is signed anew once a clock that was %s is set right', (_what, wrongMs) => {
    const { chain, signed } = signing()
    chain(wrongMs)
    chain(NOW)
    chain(NOW + 1)
    expect(signed.slice(1)).toEqual([{ notBefore: NOW - HOUR, notAfter: NOW + 365 * DAY }])
  })

  it('is of times that a document can name, and then not signed at each look either', () => {
    const { chain, signed } = signing()
    chain(1_000)
    chain(MAX_TIME_MS)
    chain(MAX_TIME_MS + DAY)
    expect(signed).toEqual([
      { notBefore: 0, notAfter: HOUR + 365 * DAY },
      { notBefore: MAX_TIME_MS - 365 * DAY - HOUR, notAfter: MAX_TIME_MS },
    ])
  })
})

describe('the own heartbeat', () => {
  const ROOM = 100
  const signing = (addresses: readonly string[], chainBytes: number, maxHeartbeatBytes = ROOM) => {
    let told = 0
    const sign = (own: readonly string[]) => new Uint8Array(chainBytes + own.join('').length)
    const heartbeat = signedToFit(
      () => addresses,
      sign,
      { ...LIMITS, maxHeartbeatBytes },
      () => {
        told += 1
      },
    )
    return { length: () => heartbeat(1, undefined)?.length, told: () => told }
  }
  const [one, ten] = ['x'.repeat(10), Array.from({ length: 10 }, () => 'x'.repeat(10))]

  it('names eight addresses, or as many as fit beside the certificate', () => {
    expect(signing(ten, 20).length()).toBe(ROOM)
    expect(signing(ten, 21).length()).toBe(91)
    expect(signing([one], 90).length()).toBe(ROOM)
  })

  it('is no longer than others take, where this host would take longer ones', () => {
    const chainBytes = LIMITS.maxHeartbeatBytes - 15
    expect(signing(ten, chainBytes, 2 * LIMITS.maxHeartbeatBytes).length()).toBe(LIMITS.maxHeartbeatBytes - 5)
  })

  it('is not said where not even one fits, which is told once', () => {
    const { length, told } = signing([one], 91)
    expect([length(), length(), told()]).toEqual([undefined, undefined, 1])
  })

  it('is not said, and nothing is told, while there is no address', () => {
    const { length, told } = signing([], 91)
    expect([length(), told()]).toEqual([undefined, 0])
  })
})
