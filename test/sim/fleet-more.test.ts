import { describe } from 'vitest'
import { SMALL, testSeeds } from './seeds.ts'

// A file of its own, so that both halves run side by side.
describe('more simulated fleets under faults', () => {
  testSeeds(101, 500, SMALL)
})
