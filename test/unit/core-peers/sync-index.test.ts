import { expect, test } from 'vitest'
import { ChannelHashes } from '../../../src/core/channel-hashes.ts'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import { SyncIndex } from '../../../src/core/sync/channel-index.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { CHANNEL, floorOf, make } from '../core/fleet.ts'
import { FakeJourney } from './fakes.ts'

test('a channel that is known and not stored here is not compared: others would be asked for what nobody here wants', () => {
  const made = make({ clock: { alice: 1 } })
  const journey = new FakeJourney()
  journey.envelopes.set(made.id, made.envelope)
  const facts = { channel: CHANNEL, floor: floorOf(made), heads: [made.release], durable: true }
  const sizeWhere = (stored: boolean): number => {
    journey.facts.set(CHANNEL, { ...facts, stored } as unknown as ChannelFacts)
    return new SyncIndex(new ChannelHashes()).view(journey, ['**' as Pattern], 0).size
  }
  expect([sizeWhere(true), sizeWhere(false)]).toEqual([1, 0])
})
