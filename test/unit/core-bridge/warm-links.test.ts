import { beforeEach, describe, expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { WarmLinks } from '../../../src/core/gateways/warm-links.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { addressOf, Bench, dialled, hungUp, peer } from '../core-peers/fakes.ts'

const MINUTE_MS = 60_000
let bench: Bench
let links: WarmLinks

const look = (...wanted: readonly PeerId[]): Effect[] =>
  bench.run((step, journey) => links.look(step, journey, wanted, (id) => [addressOf(id)]))
const made = (id: PeerId, region = 'us'): void => {
  const { address } = bench.link(id, {}, { region })
  links.made(id, address)
}
const outside = Array.from({ length: LIMITS.outsideDegree + 1 }, (_, at) => peer(`us-${at}`))
const [first] = outside as [PeerId, ...PeerId[]]

beforeEach(() => {
  bench = new Bench({ self: peer('a'), region: 'eu' })
  links = new WarmLinks(bench.config)
})

describe('a link made for the bridge', () => {
  test('stays while it is wanted, and a minute longer', () => {
    expect(dialled(look(...outside))).toEqual(outside.map((id) => addressOf(id)))
    for (const id of outside) made(id)
    bench.pass(10 * MINUTE_MS)
    expect(hungUp(look(...outside))).toEqual([])
    bench.pass(MINUTE_MS - 1)
    expect(hungUp(look())).toEqual([])
    bench.pass(1)
    expect(hungUp(look())).toEqual([first])
  })

  test('is one of the few links outside that sync wants where there are no more of them', () => {
    look(first)
    made(first)
    bench.pass(MINUTE_MS)
    expect(hungUp(look())).toEqual([])
    // It is nobody's any more: that there are more later does not end it.
    for (const id of outside) made(id)
    bench.pass(MINUTE_MS)
    expect(hungUp(look())).toEqual([])
  })

  test('is not ended here where the other side dialled it', () => {
    look(...outside)
    for (const id of outside) {
      made(id)
      bench.link(id, { direction: 'inbound' }, { region: 'us' })
    }
    bench.pass(MINUTE_MS)
    expect(hungUp(look())).toEqual([])
  })
})

test('so many are dialled at a time, and further ones once those are made or have had their time', () => {
  expect(dialled(look(...many))).toHaveLength(LIMITS.maxDialsAtOnce)
  expect(dialled(look(...many))).toEqual([])
  made(many[0] as PeerId)
  expect(dialled(look(...many))).toHaveLength(1)
})

const many = Array.from({ length: 2 * LIMITS.maxDialsAtOnce }, (_, at) => peer(`us-${at}`))
const addressesOf = (peers: readonly PeerId[]) => peers.map((id) => addressOf(id))

test('one that refuses, or is not reached, leaves its place to the next at once', () => {
  expect(dialled(look(...many))).toEqual(addressesOf(many.slice(0, LIMITS.maxDialsAtOnce)))
  expect(links.ended(many[0] as PeerId, bench.now.monoMs)).toBe(true)
  expect(links.ended(many[0] as PeerId, bench.now.monoMs)).toBe(false)
  expect(dialled(look(...many))).toEqual(addressesOf([many[LIMITS.maxDialsAtOnce] as PeerId]))
})

test('who waits longest is dialled first, though others may be dialled again by then', () => {
  const [some, rest] = [many.slice(0, LIMITS.maxDialsAtOnce), many.slice(LIMITS.maxDialsAtOnce)]
  expect(dialled(look(...many))).toEqual(addressesOf(some))
  bench.pass(MINUTE_MS)
  expect(dialled(look(...many))).toEqual(addressesOf(rest))
  bench.pass(MINUTE_MS)
  expect(dialled(look(...many)).sort()).toEqual(addressesOf(some))
})

test('one that says when to come back is dialled then, and not before', () => {
  expect(dialled(look(first))).toEqual([addressOf(first)])
  links.ended(first, bench.now.monoMs, LIMITS.linkSwapMs)
  bench.pass(LIMITS.linkSwapMs / 2)
  expect(dialled(look(first))).toEqual([])
  bench.pass(LIMITS.linkSwapMs / 2)
  expect(dialled(look(first))).toEqual([addressOf(first)])
})

test('one that is lost is dialled first where it was made, since another address may lead nowhere', () => {
  const addresses = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((host) => addressOf(first, host))
  const lookLater = () => {
    bench.pass(MINUTE_MS)
    return dialled(bench.run((step, journey) => links.look(step, journey, [first], () => addresses)))
  }
  expect([lookLater(), lookLater()]).toEqual([[addresses[0]], [addresses[1]]])
  links.made(first, addresses[1])
  expect([lookLater(), lookLater()]).toEqual([[addresses[1]], [addresses[2]]])
})
