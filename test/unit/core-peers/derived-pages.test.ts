/** Beacon pages that follow from the one before and what is stored here: nobody is asked for them. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { BeaconEntry } from '../../../src/model/beacon.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { beaconOf, EVERY_MS, entryAt, factsAt, KEYS, Listener, MAX_AGE_MS, rootWith } from './beacons.ts'
import { asked } from './fakes.ts'

const [KEY, OTHER] = KEYS
/** Within it every page that is due was asked for. */
const ASKED_MS = 3_000
const NEXT = 'shop/test' as Channel
const FOREIGN = 'pay/prod' as Channel

let node: Listener
const stored = (facts: ChannelFacts, isHere = true) => {
  node.bench.journey.facts.set(facts.channel, facts)
  for (const id of facts.floor.ids) {
    if (isHere) node.bench.journey.envelopes.set(id, new Uint8Array())
    else node.bench.journey.envelopes.delete(id)
  }
}
const ascending = (...entries: BeaconEntry[]) => entries.sort((a, b) => (a.channel < b.channel ? -1 : 1))
const said = (...entries: BeaconEntry[]) => beaconOf(KEY, node.bench.now.wallMs, ascending(...entries))

/** How often somebody was asked for a page after this was heard. */
function asksAfter(beacon: ReturnType<typeof said>): number {
  node.hear(beacon)
  return asked(node.pass(ASKED_MS)).length
}

beforeEach(() => {
  node = new Listener(rootWith(KEYS))
  stored(factsAt(1))
  stored(factsAt(1, NEXT))
  node.start()
  expect(asksAfter(said(entryAt(1), entryAt(1, NEXT), entryAt(1, FOREIGN)))).toBe(1)
  node.pass(EVERY_MS)
})

describe('a page is made here', () => {
  it('where the beacon names what this node has got since, byte for byte as a seed would send it', () => {
    stored(factsAt(2))
    stored(factsAt(2, NEXT))
    const beacon = said(entryAt(2), entryAt(2, NEXT), entryAt(1, FOREIGN))
    expect(asksAfter(beacon)).toBe(0)
    expect(node.freshness.page(beacon.digest)).toEqual(beacon.page)
    expect(node.state()).toBe('fresh')
  })

  it('where the channel was put on hold', () => {
    stored({ ...factsAt(2), held: true })
    expect(asksAfter(said({ ...entryAt(2), target: 'held' }, entryAt(1, NEXT), entryAt(1, FOREIGN)))).toBe(0)
  })

  it('and the next one from it, for as long as the fleet lives: the channel is fresh all the while', () => {
    for (let counter = 2; counter <= 2 + (2 * MAX_AGE_MS) / EVERY_MS; counter += 1) {
      stored(factsAt(counter))
      expect(asksAfter(said(entryAt(counter), entryAt(1, NEXT), entryAt(1, FOREIGN)))).toBe(0)
      expect(node.state()).toBe('fresh')
      node.pass(EVERY_MS)
    }
  })

  it('from the page of another key where the first to name it lags behind', () => {
    const before = ascending(entryAt(1), entryAt(1, NEXT), entryAt(2, FOREIGN))
    node.hear(beaconOf(OTHER, node.bench.now.wallMs, before))
    node.pass(ASKED_MS)
    stored(factsAt(2))
    const page = ascending(entryAt(2), entryAt(1, NEXT), entryAt(2, FOREIGN))
    node.hear(beaconOf(KEY, node.bench.now.wallMs + 1, page))
    node.hear(beaconOf(OTHER, node.bench.now.wallMs + 1, page))
    expect(asked(node.pass(ASKED_MS))).toEqual([])
  })

  it('where the release comes after the beacon and before the page is due', () => {
    const beacon = said(entryAt(2), entryAt(1, NEXT), entryAt(1, FOREIGN))
    node.hear(beacon)
    stored(factsAt(2))
    expect(asked(node.pass(ASKED_MS))).toEqual([])
    expect(node.freshness.page(beacon.digest)).toEqual(beacon.page)
  })
})

describe('a page is asked for', () => {
  it('where it names what is not here: this node is behind', () => {
    const beacon = said(entryAt(2), entryAt(1, NEXT), entryAt(1, FOREIGN))
    expect(asksAfter(beacon)).toBe(1)
    expect(node.freshness.takeDiffers()).toBe(true)
    node.pass(30_000)
    expect(node.state()).toBe('behind')
  })

  it('where a channel has changed that is not stored here', () => {
    stored(factsAt(2))
    expect(asksAfter(said(entryAt(2), entryAt(1, NEXT), entryAt(2, FOREIGN)))).toBe(1)
    expect(node.state()).toBe('fresh')
  })

  it('where it has a channel more', () => {
    stored(factsAt(1, 'shop/new' as Channel))
    const page = [entryAt(1), entryAt(1, NEXT), entryAt(1, FOREIGN), entryAt(1, 'shop/new' as Channel)]
    expect(asksAfter(said(...page))).toBe(1)
  })

  it('where the release is not on this disk', () => {
    stored({ ...factsAt(2), durable: false })
    expect(asksAfter(said(entryAt(2), entryAt(1, NEXT), entryAt(1, FOREIGN)))).toBe(1)
    stored(factsAt(3), false)
    expect(asksAfter(said(entryAt(3), entryAt(1, NEXT), entryAt(1, FOREIGN)))).toBe(1)
  })

  it('where the key has said nothing before, or dealt its channels to another number of pages', () => {
    stored(factsAt(2))
    const page = ascending(entryAt(2), entryAt(1, NEXT), entryAt(1, FOREIGN))
    expect(asksAfter(beaconOf(OTHER, node.bench.now.wallMs, page))).toBe(1)
    stored(factsAt(3))
    const { digest } = beaconOf(KEY, 1, ascending(entryAt(3), entryAt(1, NEXT), entryAt(1, FOREIGN)))
    const two = beaconOf(KEY, node.bench.now.wallMs, [], { pages: [digest, digest] })
    node.hear(two)
    expect(asked(node.pass(ASKED_MS)).length).toBeGreaterThan(0)
  })

  it('where the page before is longer than a seed makes one: a stolen key would have this node work through it without end', () => {
    const many = Array.from({ length: LIMITS.maxBeaconEntries }, (_, at) =>
      entryAt(1, `pay/${at}` as Channel),
    )
    expect(asksAfter(said(entryAt(1), ...many))).toBe(1)
    stored(factsAt(2))
    expect(asksAfter(said(entryAt(2), ...many))).toBe(1)
    stored(factsAt(3))
    expect(asksAfter(said(entryAt(2), ...many.slice(1)))).toBe(1)
    expect(asksAfter(said(entryAt(3), ...many.slice(1)))).toBe(0)
  })

  it('once only is it looked whether it can be made: what comes later is fetched', () => {
    const beacon = said(entryAt(2), entryAt(1, NEXT), entryAt(1, FOREIGN))
    node.hear(beacon)
    node.pages.delete(beacon.digest)
    expect(asked(node.pass(ASKED_MS)).length).toBeGreaterThan(0)
    stored(factsAt(2))
    node.pages.set(beacon.digest, beacon.page)
    expect(asked(node.pass(10_000)).length).toBe(1)
  })
})
