import { expect, test } from 'vitest'
import { signedWhenChanged } from '../../../src/daemon/own-record.ts'

test('the own record is signed anew where addresses change or a later one is asked for, and never of an earlier time', () => {
  let nowMs = 1_000
  let addresses = ['a']
  const signed: string[] = []
  const sign = (own: readonly string[], at: number): Uint8Array => {
    signed.push(`${own.join(' ')} ${at}`)
    return new Uint8Array(signed.length)
  }
  const record = signedWhenChanged(
    () => addresses,
    sign,
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
  expect(signed).toEqual(['a 1000', 'a 5001', 'a b 5002', 'b 9000'])
})
