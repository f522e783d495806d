/** Digests as docs/protocol.md says they are made, by hand: another implementation is made from that page. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { channelHash } from '../../../src/codec/digest.ts'
import {
  bucketOf,
  digestOfAll,
  entriesOf,
  entryText,
  groupDigest,
  keyed,
  NOTHING,
  rowOf,
} from '../../../src/core/sync/digests.ts'
import type { Channel } from '../../../src/model/ids.ts'

const sha = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
const SALT = Uint8Array.from({ length: 16 }, (_, at) => 240 + at)
const ID = { a: 'a'.repeat(64), b: 'b'.repeat(64), c: 'c'.repeat(64), d: 'd'.repeat(64) }

/** Alice's release is the target; of bob one head is here, of carol two. */
const FACTS = {
  floor: { top: { epoch: 2, counter: 9, publisher: 'alice' }, ids: [ID.a] },
  heads: [
    { id: ID.c, counter: 4, header: { publisher: 'carol' } },
    { id: ID.a, counter: 9, header: { publisher: 'alice' } },
    { id: ID.d, counter: 4, header: { publisher: 'carol' } },
    { id: ID.b, counter: 7, header: { publisher: 'bob' } },
  ],
} as unknown as Parameters<typeof entryText>[0]

test('what is known of a channel is its place, the target and the other heads, or that it is held or lost', () => {
  const text = ['2 9 alice', ID.a, `bob 7 ${ID.b}`, 'carol 4 two'].join('\n')
  expect(entryText(FACTS, () => true)).toBe(text)
  expect(entryText(FACTS, (id) => (id as string) !== ID.a)).toBe('2 9 alice\nlost')
  const twins = { ...FACTS, floor: { ...FACTS.floor, ids: [ID.a, ID.b] } } as unknown as typeof FACTS
  expect(entryText(twins, () => true)).toBe('2 9 alice\nheld')
})

test('digests of channels, groups and everything are made of one another as hex', () => {
  const channels = ['app/web', 'app/api', 'pay/eu'] as Channel[]
  const rows = channels
    .map((channel) => rowOf(channel, channelHash(channel), `text of ${channel}`))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
  const digests = channels
    .map((channel) => ({ channel, hash: sha(channel).slice(0, 32) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ channel, hash }) => ({ hash, digest: sha(`${hash}\ntext of ${channel}`) }))
  expect(rows.map(({ hash, digest }) => ({ hash, digest }))).toEqual(digests)
  const group = sha(digests.map(({ digest }) => digest).join(''))
  expect(groupDigest(rows)).toBe(group)
  expect(keyed(SALT, groupDigest(rows))).toBe(sha(SALT, group).slice(0, 16))
  expect(keyed(SALT, groupDigest([]))).toBe('0000000000000000')
  expect(entriesOf(SALT, rows)).toEqual(
    digests.map(({ hash, digest }) => ({
      channel: hash.slice(0, 16),
      entry: sha(SALT, digest).slice(0, 16),
    })),
  )
  const buckets = Array.from({ length: 64 }, (_, at) => (at === 5 ? keyed(SALT, groupDigest(rows)) : NOTHING))
  expect(digestOfAll(SALT, buckets)).toBe(sha(SALT, buckets.join('')).slice(0, 16))
  for (const { hash } of rows) expect(bucketOf(hash)).toBe(Number.parseInt(hash.slice(0, 2), 16) >> 2)
})
