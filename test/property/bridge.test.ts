import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rank } from '../../src/core/rendezvous.ts'
import { stream } from '../../src/sim/random.ts'
import { idOf, messageOf, ToyRegions } from '../unit/core-bridge/toy-regions.ts'

const REGIONS = ['ap', 'eu', 'us']
const seeds = fc.integer({ min: 0, max: 1_000_000 })

const everywhere = (fleet: ToyRegions) => fleet.gateways.every(({ has, silent }) => has || silent)

test('without faults each region is entered once, within a border trip and a few hops', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const fleet = new ToyRegions(REGIONS, { wrong: 0, random: stream(seed, 'calm') })
      fleet.say('eu', messageOf(`${seed}`))
      fleet.run(120)
      expect(everywhere(fleet)).toBe(true)
      fleet.run(5_000)
      expect(REGIONS.map((region) => fleet.entered(region))).toEqual([1, 0, 1])
    }),
    { numRuns: 100 },
  )
})

test('with rank 0 silently dead in every region the next rank pulls it: 350 ms, and still one payload', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const fleet = new ToyRegions(REGIONS, { wrong: 0, random: stream(seed, 'dead') })
      const bytes = messageOf(`${seed}`)
      for (const region of REGIONS) {
        const all = fleet.of(region)
        const [first] = rank(
          idOf(bytes),
          all.map(({ id }) => id),
        )
        for (const one of all) if (one.id === first) one.silent = true
      }
      fleet.say('eu', bytes)
      fleet.run(350)
      expect(everywhere(fleet)).toBe(true)
      fleet.run(5_000)
      for (const region of ['ap', 'us']) expect(fleet.entered(region)).toBe(1)
    }),
    { numRuns: 100 },
  )
})

test('where views of the gateways differ a claim costs a copy, never the release', () => {
  const entries: number[] = []
  fc.assert(
    fc.property(seeds, (seed) => {
      // One in fifty gateways missed at each look makes the rank of about one sender in ten wrong.
      const fleet = new ToyRegions(REGIONS, { wrong: 0.02, random: stream(seed, 'views') })
      fleet.say('us', messageOf(`${seed}`))
      fleet.run(10_000)
      expect(everywhere(fleet)).toBe(true)
      for (const region of ['ap', 'eu']) entries.push(fleet.entered(region))
    }),
    { numRuns: 300, seed: 1 },
  )
  entries.sort((a, b) => a - b)
  expect(entries[Math.floor(entries.length / 2)]).toBe(1)
  expect(entries.at(-1)).toBeLessThanOrEqual(2)
})

test('any three gateways of a region dead, silently, whoever they are: sync is not needed', () => {
  fc.assert(
    fc.property(seeds, fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { maxLength: 3 }), (seed, dead) => {
      const fleet = new ToyRegions(REGIONS, { wrong: 0, random: stream(seed, 'three') })
      for (const region of ['ap', 'us'])
        for (const at of dead) {
          const one = fleet.of(region)[at]
          if (one !== undefined) one.silent = true
        }
      fleet.say('eu', messageOf(`${seed}`))
      // A second later every border link hears of it, and the first rank that lives pulls.
      fleet.run(4_000)
      expect(everywhere(fleet)).toBe(true)
      for (const region of ['ap', 'us']) expect(fleet.entered(region)).toBeLessThanOrEqual(2)
    }),
    { numRuns: 100 },
  )
})
