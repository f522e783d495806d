import { beforeEach, expect, test } from 'vitest'
import { Twin } from '../../../src/core/twin.ts'
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

test('one that is later than what outdoes that is another process, as is one of no time at which nodes are admitted', () => {
  const ahead = recordAt(bench.now.wallMs + 60 * MINUTE_MS)
  hear(ahead, 'ahead')
  expect(codes(hear(recordAt(ahead.at + 2), 'later'))).toEqual(['NET_DUPLICATE_ID'])
  twin = new Twin()
  twin.started(START)
  const never = recordAt(bench.now.wallMs + LIMITS.admitSkewMs + 1)
  expect(codes(hear(never, 'never'))).toEqual(['NET_DUPLICATE_ID'])
  expect(twin.notBefore).toBe(0)
})
