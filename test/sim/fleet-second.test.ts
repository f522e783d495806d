import { describe } from 'vitest'
import { testSeeds } from './seeds.ts'

// A file of its own, so that they run side by side.
describe('more simulated fleets under faults', () => {
  testSeeds(101, 200)
})
