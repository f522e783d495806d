/** What is compared of the channels with whom: rows and digests for each set of patterns that peers have. */
import { expect, test } from 'vitest'
import { ChannelHashes } from '../../../src/core/channel-hashes.ts'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import { SyncIndex } from '../../../src/core/sync/channel-index.ts'
import type { Channel, Name, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import { CHANNEL, coreConfig, floorOf, make } from '../core/fleet.ts'
import { FakeJourney, numbers } from './fakes.ts'

const indexOf = () => new SyncIndex(new ChannelHashes(), coreConfig({ submit: true }))
const SALT = new Uint8Array(16)

test('a channel that is known and not stored here is not compared: others would be asked for what nobody here wants', () => {
  const made = make({ clock: { alice: 1 } })
  const journey = new FakeJourney()
  journey.envelopes.set(made.id, made.envelope)
  const facts = { channel: CHANNEL, floor: floorOf(made), heads: [made.release], durable: true }
  const sizeWhere = (stored: boolean): number => {
    journey.facts.set(CHANNEL, { ...facts, stored } as unknown as ChannelFacts)
    return indexOf().view(journey, ['**' as Pattern], 0).size
  }
  expect([sizeWhere(true), sizeWhere(false)]).toEqual([1, 0])
})

const ALL_SETS = Array.from({ length: 40 }, (_, at) => ['common/**' as Pattern, `hosts/h-${at}` as Pattern])
const HOSTS = ALL_SETS.map((_, at) => `hosts/h-${at}` as Channel)
const COMMON = Array.from({ length: 80 }, (_, at) => `common/c-${at}` as Channel)

/** An index, and what is known of each of these channels: the number of its release. */
function known(channels: readonly Channel[]) {
  const journey = new FakeJourney()
  const index = indexOf()
  const set = (channel: Channel, counter: number | undefined) => {
    const ids = counter === undefined ? [] : [`${channel} ${counter}` as ReleaseId]
    for (const id of ids) journey.envelopes.set(id, new Uint8Array())
    const floor = { top: { epoch: 1, counter: counter ?? 0, publisher: 'alice' as Name }, ids }
    const facts = { channel, stored: true, durable: true, floor, heads: [] }
    journey.facts.set(channel, facts as unknown as ChannelFacts)
    index.touch(channel)
  }
  for (const channel of channels) set(channel, 1)
  return { journey, index, set }
}

test('every set of patterns that peers have is compared as if it were the only one, whatever changes', () => {
  const { journey, index, set } = known(COMMON)
  const random = numbers()
  const shown = (of: SyncIndex, patterns: readonly Pattern[]) => {
    const view = of.view(journey, patterns, 0)
    const { digest, buckets } = view.digests(SALT)
    return { size: view.size, digest, buckets, channels: [...view.rows()].map(({ channel }) => channel) }
  }
  const sets = [...ALL_SETS, ['**' as Pattern]]
  for (let turn = 0; turn < 100; turn += 1) {
    const all = [...HOSTS, ...COMMON]
    const channel = all[Math.floor(random() * all.length)] ?? HOSTS[0]
    // Known already as it is, changed, gone for a time.
    if (channel !== undefined) set(channel, [1, 1, 2, undefined][Math.floor(random() * 4)])
    for (const at of [turn % 3, turn % sets.length, sets.length - 1]) {
      const patterns = sets[at] ?? []
      expect(shown(index, patterns)).toEqual(shown(indexOf(), patterns))
    }
  }
})

test('of sets of patterns, one for each peer, what has not changed is digested without a look at the channels', () => {
  const { journey, index, set } = known([...HOSTS, ...COMMON])
  let looks = 0
  class Watched extends Array<Pattern> {
    override includes(pattern: Pattern): boolean {
      looks += 1
      return super.includes(pattern)
    }
  }
  const sets = ALL_SETS.map((patterns) => Watched.from(patterns))
  const looksOf = () => {
    looks = 0
    const sizes = sets.map((patterns) => {
      const view = index.view(journey, patterns, 0)
      view.digests(SALT)
      return view.size
    })
    expect(sizes).toEqual(sets.map(() => COMMON.length + 1))
    return looks
  }
  expect(looksOf()).toBeGreaterThan(sets.length * COMMON.length)
  expect(looksOf()).toBe(0)
  set(HOSTS[7] as Channel, 2)
  // Each set is asked whether it was one of its channels; of one a bucket is read again.
  expect(looksOf()).toBeLessThan(sets.length + 20)
})
