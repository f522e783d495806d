import { beforeEach, describe, expect, it } from 'vitest'
import { Proven } from '../../../src/core/gateways/proven.ts'
import type { PeerId } from '../../../src/model/ids.ts'

const [A, B] = ['a', 'b'] as PeerId[] as [PeerId, PeerId]
const LIMITS = { provenUpMs: 600_000, dialledWithinMs: 3_600_000 }
const inbound = (peer: PeerId, ownHost = false) => ({ peer, direction: 'inbound', ownHost }) as const
const outbound = (peer: PeerId) => ({ peer, direction: 'outbound', ownHost: false }) as const

let proven: Proven
beforeEach(() => {
  proven = new Proven(LIMITS, 0)
  proven.started(1_000)
})

describe('proven', () => {
  it('is who is up for ten minutes and was dialled', () => {
    proven.connected(inbound(A), 2_000)
    expect([proven.at(600_999), proven.at(601_000)]).toEqual([false, true])
  })

  it('is the later the worse it ranks, after twice as long at most', () => {
    const last = new Proven(LIMITS, 1)
    last.started(1_000)
    last.connected(inbound(A), 2_000)
    expect([last.at(1_200_999), last.at(1_201_000)]).toEqual([false, true])
  })

  it('is not who dials others only', () => {
    proven.connected(outbound(A), 2_000)
    expect(proven.at(700_000)).toBe(false)
  })

  it('stays so while a link stands that another made, and for an hour after its end', () => {
    proven.connected(inbound(A), 2_000)
    proven.connected(inbound(B), 2_000)
    expect(proven.at(90_000_000)).toBe(true)
    proven.ended(B, 90_000_000)
    expect(proven.at(99_000_000)).toBe(true)
    proven.ended(A, 99_000_000)
    expect([proven.at(102_599_999), proven.at(102_600_000)]).toEqual([true, false])
  })

  it('one that this node made in its place does not count', () => {
    proven.connected(inbound(A), 2_000)
    proven.connected(outbound(A), 10_000)
    expect([proven.at(3_609_999), proven.at(3_610_000)]).toEqual([true, false])
  })

  it('goes by its own host only where there is no other', () => {
    proven.connected(inbound(A, true), 2_000)
    expect(proven.at(700_000)).toBe(true)
    proven.connected(outbound(B), 700_000)
    expect(proven.at(700_000)).toBe(false)
  })
})
