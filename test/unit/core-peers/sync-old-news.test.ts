/** A peer that hands over, by sync, what is known already. */
import { expect, test } from 'vitest'
import { VAIN_BURST } from '../../../src/core/sync/peer.ts'
import { OLD_TO_ONE } from '../../../src/core/sync.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { join, ToyNode } from './dialogue.ts'
import { requestOf } from './fakes.ts'

function linked() {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  join(a, b)
  const counted = { looks: 0 }
  a.bench.journey.onIngest = () => {
    counted.looks += 1
    return { verdict: 'DUPLICATE', provable: false, relayable: false }
  }
  let id = 900
  const push = (count: number): void => {
    const envelopes = Array.from({ length: count }, (_, at) => Uint8Array.of(at))
    const request = { protocol: 'sync', message: { type: 'push', envelopes } } as const
    id += 1
    a.bench.run((step, journey) => a.sync.onRequest(step, journey, requestOf(id, b.id, request)))
  }
  /** Releases that are new here, whoever brought them. */
  const news = (count: number): void => {
    const release = { header: { channel: 'team/app' as Channel } }
    const ordered = {
      release,
      envelope: new Uint8Array(),
      verdict: 'NEW',
      stored: true,
      source: { via: 'gossip' },
    } as never
    for (let at = 0; at < count; at += 1)
      a.bench.run((step, journey) => a.sync.onOrdered(step, journey, ordered))
  }
  return { push, news, counted }
}

test('it is not listened to for a while, though it may do that eight times as often as hand over what comes to nothing', () => {
  const { push, counted } = linked()
  push(2_000)
  expect(counted.looks).toBe(OLD_TO_ONE * VAIN_BURST + 1)
})

test('but as much as is news to all it may hand over once more: several neighbours say the same at once', () => {
  const { push, news, counted } = linked()
  for (let times = 0; times < 5; times += 1) {
    push(1_000)
    news(1_000)
  }
  expect(counted.looks).toBe(5_000)
})
