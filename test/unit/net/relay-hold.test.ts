import { describe, expect, test } from 'vitest'
import { relayHold } from '../../../src/net/relay-hold.ts'

/** A host on which each timer fires so much later than it should. */
function host(latenessMs: readonly number[], random = 0.5) {
  let nowMs = 1_000
  const waits: number[] = []
  const timers: (() => void)[] = []
  const hold = relayHold({
    nowMs: () => nowMs,
    after: (ms, work) => {
      const late = latenessMs[waits.length] ?? 0
      waits.push(ms)
      timers.push(() => {
        nowMs += ms + late
        work()
      })
    },
    random: () => random,
  })
  let passedOn = 0
  hold(() => {
    passedOn += 1
  })
  const fire = () => {
    timers.shift()?.()
    return passedOn
  }
  return { waits, fire }
}

describe('a release is held', () => {
  test('for 2 to 4 ms on a calm host, and then passed on', () => {
    for (const [random, ms] of [
      [0, 2],
      [0.5, 3],
      [1, 4],
    ] as const) {
      // a timer of a calm host is up to some milliseconds late, too
      const { waits, fire } = host([4], random)
      expect(waits).toEqual([ms])
      expect(fire()).toBe(1)
      expect(waits).toEqual([ms])
    }
  })

  test('once more where the timer is late: so late, as the words of neighbours are', () => {
    for (const [random, ms] of [
      [0, 60],
      [0.5, 90],
      [1, 120],
    ] as const) {
      const { waits, fire } = host([30], random)
      expect(fire()).toBe(0)
      expect(waits[1]).toBe(ms)
      expect(fire()).toBe(1)
    }
  })

  test('once more and not again, however late that is', () => {
    const { waits, fire } = host([30, 500])
    fire()
    expect(fire()).toBe(1)
    expect(waits).toHaveLength(2)
  })

  test('for a quarter of a second at most, and by each for another time', () => {
    const second = (random: number) => {
      const { waits, fire } = host([5_000], random)
      fire()
      return waits[1]
    }
    expect([second(0), second(1)]).toEqual([125, 250])
  })

  test('where a timer fires early, no longer than on a calm host', () => {
    const { fire } = host([-1])
    expect(fire()).toBe(1)
  })
})
