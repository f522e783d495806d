/** Who of a whole region takes the places that have come free. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Turn, turnOf } from '../../../src/core/gateways/turn.ts'
import { weight } from '../../../src/core/rendezvous.ts'
import type { PeerId } from '../../../src/model/ids.ts'

const GATEWAYS = 8
const STEP_MS = 50
/** Ten hops inside a region. */
const HEARD_AFTER_MS = 200
const LASTS_MS = 25_000

interface Member {
  readonly weight: string
  readonly turn: Turn
  stoodMs: number
}

/** A region in which all but the first so many died together. */
function regionOf(nodes: number, left: number): Member[] {
  const weights = Array.from({ length: nodes }, (_, at) => weight('eu', `peer-${at}` as PeerId))
    .sort()
    .reverse()
  return weights.map((own, rank) => {
    const turn = new Turn(turnOf(own), { standDelayMs: 2_000 })
    turn.passed()
    return { weight: own, turn, stoodMs: rank < left ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY }
  })
}

/** Each stands once a place has been free for it for as long as it waits; the others hear of it a little later. */
function standUp(region: readonly Member[]): void {
  for (let nowMs = 0; nowMs < LASTS_MS; nowMs += STEP_MS) {
    const heard = region.filter(({ stoodMs }) => stoodMs <= nowMs - HEARD_AFTER_MS)
    for (const member of region) {
      if (member.stoodMs < Number.POSITIVE_INFINITY) continue
      const above = heard.filter((other) => other.weight > member.weight).length
      if (above >= GATEWAYS) member.turn.passed()
      else if (nowMs >= member.turn.fromMonoMs(above, 0)) member.stoodMs = nowMs
    }
  }
}

describe('places that come free for a whole region at once', () => {
  it.each([
    [10, 0],
    [50, 0],
    [500, 0],
    [2_000, 0],
    [500, 3],
    [500, 7],
    [2_000, 7],
  ])('of %i nodes with %i gateways left those stand who are needed, and few others', (nodes, left) => {
    const region = regionOf(nodes, left)
    standUp(region)
    const standing = region.filter(({ stoodMs }) => stoodMs < Number.POSITIVE_INFINITY)
    expect(region.slice(0, GATEWAYS).every(({ stoodMs }) => stoodMs < Number.POSITIVE_INFINITY)).toBe(true)
    expect(standing.length).toBeLessThanOrEqual(GATEWAYS + 3)
  })
})

describe('a turn', () => {
  it('comes the sooner the better the rank, within the longest wait', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
        const weights = [weight('eu', a as PeerId), weight('eu', b as PeerId)].sort()
        const [later = 0, sooner = 0] = weights.map(turnOf)
        expect(sooner).toBeLessThanOrEqual(later)
        expect(sooner).toBeGreaterThanOrEqual(0)
        expect(later).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is at once for the first of a million, and begins anew where the place was taken meanwhile', () => {
    expect(turnOf('f'.repeat(64))).toBe(0)
    expect(turnOf('0'.repeat(64))).toBe(1)
    const turn = new Turn(1, { standDelayMs: 2_000 })
    expect(turn.fromMonoMs(0, 1_000)).toBe(3_000)
    turn.passed()
    expect(turn.fromMonoMs(0, 5_000)).toBe(7_000)
    expect(turn.fromMonoMs(3, 6_000)).toBe(13_000)
  })

  it('begins anew where fewer stand: after most of a longer wait it would come at once, for a whole region', () => {
    const turn = new Turn(1, { standDelayMs: 2_000 })
    turn.passed()
    expect(turn.fromMonoMs(7, 0)).toBe(16_000)
    expect(turn.fromMonoMs(4, 11_000)).toBe(21_000)
    expect(turn.fromMonoMs(5, 12_000)).toBe(23_000)
  })

  it('is within two seconds of the start, however many stand already', () => {
    const turn = new Turn(1, { standDelayMs: 2_000 })
    expect(turn.fromMonoMs(7, 1_000)).toBe(3_000)
  })
})
