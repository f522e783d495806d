import { describe, expect, it } from 'vitest'
import { join, NO_BEACONS, ToyNode, talk } from './dialogue.ts'
import { asked } from './fakes.ts'

describe('what a beacon names', () => {
  /** Milliseconds until a comparison begins, after a turn that came so late. */
  function beginsAfter(lacks: boolean, late: boolean): number | undefined {
    let differs = false
    const beacons = { ...NO_BEACONS, takeDiffers: () => differs, lacks: () => lacks }
    const node = new ToyNode('a', ['**'], { syncIntervalMs: 60_000 }, beacons)
    const other = new ToyNode('b')
    node.bench.run((step) => node.sync.onStarted(step))
    join(node, other)
    const tick = () => node.bench.run((step, journey) => node.sync.onTick(step, journey))
    const begins = (mostMs: number): number | undefined => {
      for (let ms = 10; ms <= mostMs; ms += 10) {
        node.bench.pass(10)
        const effects = tick()
        if (asked(effects).length === 0) continue
        talk(node, other, effects)
        return ms
      }
      return undefined
    }
    if (late) node.bench.pass(120_000)
    expect(begins(80_000)).toBeDefined()
    differs = true
    tick()
    differs = false
    return begins(5_000)
  }

  it('is asked for where gossip has not brought it within a moment', () => {
    const ms = beginsAfter(true, false)
    expect(ms).toBeGreaterThanOrEqual(750)
    // The turn before was seen up to a step late.
    expect(ms).toBeLessThanOrEqual(750 + 4 * 10)
  })

  it('is given longer on a host that is late', () => {
    expect(beginsAfter(true, true)).toBe(1_750)
  })

  it('is not asked for where it has come', () => {
    expect(beginsAfter(false, false)).toBeUndefined()
  })
})
