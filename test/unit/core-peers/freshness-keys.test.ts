/** Freshness keys that change, that are our own, or that nothing is heard of. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Pattern } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import {
  beaconOf,
  CHANNEL,
  EVERY_MS,
  entryAt,
  factsAt,
  KEYS,
  Listener,
  MAX_AGE_MS,
  rootWith,
  SEED,
} from './beacons.ts'
import { codes } from './fakes.ts'

const [KEY, OTHER] = KEYS
/** States are looked at for a log line each quarter of a beacon, and the test goes by the second. */
const LOOK_MS = 6_000

let node: Listener
const wall = () => node.bench.now.wallMs

function started(root: TrustRoot, more: ConstructorParameters<typeof Listener>[1] = {}): void {
  node = new Listener(root, more)
  const facts = factsAt(1)
  node.bench.journey.facts.set(CHANNEL, facts)
  for (const id of facts.floor.ids) node.bench.journey.envelopes.set(id, new Uint8Array())
  node.start()
}

/** Beacons of these keys come for so long; the codes of what was said meanwhile. */
function hears(keys: readonly (typeof KEY)[], ms: number): string[] {
  const said: string[] = []
  for (let left = ms; left > 0; left -= EVERY_MS) {
    const root = node.bench.journey.current.version
    for (const key of keys) node.hear(beaconOf(key, wall(), [entryAt(1)], { root }))
    said.push(...codes(node.pass(EVERY_MS)))
  }
  return said
}

describe('one more freshness key in a new root', () => {
  beforeEach(() => {
    started(rootWith([KEY]))
    hears([KEY], 2 * MAX_AGE_MS)
    node.adopt(rootWith(KEYS, 2))
  })

  it('is no silence: what was heard before it was heard', () => {
    expect(node.state()).not.toBe('silent')
    expect(codes(node.pass(EVERY_MS))).toEqual([])
    expect(hears(KEYS, MAX_AGE_MS)).toEqual([])
    expect(node.state()).toBe('fresh')
  })

  it('gives whoever withholds beacons no more time than he had', () => {
    expect(codes(node.pass(MAX_AGE_MS - EVERY_MS))).toEqual([])
    expect(node.state()).not.toBe('silent')
    expect(codes(node.pass(LOOK_MS))).toEqual(['SYNC_SILENT'])
    expect(node.state()).toBe('silent')
  })
})

describe('a seed', () => {
  const signs = {
    patterns: ['**' as Pattern],
    submit: true,
    signBeacon: { key: KEY.id, sign: (data: Uint8Array) => KEY.sign(data) },
  }
  /** No node is linked with it any more. */
  const cutOff = () => node.bench.journey.links.delete(SEED)

  it('that is cut off from everybody says so, though it hears itself', () => {
    started(rootWith(KEYS), signs)
    hears([OTHER], 2 * MAX_AGE_MS)
    expect(node.state()).toBe('fresh')
    cutOff()
    expect(codes(node.pass(MAX_AGE_MS - EVERY_MS))).toEqual([])
    expect(codes(node.pass(2 * EVERY_MS))).toEqual(['SYNC_SILENT'])
    expect(node.state()).toBe('silent')
    expect(node.freshness.silentKeys(node.bench.journey, node.bench.now)).toBe(1)
    node.bench.link(SEED, {}, { submit: true })
    node.pass(EVERY_MS)
    expect(node.state()).toBe('fresh')
  })

  it('whose neighbours hear it is not silent while the other seed is down', () => {
    started(rootWith(KEYS), signs)
    expect(codes(node.pass(3 * MAX_AGE_MS))).toEqual([])
    expect(node.state()).toBe('fresh')
    expect(node.freshness.silentKeys(node.bench.journey, node.bench.now)).toBe(1)
  })

  it('whose key the root does not name says so, once for each change of the keys', () => {
    node = new Listener(rootWith([OTHER]), signs)
    const unnamed = (version: number) => ({
      kind: 'note',
      level: 'warn',
      code: 'CONFIG_KEY',
      text: expect.stringMatching(new RegExp(`^root ${version} does not name .* ${KEY.id.slice(0, 12)}: `)),
    })
    expect(node.start()).toEqual([unnamed(1)])
    expect(hears([OTHER], 2 * MAX_AGE_MS)).toEqual([])
    node.adopt(rootWith([OTHER], 2))
    expect(hears([OTHER], 2 * EVERY_MS)).toEqual([])
    node.adopt(rootWith(KEYS, 3))
    expect(hears([OTHER], 2 * EVERY_MS)).toEqual([])
    expect(node.freshness.marks().map(({ key }) => key)).toContain(KEY.id)
    node.adopt(rootWith([OTHER], 4))
    expect(node.pass(2 * EVERY_MS).filter(({ kind }) => kind === 'note')).toEqual([unnamed(4)])
  })

  it('that is the only one is never silent, linked with anybody or not', () => {
    started(rootWith([KEY]), signs)
    cutOff()
    expect(codes(node.pass(3 * MAX_AGE_MS))).toEqual([])
    expect(node.state()).toBe('fresh')
    expect(node.freshness.silentKeys(node.bench.journey, node.bench.now)).toBe(0)
  })

  it('that is the only one has heard a beacon once it started', () => {
    started(rootWith([KEY]), signs)
    const beaconMonoMs = node.bench.now.monoMs
    expect(node.freshness.lastHeard()).toEqual({ beaconMonoMs, heardBeacon: true })
  })
})

it('what was heard stays heard where a root names other keys, and what is read from disk was not', () => {
  const said = beaconOf(KEY, 1_000, [entryAt(1)])
  node = new Listener(rootWith([KEY]))
  node.start([said.envelope])
  const beaconMonoMs = node.bench.now.monoMs
  node.pass(EVERY_MS)
  expect(node.freshness.lastHeard()).toEqual({ beaconMonoMs, heardBeacon: false })
  node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
  node.adopt(rootWith([OTHER], 2))
  const heard = { beaconMonoMs: node.bench.now.monoMs, heardBeacon: true }
  expect(node.freshness.lastHeard()).toEqual(heard)
  expect(node.freshness.heardAny()).toBe(false)
})

it('keys of which nothing is heard are counted, once they had the time that the root allows', () => {
  const silent = () => node.freshness.silentKeys(node.bench.journey, node.bench.now)
  started(rootWith(KEYS))
  expect(silent()).toBe(0)
  hears([KEY], MAX_AGE_MS + EVERY_MS)
  expect(silent()).toBe(1)
  expect(node.state()).toBe('fresh')
  hears([OTHER], MAX_AGE_MS + EVERY_MS)
  expect(silent()).toBe(1)
  hears(KEYS, EVERY_MS)
  expect(silent()).toBe(0)
  node.pass(MAX_AGE_MS + EVERY_MS)
  expect(silent()).toBe(2)
})
