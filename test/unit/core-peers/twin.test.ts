import { beforeEach, expect, test } from 'vitest'
import { Twin } from '../../../src/core/peers/twin.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerRecord } from '../../../src/model/peer-record.ts'
import { addressOf, Bench, codes, peer } from './fakes.ts'

const START = 1_000_000
const MINUTE_MS = 60_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const recordAt = (at: number, host = '192.0.2.7'): PeerRecord =>
  ({ at, addresses: [addressOf(peer('me'), host)] }) as unknown as PeerRecord

let bench: Bench
let twin: Twin
const hear = (record: PeerRecord, text: string) => bench.run((step) => twin.heard(step, record, bytes(text)))

beforeEach(() => {
  bench = new Bench()
  twin = new Twin()
  twin.started(START)
})

test('what was given out here, or signed before this start, proves nothing', () => {
  twin.gave(bytes('own'))
  expect(hear(recordAt(START + 1), 'own')).toEqual([])
  expect(hear(recordAt(START), 'of an earlier life')).toEqual([])
  expect(twin.at(bench.now.monoMs)).toBeUndefined()
})

test('a younger record of the same identity is another process: logged once, told for ten minutes', () => {
  expect(codes(hear(recordAt(START + 1), 'other'))).toEqual(['NET_DUPLICATE_ID'])
  expect(hear(recordAt(START + 1), 'other')).toEqual([])
  expect(twin.at(bench.now.monoMs)).toEqual([addressOf(peer('me'), '192.0.2.7')])
  expect(codes(hear(recordAt(START + 2, '192.0.2.8'), 'moved'))).toEqual(['NET_DUPLICATE_ID'])
  expect(twin.at(bench.now.monoMs + 9 * MINUTE_MS)).toEqual([addressOf(peer('me'), '192.0.2.8')])
  expect(twin.at(bench.now.monoMs + 11 * MINUTE_MS)).toBeUndefined()
})

test('one that an earlier life signed while its clock was ahead proves nothing, now or later, and is outdone', () => {
  const ahead = recordAt(bench.now.wallMs + 60 * MINUTE_MS)
  twin.started(bench.now.wallMs)
  expect(twin.notBefore).toBe(0)
  expect(hear(ahead, 'of an earlier life')).toEqual([])
  expect(twin.notBefore).toBe(ahead.at + 1)
  // peers have one of before, too
  expect(hear(recordAt(ahead.at - 1), 'and of the one before')).toEqual([])
  expect(twin.notBefore).toBe(ahead.at + 1)
  bench.pass(120 * MINUTE_MS)
  expect(hear(ahead, 'of an earlier life')).toEqual([])
  expect(twin.at(bench.now.monoMs)).toBeUndefined()
})

test('two that it left are outdone, whichever is heard first', () => {
  const [one, two] = [60, 61].map((minutes) => recordAt(bench.now.wallMs + minutes * MINUTE_MS))
  expect([hear(one as PeerRecord, 'one'), hear(two as PeerRecord, 'two')]).toEqual([[], []])
  expect(twin.at(bench.now.monoMs)).toBeUndefined()
  expect(twin.notBefore).toBe((two as PeerRecord).at + 1)
})

test('what answers each that outdoes it is another process, on both sides, also where its clock is ahead', () => {
  const [slow, fast] = [new Twin(), new Twin()]
  const aheadMs = 60 * MINUTE_MS
  slow.started(bench.now.wallMs)
  fast.started(bench.now.wallMs + aheadMs)
  const { now } = bench
  const told: string[] = []
  /** Each gives its own, not earlier than it has to be, and a peer hands it to the other. */
  const exchange = (from: Twin, to: Twin, at: number, name: string) => {
    const record = recordAt(Math.max(at, from.notBefore), name)
    from.gave(bytes(`${name} ${record.at}`))
    bench.now = { ...now, wallMs: to === fast ? now.wallMs + aheadMs : now.wallMs }
    const effects = bench.run((step) => to.heard(step, record, bytes(`${name} ${record.at}`)))
    told.push(...codes(effects).map((code) => `${code} ${name}`))
  }
  for (let round = 0; round < 4; round += 1) {
    exchange(fast, slow, now.wallMs + aheadMs + 1, 'fast')
    exchange(slow, fast, now.wallMs + 1, 'slow')
  }
  expect(told).toEqual(['NET_DUPLICATE_ID slow', 'NET_DUPLICATE_ID fast'])
  expect([slow.at(now.monoMs), fast.at(now.monoMs)]).not.toContain(undefined)
})

test('one whose clock is right is found at once, and finds this one by the record that outdoes its own', () => {
  const other = recordAt(bench.now.wallMs + 1)
  expect(codes(hear(other, 'other'))).toEqual(['NET_DUPLICATE_ID'])
  expect(twin.notBefore).toBe(other.at + 1)
})

test('one of no time at which nodes are admitted is another process, and is not outdone', () => {
  const never = recordAt(bench.now.wallMs + LIMITS.admitSkewMs + 1)
  expect(codes(hear(never, 'never'))).toEqual(['NET_DUPLICATE_ID'])
  expect(twin.notBefore).toBe(0)
})
