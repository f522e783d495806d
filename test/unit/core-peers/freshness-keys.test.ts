/** Freshness keys that change. */
import { beforeEach, describe, expect, it } from 'vitest'
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
} from './beacons.ts'
import { codes } from './fakes.ts'

const [KEY] = KEYS
/** States are looked at for a log line each quarter of a beacon, and the test goes by the second. */
const LOOK_MS = 6_000

let node: Listener
const wall = () => node.bench.now.wallMs

function started(root: TrustRoot): void {
  node = new Listener(root)
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
}

/** Beacons of these keys come for so long; the codes of what was said meanwhile. */
function hears(keys: readonly (typeof KEY)[], ms: number): string[] {
  const said: string[] = []
  for (let left = ms; left > 0; left -= EVERY_MS) {
    for (const key of keys) node.hear(beaconOf(key, wall(), [entryAt(1)]))
    said.push(...codes(node.pass(EVERY_MS)))
  }
  return said
}

function adopts(root: TrustRoot): void {
  node.bench.journey.current = root
  node.bench.run((step, journey) => node.freshness.onRoot(step, journey, root))
}

describe('one more freshness key in a new root', () => {
  beforeEach(() => {
    started(rootWith([KEY]))
    hears([KEY], 2 * MAX_AGE_MS)
    adopts(rootWith(KEYS, 2))
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
