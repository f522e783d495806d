import { expect, it } from 'vitest'
import { Heartbeats } from '../../../src/core/gateways/heartbeats.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId, Name } from '../../../src/model/ids.ts'
import { keyNamed, peerOfKey } from '../../../src/sim/keys.ts'
import { heartbeatsOf } from '../../../src/sim/own-records.ts'

const [self, peer, relay] = ['self', 'a', 'relay'].map((name) => peerOfKey(keyNamed(name)))
const now = { monoMs: 60_000, wallMs: 1_900_000_000_000 }

it('what is no news is not read again, and who was forgotten is heard again by the very same bytes', () => {
  if (self === undefined || peer === undefined || relay === undefined) throw new Error('no peers')
  const book = new Heartbeats(self, LIMITS)
  const bytes = heartbeatsOf(keyNamed('a'), 'eu' as Name, [])(now.wallMs)
  const admission = { peer, labels: new Map(), issuer: '' as KeyId, notBefore: 0, notAfter: 4e12 }
  let read = 0
  const learn = (): string =>
    book.learn(
      bytes,
      relay,
      now,
      () => ++read > 0,
      () => admission,
    ).kind
  expect([learn(), learn(), read]).toEqual(['fresh', 'ignored', 1])
  book.forget(peer)
  expect([learn(), learn(), read]).toEqual(['fresh', 'ignored', 2])
})
