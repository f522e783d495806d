/** Law 20: withheld or replayed beacons give SILENT within `maxAge` at any clock offset; undisturbed ones never do. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { TrustRoot } from '../../src/model/root.ts'
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
} from '../unit/core-peers/beacons.ts'

/** A look is a quarter of a beacon, and steps of the test are a second. */
const SLACK_MS = 6_000
const DAY_MS = 86_400_000

const offsets = fc.integer({ min: -400 * DAY_MS, max: 400 * DAY_MS })
/** Wall clock jumps while the node runs: nothing of this law may notice. */
const jumps = fc.array(fc.integer({ min: -DAY_MS, max: DAY_MS }), { minLength: 1, maxLength: 12 })
const REAL_MS = 1_700_000_000_000

interface Store {
  readonly older: readonly TrustRoot[]
  readonly beacons: readonly Uint8Array[]
}

const EMPTY: Store = { older: [], beacons: [] }

function listener(offsetMs: number, root = rootWith(KEYS), { older, beacons } = EMPTY): Listener {
  const node = new Listener(root)
  node.bench.journey.older = older
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.bench.now = { ...node.bench.now, wallMs: REAL_MS + offsetMs }
  node.start(beacons)
  return node
}

const jump = (node: Listener, ms: number): void => {
  node.bench.now = { ...node.bench.now, wallMs: node.bench.now.wallMs + ms }
}

/** Beacons of both keys, whose clocks are right, for as many rounds as there are jumps. */
function undisturbed(node: Listener, wallJumps: readonly number[], each: (said: Said) => void): void {
  for (const [round, ms] of wallJumps.entries()) {
    for (const key of KEYS) {
      const said = beaconOf(key, REAL_MS + round * EVERY_MS, [entryAt(1)])
      node.hear(said)
      each(said)
    }
    jump(node, ms)
    node.pass(EVERY_MS)
  }
}

it('undisturbed beacons never give SILENT', () => {
  fc.assert(
    fc.property(offsets, jumps, (offsetMs, wallJumps) => {
      const node = listener(offsetMs)
      undisturbed(node, wallJumps, () => expect(node.state()).not.toBe('silent'))
      expect(node.state()).not.toBe('silent')
    }),
    { numRuns: 100 },
  )
})

it('withheld beacons give SILENT within maxAge', () => {
  fc.assert(
    fc.property(offsets, jumps, (offsetMs, wallJumps) => {
      const node = listener(offsetMs)
      undisturbed(node, wallJumps, () => undefined)
      node.pass(MAX_AGE_MS - EVERY_MS + SLACK_MS)
      expect(node.state()).toBe('silent')
    }),
    { numRuns: 100 },
  )
})

it('replayed beacons, in any order and by gossip or sync, give SILENT within maxAge', () => {
  const order = fc.array(fc.nat(), { minLength: 10, maxLength: 20 })
  /** A root that names one of the recorded keys no more comes while the node runs, or with its configuration. */
  const rotated = fc.constantFrom('never', 'while it runs', 'at the start')
  const cases = [offsets, jumps, order, fc.boolean(), rotated] as const
  fc.assert(
    fc.property(...cases, (offsetMs, wallJumps, picks, restarts, rotation) => {
      const [before, after] = [rootWith(KEYS), rootWith(KEYS.slice(1), 2)]
      let node = listener(offsetMs)
      const heard: Said[] = []
      undisturbed(node, wallJumps, (said) => heard.push(said))
      if (rotation === 'while it runs') node.adopt(after)
      if (restarts || rotation === 'at the start') {
        const beacons = heard.slice(-KEYS.length).map(({ envelope }) => envelope)
        const [root, older] = rotation === 'never' ? [before, []] : [after, [before]]
        node = listener(offsetMs, root, { older, beacons })
      }
      const pauseMs = Math.ceil((MAX_AGE_MS + SLACK_MS) / picks.length)
      for (const pick of picks) {
        const said = heard[pick % heard.length]
        if (said !== undefined) node.hear(said)
        node.pass(pauseMs)
      }
      expect(node.state()).toBe('silent')
    }),
    { numRuns: 100 },
  )
})
