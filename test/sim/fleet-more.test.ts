import { describe } from 'vitest'
import { SMALL, testSeeds } from './seeds.ts'

// Files of their own, so that they run side by side.
describe('more simulated fleets under faults', () => {
  testSeeds(101, 200)
})

describe('many small ones', () => {
  testSeeds(201, 500, SMALL)
})
