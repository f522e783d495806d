import { describe } from 'vitest'
import { SMALL, testSeeds } from './seeds.ts'

describe('many small ones', () => {
  testSeeds(101, 500, SMALL)
})
