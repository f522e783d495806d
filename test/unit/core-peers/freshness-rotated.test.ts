/** A root names other freshness keys: what those it still names said before counts no more, whoever recorded it. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Pattern } from '../../../src/model/ids.ts'
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
  type Said,
} from './beacons.ts'

const [KEY] = KEYS
const FAR = 250_000_000_000_000
const before = rootWith([KEY])
const after = rootWith(KEYS, 2)

let node: Listener
let recorded: Said[]
const wall = () => node.bench.now.wallMs
const verdictOf = ({ envelope }: Said) => {
  let verdict: string | undefined
  node.bench.run((step, journey) => {
    verdict = node.freshness.onControl(step, journey, 'beacon', envelope, 'relay' as never)
  })
  return verdict
}

/** It has heard one seed for a while under the first root. */
function hasHeard(more: ConstructorParameters<typeof Listener>[1] = {}): void {
  node = new Listener(before, more)
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
  recorded = Array.from({ length: 10 }, () => {
    const said = beaconOf(KEY, wall(), [entryAt(1)])
    node.hear(said)
    node.pass(EVERY_MS)
    return said
  })
}

/** The next process, which comes with that root by its configuration, or has it from the last one. */
function restarts(kept: readonly Said[], older = [before]): void {
  node = new Listener(after)
  node.bench.journey.older = older
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start(kept.map(({ envelope }) => envelope))
}

describe('what a key that stays said before', () => {
  beforeEach(() => hasHeard())

  it('is no news when it is replayed, and nobody is blamed for bringing it', () => {
    node.adopt(after)
    for (const said of recorded) {
      expect(verdictOf(said)).toBe('ignore')
      node.pass(EVERY_MS)
    }
    expect(node.state()).toBe('silent')
  })

  it('far ahead of its time keeps nobody from what it says since', () => {
    node.adopt(after)
    expect(verdictOf(beaconOf(KEY, FAR, [entryAt(1)]))).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall(), [entryAt(1)], { root: 2 }))).toBe('accept')
    node.pass(3_000)
    expect(node.state()).toBe('fresh')
  })

  it('does not come back with a start: neither does its time hold, nor is it news', () => {
    restarts([beaconOf(KEY, FAR, [entryAt(1)])])
    expect(node.freshness.marks()).toEqual([])
    expect(verdictOf(recorded.at(-1) as Said)).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall(), [entryAt(1)], { root: 2 }))).toBe('accept')
  })

  it('counts on where the next root changes other things, and after a start with it', () => {
    const same = rootWith([KEY], 2)
    node.adopt(same)
    expect(node.freshness.marks()).toHaveLength(1)
    const said = beaconOf(KEY, wall(), [entryAt(1)])
    expect(verdictOf(said)).toBe('accept')
    node = new Listener(same)
    node.bench.journey.older = [before]
    node.start([said.envelope])
    expect(node.freshness.marks()).toHaveLength(1)
  })
})

describe('a seed that lags behind', () => {
  it('counts again once it has the root', () => {
    hasHeard()
    node.adopt(after)
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    node.pass(EVERY_MS)
    expect(node.state()).not.toBe('silent')
    node.hear(beaconOf(KEY, wall(), [entryAt(1)], { root: 2 }))
    node.pass(3_000)
    expect(node.state()).toBe('fresh')
  })

  it('counts where nobody can tell whether the keys changed: the roots before were never here', () => {
    restarts([], [])
    expect(verdictOf(beaconOf(KEY, wall(), [entryAt(1)]))).toBe('accept')
  })

  it('counts where the keys changed in a hole, from the first root in it on', () => {
    node = new Listener(rootWith(KEYS, 4))
    node.bench.journey.older = [before, rootWith([KEY], 2)]
    node.start()
    expect(verdictOf(beaconOf(KEY, wall(), [], { root: 2 }))).toBe('ignore')
    expect(verdictOf(beaconOf(KEY, wall(), [], { root: 3 }))).toBe('accept')
  })
})

describe('the seed of a key that stays', () => {
  const signs = {
    patterns: ['**' as Pattern],
    submit: true,
    signBeacon: { key: KEY.id, sign: (data: Uint8Array) => KEY.sign(data) },
  }

  it('says at once what counts from now on', () => {
    hasHeard(signs)
    node.pass(EVERY_MS / 4)
    node.bench.wakeMonoMs = Number.POSITIVE_INFINITY
    node.adopt(after)
    expect(node.bench.wakeMonoMs).toBe(node.bench.now.monoMs)
    const said = node.bench.run((step, journey) => node.freshness.onTick(step, journey))
    expect(said.filter(({ kind }) => kind === 'publish')).toHaveLength(1)
  })

  it('goes by its clock again, though what was forged in its name is brought back to it', () => {
    hasHeard(signs)
    const forged = beaconOf(KEY, FAR, [entryAt(1)])
    node.hear(forged)
    node.adopt(after)
    node.hear(forged)
    node.pass(2 * EVERY_MS)
    const [mark] = node.freshness.marks()
    expect(mark?.at).toBeLessThanOrEqual(wall())
  })
})

it('is silent within the time that the root allows, where its seed never takes the root', () => {
  hasHeard()
  node.adopt(after)
  for (let left = MAX_AGE_MS; left >= 0; left -= EVERY_MS) {
    node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
    node.pass(EVERY_MS)
  }
  expect(node.state()).toBe('silent')
})
