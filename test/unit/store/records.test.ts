/** What was stored under limits that were lowered since is no damage. */
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import { CHANNEL, ENVELOPE, MAX_LISTED, readRecord, writeRecord } from '../../../src/store/records.ts'

const NAME = 'c/payments/prod'
const LOWEST: Limits = {
  ...LIMITS,
  ...{ maxHistory: 1, maxPublishers: 1, maxStoreRecordBytes: 1, maxItems: 1, maxDepth: 1 },
}
const ids = (count: number): ReleaseId[] =>
  Array.from({ length: count }, (_, at) => sha256(`release ${at}`) as string as ReleaseId)
const recordOf = (activations: number) => ({
  channel: 'payments/prod' as Channel,
  heads: ids(9),
  active: {
    release: ids(1)[0] as ReleaseId,
    epoch: 1,
    activatedAt: 5,
    soaked: true,
    left: { epoch: 1, counter: 2, publisher: 'ops' as never },
  },
  lastGood: ids(2)[1],
  lastGoodEpoch: 1,
  failed: ids(32),
  failedTarget: sha256('copied'),
  history: ids(activations).map((release, activatedAt) => ({ release, activatedAt })),
})

describe('limits that are lower than when a record was stored', () => {
  test.each([30, 3 * LIMITS.maxHistory])('a channel with %i activations is whole', (activations) => {
    const record = recordOf(activations)
    expect(readRecord(CHANNEL, NAME, writeRecord(CHANNEL, NAME, record), LOWEST)).toEqual(record)
  })

  test('an envelope is whole', () => {
    const envelope = { channel: 'payments/prod' as Channel, number: 1, bytes: new Uint8Array(20_000) }
    expect(readRecord(ENVELOPE, 'e/1', writeRecord(ENVELOPE, 'e/1', envelope), LOWEST)).toEqual(envelope)
  })
})

test('of more activations than a record takes the newest are stored, and it can be read', () => {
  const record = recordOf(3 * MAX_LISTED)
  expect(readRecord(CHANNEL, NAME, writeRecord(CHANNEL, NAME, record), LIMITS)).toEqual({
    ...record,
    history: record.history.slice(0, MAX_LISTED),
  })
})
